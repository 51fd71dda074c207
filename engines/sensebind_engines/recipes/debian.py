# SPDX-License-Identifier: Apache-2.0
"""Packages of Debian as sources of data: found, verified by hash and read without installing them.

A `.deb` is an `ar` archive holding a compressed tar; both are read with the standard library alone.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING, NamedTuple

from sensebind.errors import SourceError
from sensebind.storage import sha256_of_file

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60


class DebianPackage(NamedTuple):
    """One version of a package that is the same for every architecture.

    Attributes:
        name: as apt knows it.
        version: with Debian's revision.
        sha256: 64 hex digits of the file.
    """

    name: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """What apt-get calls the file it downloads."""
        return f"{self.name}_{self.version}_all.deb"

    def find(self, cache: Path) -> Path:
        """Return the verified `.deb` in `cache`, downloading it with apt-get where that exists.

        Raises:
            SourceError: if it is absent and cannot be fetched, or its hash differs.
        """
        path = cache / self.file_name
        if not path.exists():
            self._download(cache)
        if not path.exists():
            raise SourceError(
                f"{self.file_name} is not in {str(cache)!r} and could not be downloaded; run "
                f"`apt-get download {self.name}={self.version}` in that folder (Debian 12) and "
                "build again"
            )
        digest = sha256_of_file(path)
        if digest != self.sha256:
            raise SourceError(
                f"{str(path)!r} has sha256 {digest}, expected {self.sha256}; "
                f"delete it and run `apt-get download {self.name}={self.version}` in its folder"
            )
        return path

    def _download(self, cache: Path) -> None:
        """Ask apt-get for the package; a failure is left for the caller to report."""
        if shutil.which("apt-get") is None:
            return
        cache.mkdir(parents=True, exist_ok=True)
        command = ["apt-get", "download", f"{self.name}={self.version}"]
        subprocess.run(command, cwd=cache, check=False, capture_output=True)  # noqa: S603 -- fixed


def read_members(deb: Path, paths: Collection[str]) -> dict[str, bytes]:
    """Files of a package, by path; unpacking takes seconds and is done once for all.

    Args:
        deb: the package.
        paths: as the package holds them: "./usr/share/…".

    Raises:
        SourceError: if the file is no package, or does not hold one of them.
    """
    data = _ar_member(deb.read_bytes(), "data.tar")
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.name in paths else None
            if content is not None:
                found[member.name] = content.read()
    if missing := sorted(set(paths) - found.keys()):
        raise SourceError(
            f"{str(deb)!r} does not hold {', '.join(missing)}; it is another package or version"
        )
    return found


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
