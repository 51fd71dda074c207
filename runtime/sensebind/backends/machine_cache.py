# SPDX-License-Identifier: Apache-2.0
"""What was found out about a graph on this machine, kept so that it is found out once.

What is kept depends on the graph's bytes, ONNX Runtime's version and the processor's instructions,
all of which name it. A cache that cannot be written is survived: things are found out anew, or not.
"""

from __future__ import annotations

import hashlib
import os
import platform
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from filelock import FileLock, Timeout

from sensebind.backends.onnx_session import VERSION
from sensebind.json_text import NOT_JSON
from sensebind.storage import acquire, chosen_cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
_CPU_INFO = Path("/proc/cpuinfo")
_FEATURE_LINES = ("flags", "Features")  # x86 and Arm
_WRITABLE_BY_ALL = 0o002

Kept = TypeVar("Kept", bound=msgspec.Struct)


class GraphKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that what is kept about a graph depends on.

    Attributes:
        onnx_sha256: of the graph.
        onnxruntime: version.
        cpu: hash of the processor's instruction set.
        format: of what is kept.
    """

    onnx_sha256: str
    onnxruntime: str
    cpu: str
    format: int = FORMAT

    @property
    def digest(self) -> str:
        """64 hex digits."""
        canonical = msgspec.json.encode(msgspec.to_builtins(self), order="sorted")
        return hashlib.sha256(canonical).hexdigest()


def key_of(onnx_sha256: str) -> GraphKey:
    """The key of a graph on this machine."""
    return GraphKey(onnx_sha256=onnx_sha256, onnxruntime=VERSION, cpu=_cpu_features())


@lru_cache(maxsize=1)
def _cpu_features() -> str:
    """Hash of what the processor can do: kernels and the layout of weights are chosen by it."""
    told = platform.machine()
    with suppress(OSError):
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            name, _, features = line.partition(":")
            if name.strip() in _FEATURE_LINES:
                told += " ".join(sorted(features.split()))
                break
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def place_of(key: GraphKey) -> Path | None:
    """Where things about this graph are kept; None where there is no lasting cache."""
    base = chosen_cache_folder()
    return None if base is None else base / "onnxruntime" / key.digest[:32]


def read_kept(path: Path, kind: type[Kept]) -> Kept | None:
    """What a file keeps; None if it is not there, cannot be read or is somebody else's."""
    try:
        owned = path.stat()
        if owned.st_uid not in (0, os.getuid()) or owned.st_mode & _WRITABLE_BY_ALL:
            return None
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, *NOT_JSON):
        return None


@contextmanager
def alone(place: Path) -> Iterator[bool]:
    """Keep other processes from making what is kept at `place`.

    Yields:
        whether it may be made: False if another process is at it, which is not waited for.

    Raises:
        OSError: the cache cannot be written.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place.with_name(f"{place.name}.lock"))
    try:
        acquire(lock, timeout_s=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
