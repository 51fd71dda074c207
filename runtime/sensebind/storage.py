# SPDX-License-Identifier: Apache-2.0
"""Paths, hashes and atomic writes shared by everything that touches files."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 1 << 20


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits, read in bounded pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def data_folder() -> Path:
    """Folder of the files shipped inside the package."""
    return Path(str(resources.files("sensebind"))) / "_data"


def cache_folder() -> Path:
    """A writable cache folder of this user, or a temporary one if there is no home.

    `SENSEBIND_CACHE` overrides the platform's choice.
    """
    chosen = os.environ.get("SENSEBIND_CACHE")
    folder = Path(chosen) if chosen else Path(platformdirs.user_cache_dir("sensebind"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="sensebind-cache-"))


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it replaces `path` only if the block succeeds.

    The content is flushed to disk before the rename, so a crash leaves the old file or the new
    one, never a part.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
