# SPDX-License-Identifier: Apache-2.0
"""Paths, hashes and atomic writes shared by everything that touches files."""

from __future__ import annotations

import atexit
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from filelock import FileLock

_CHUNK_BYTES = 1 << 20
_DRAFT = ".part"


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
    """A writable cache folder of this user, or one that lasts as long as this process.

    `SENSEBIND_CACHE` overrides the platform's choice. Where neither can be written (no home, a
    read-only one) a private temporary folder is used and removed on exit: a stable name in a
    shared folder could be prepared by somebody else, and what lies in a cache is run.
    """
    folder = chosen_cache_folder()
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            pass
    return _process_folder()


def chosen_cache_folder() -> Path | None:
    """The cache folder of this user, which need not be there or writable; None if there is none."""
    chosen = os.environ.get("SENSEBIND_CACHE")
    folder = Path(chosen) if chosen else Path(platformdirs.user_cache_dir("sensebind"))
    # Without HOME and without an account the platform's choice is a literal "~".
    return folder.absolute() if folder.is_absolute() or chosen else None


@lru_cache(maxsize=1)
def _process_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="sensebind-cache-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a new empty file beside `path`; it replaces `path` only if the block succeeds.

    The content is flushed to disk before the rename, so a crash leaves the old file or the new
    one, never a part. A hidden draft that a killed process left is removed by the next write.
    """
    with _draft_of(path, _create) as draft:
        yield draft
        flush(draft)
        draft.replace(path)
        _flush_entries(path.parent)


@contextmanager
def atomic_folder(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a new folder beside `folder`; it takes its place only if the block succeeds.

    The content is flushed to disk before the rename. A crash leaves the old folder, none or the new
    one, never a part; hidden drafts that it leaves are removed by the next write.

    Args:
        folder: its parents are made where they are missing.
        replace: remove what is there first; without, only an empty folder is replaced.

    Raises:
        OSError: it cannot be written, or is there already.
    """
    old = _name_beside(folder)
    with _draft_of(folder, lambda draft: draft.mkdir(parents=True)) as draft:
        try:
            yield draft
            for path in (*draft.rglob("*"), draft):
                (_flush_entries if path.is_dir() else flush)(path)
            if replace:
                with suppress(FileNotFoundError):
                    folder.rename(old)  # at once: a crash while it is removed would leave a part
            draft.rename(folder)
            _flush_entries(folder.parent)
        finally:
            _remove(old)


def acquire(lock: FileLock, timeout_s: float = -1) -> None:
    """Hold a lock, waiting for it as long as need be or at most `timeout_s`.

    Raises:
        filelock.Timeout: if another process holds it.
        OSError: if it cannot be made, or the file system has no locks, which some versions of the
            library tell by an error that is none of the system's.
    """
    try:
        lock.acquire(timeout=timeout_s)
    except NotImplementedError as error:
        raise OSError(errno.ENOLCK, "the file system has no locks", lock.lock_file) from error


@contextmanager
def _draft_of(path: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """Something new and hidden beside `path`, which is held, and removed when the block ends."""
    _remove_dead_drafts(path)
    while True:
        draft = _name_beside(path)
        make(draft)
        with _held(draft, fcntl.LOCK_EX):
            if not draft.exists():  # before it was held, another writer took it for a dead one
                continue
            try:
                yield draft
            finally:
                _remove(draft)
            return


def _remove_dead_drafts(path: Path) -> None:
    """Remove what killed processes left beside `path`: the system frees the locks of the dead."""
    length = len(_name_beside(path).name)
    with suppress(OSError):
        for name in os.listdir(path.parent):  # noqa: PTH208 - names alone, of folders of many files
            if len(name) == length and name.startswith(f".{path.name}.") and name.endswith(_DRAFT):
                with _held(path.parent / name, fcntl.LOCK_EX | fcntl.LOCK_NB) as nobody_else:
                    if nobody_else:
                        _remove(path.parent / name)


@contextmanager
def _held(path: Path, how: int) -> Iterator[bool]:
    """Lock a file or folder; whether that worked, which it does not where there are no locks."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield _locked(descriptor, how)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        return False
    return True


def _name_beside(path: Path) -> Path:
    """A name of its own beside `path`, hidden."""
    return path.parent / f".{path.name}.{secrets.token_hex(4)}{_DRAFT}"


def _remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _flush_entries(folder: Path) -> None:
    """Have what a folder lists last, a rename for instance."""
    with suppress(OSError):  # it is done; a file system that cannot flush folders undoes nothing
        flush(folder)


def _create(path: Path) -> None:
    """Make an empty file with the permissions of any new file of this user."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def flush(path: Path) -> None:
    """Have a file or folder written to the disk, so that a loss of power leaves it whole."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
