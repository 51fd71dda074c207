# SPDX-License-Identifier: Apache-2.0
"""The 3-D models of the Debian package `sweethome3d-furniture`.

The package holds several model libraries: `BlendSwap-CC-0` is Creative Commons Zero, the others are
CC BY 3.0, by the package's copyright file and by the libraries' own. A `.deb` is an `ar` archive
holding a compressed tar, a library is a zip inside that tar; both are read with the standard
library alone.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import zipfile
from typing import TYPE_CHECKING, NamedTuple

from sensebind.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PACKAGE = "sweethome3d-furniture"
DEB_NAME = f"{PACKAGE}_1.8-1_all.deb"
DEB_SHA256 = "3ccb90c63f9525e887a767b9cd5c8b6933b8b6b2973a615a5359ee68a2118668"
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

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60


def find_package(cache: Path) -> Path:
    """Return the verified `.deb` in `cache`, downloading it with apt-get where that exists.

    Raises `SourceError` when it is absent and cannot be fetched, or when its hash differs.
    """
    path = cache / DEB_NAME
    if not path.exists():
        _download(cache)
    if not path.exists():
        raise SourceError(
            f"{DEB_NAME} is not in {str(cache)!r} and could not be downloaded; "
            f"run `apt-get download {PACKAGE}=1.8-1` in that folder (Debian 12) and build again"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != DEB_SHA256:
        raise SourceError(
            f"{str(path)!r} has sha256 {digest}, expected {DEB_SHA256}; "
            f"delete it and run `apt-get download {PACKAGE}=1.8-1` in its folder"
        )
    return path


def _download(cache: Path) -> None:
    """Ask apt-get for the package; a failure is left for the caller to report."""
    if shutil.which("apt-get") is None:
        return
    cache.mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "download", f"{PACKAGE}=1.8-1"]
    subprocess.run(command, cwd=cache, check=False, capture_output=True)  # noqa: S603 -- fixed


def member_of(name: str = LIBRARIES[0]) -> str:
    """Where a library lies in the package."""
    return f"./usr/share/sweethome3d/furniture/{name}.sh3f"


def open_library(deb: Path, name: str = LIBRARIES[0]) -> zipfile.ZipFile:
    """Open a model library held in the package file `deb`; by default the CC0 one."""
    return open_libraries(deb, (name,))[name]


def open_libraries(deb: Path, names: Sequence[str] = LIBRARIES) -> dict[str, zipfile.ZipFile]:
    """Open several libraries, by name; unpacking takes seconds and is done once for all."""
    data = _ar_member(deb.read_bytes(), "data.tar")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {member.name: member for member in tar.getmembers()}
        return {name: _opened(tar, members.get(member_of(name)), deb, name) for name in names}


def _opened(
    tar: tarfile.TarFile, member: tarfile.TarInfo | None, deb: Path, name: str
) -> zipfile.ZipFile:
    content = None if member is None else tar.extractfile(member)
    if content is None:
        raise SourceError(f"{str(deb)!r} does not hold {member_of(name)}; expected {DEB_NAME}")
    return zipfile.ZipFile(io.BytesIO(content.read()))


def _ar_member(archive: bytes, prefix: str) -> bytes:
    """Return the first member of an `ar` archive whose name starts with `prefix`."""
    if not archive.startswith(_AR_MAGIC):
        raise SourceError("the package is not an ar archive; expected a Debian .deb file")
    offset = len(_AR_MAGIC)
    while offset + _AR_HEADER_BYTES <= len(archive):
        header = archive[offset : offset + _AR_HEADER_BYTES]
        size = int(header[48:58])
        offset += _AR_HEADER_BYTES
        if header[:16].decode("ascii").startswith(prefix):
            return archive[offset : offset + size]
        offset += size + size % 2  # members start at even offsets
    raise SourceError(f"the package has no member {prefix!r}; expected a Debian .deb file")
