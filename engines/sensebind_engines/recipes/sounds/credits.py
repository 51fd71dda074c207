# SPDX-License-Identifier: Apache-2.0
"""Who made the sounds that weights are trained on: each recording, and the soundfont.

ESC-10 tells author and licence of each clip in one of the files beside its folders.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sensebind.errors import SourceError
from sensebind_engines.recipes.esc10.dataset import FOLDER, LEFT_OUT, SOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FILES = ("ATTRIBUTION.txt", "README.md", "LICENSE", "LICENSE.txt")
_LINE = re.compile(
    r"\[(?P<clip>\d-\d+-\w+)\.ogg\]:\s+clip derived from (?P<title>.+?) "
    r"\((?P<url>http\S+)\) by (?P<author>.+?) \[(?P<licence>[^\]]+)\]"
)
_LICENCES = {"CC0": "CC0", "CC-BY": "CC BY"}
"""The list's words, and those of notices; it tells no versions."""

SOUNDFONT_NOTICE = """\
Instruments: rendered with the samples of FluidR3 GM 3.1 (Debian package fluid-soundfont-gm),
Copyright 2000-2002, 2008 Frank Wen, 2008 Toby Smithe; MIT licence.
Events: synthesised by SenseBind.
"""


class Credit(NamedTuple):
    """Of one clip: its name, the recording it is from, and under which licence."""

    clip: str
    title: str
    author: str
    url: str
    licence: str

    @property
    def line(self) -> str:
        """One line for a notice."""
        return f'{self.clip}: from "{self.title}" by {self.author}, {self.licence}, {self.url}'


def read_credits(cache: Path) -> dict[str, Credit]:
    """Credits of the clips that may be used, by clip ("1-100032-A").

    Raises:
        SourceError: if the data set's list of authors is not in the cache, or a licence in it is
            neither CC0 nor CC BY.
    """
    folder = cache / FOLDER
    if not folder.is_dir():
        raise SourceError(f"there is no folder {str(folder)!r}; put ESC-10 there: {SOURCE}")
    texts = [(folder / name).read_text("utf-8") for name in _FILES if (folder / name).is_file()]
    found = [match for text in texts for match in _LINE.finditer(text)]
    if not found:
        raise SourceError(
            f"{str(folder)!r} tells no author of any clip in {', '.join(_FILES)}; put the file "
            f"that lists them there, as the data set comes: {SOURCE}"
        )
    kept = [match for match in found if match["clip"] not in LEFT_OUT]
    odd = [f"{match['clip']} [{match['licence']}]" for match in kept if _unknown(match)]
    if odd:
        raise SourceError(f"clips under other licences than CC0 and CC BY: {', '.join(odd)}")
    return {match["clip"]: _credit(match) for match in kept}


def credits_text(cache: Path, folds: Sequence[str] = ("1", "2", "3")) -> str:
    """The notice of weights trained on some folds of the recordings and on everything made here."""
    clips = read_credits(cache).values()
    lines = [credit.line for credit in clips if credit.clip[0] in folds]
    head = f"Recordings: clips of ESC-10 (Karol J. Piczak 2015, CC BY 3.0, {SOURCE}):"
    return "\n".join([head, *sorted(lines), "", SOUNDFONT_NOTICE])


def _unknown(match: re.Match[str]) -> bool:
    return match["licence"] not in _LICENCES


def _credit(match: re.Match[str]) -> Credit:
    licence = _LICENCES[match["licence"]]
    return Credit(match["clip"], match["title"], match["author"], match["url"], licence)
