# SPDX-License-Identifier: Apache-2.0
"""Where a command's section goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensebind.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import msgspec


@dataclass(frozen=True, slots=True)
class Destination:
    """The section that a command will write.

    Attributes:
        out: the file.
        kind: of the section.
        named: its stream, as the user names it; the one that was read if None.
        force: whether it may replace another.
        json: whether it is shown as JSON.
    """

    out: Path
    kind: str
    named: str | None
    force: bool
    json: bool

    def claim(self, stream: str) -> None:
        """Check that the section of a stream that is read can be written; before any work.

        Raises:
            InputError: if it cannot.
        """
        from sensebind_calibration.file import check_free

        check_free(self.out, self.kind, self.named or stream, force=self.force)

    def write(self, stream: str, section: msgspec.Struct, doubts: Iterable[str]) -> None:
        """Say what is doubtful, write the section of a stream that was read, and show it."""
        from sensebind_calibration.file import add_section
        from sensebind_calibration.kinds import KINDS
        from sensebind_calibration.recording import naming

        name = self.named or stream
        for sentence in doubts:
            output.warning(naming(stream, sentence))
        kept = add_section(self.out, self.kind, name, section, force=self.force)
        if self.json:
            output.show_json({"stream": name, "out": str(self.out), self.kind: section})
            return
        output.say(KINDS[self.kind].card(name, section))
        output.say(f"written to {self.out}{f'; the old file is {kept}' if kept else ''}")
