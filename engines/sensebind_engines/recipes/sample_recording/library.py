# SPDX-License-Identifier: Apache-2.0
"""The 3-D models of the Debian package `sweethome3d-furniture`.

The package holds several model libraries: `BlendSwap-CC-0` is Creative Commons Zero, the others are
CC BY 3.0, by the package's copyright file and by the libraries' own. A library is a zip inside the
package.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, NamedTuple

from sensebind_engines.recipes.debian import DebianPackage, read_members

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PACKAGE = DebianPackage(
    "sweethome3d-furniture",
    "1.8-1",
    "3ccb90c63f9525e887a767b9cd5c8b6933b8b6b2973a615a5359ee68a2118668",
)
DEB_NAME, DEB_SHA256 = PACKAGE.file_name, PACKAGE.sha256
LIBRARIES = ("BlendSwap-CC-0", "BlendSwap-CC-BY", "KatorLegaz", "Reallusion", "Scopia")


class Credit(NamedTuple):
    """Whom a library's licence asks to name, the licence, and where it is stated."""

    attribution: str
    licence: str
    evidence: str


CREDITS = {
    "Reallusion": Credit(
        "Reallusion (http://www.reallusion.com)",
        "CC-BY-3.0-US",
        "LICENSE.TXT in Reallusion.sh3f, and debian/copyright of the package",
    ),
    "Scopia": Credit(
        "Emmanuel Puybaret / eTeks and Scopia Visual Interfaces Systems, s.l. "
        "(http://www.scopia.es)",
        "CC-BY-3.0",
        "LICENSE.TXT in Scopia.sh3f, and debian/copyright of the package",
    ),
}
"""Of every library that a model of the recording is from."""


def find_package(cache: Path) -> Path:
    """Return the verified `.deb` in `cache`; see `DebianPackage.find`."""
    return PACKAGE.find(cache)


def member_of(name: str = LIBRARIES[0]) -> str:
    """Where a library lies in the package."""
    return f"./usr/share/sweethome3d/furniture/{name}.sh3f"


def open_library(deb: Path, name: str = LIBRARIES[0]) -> zipfile.ZipFile:
    """Open a model library held in the package file `deb`; by default the CC0 one."""
    return open_libraries(deb, (name,))[name]


def open_libraries(deb: Path, names: Sequence[str] = LIBRARIES) -> dict[str, zipfile.ZipFile]:
    """Open several libraries, by name; unpacking takes seconds and is done once for all."""
    found = read_members(deb, [member_of(name) for name in names])
    return {name: zipfile.ZipFile(io.BytesIO(found[member_of(name)])) for name in names}
