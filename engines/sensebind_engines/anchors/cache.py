# SPDX-License-Identifier: Apache-2.0
"""Vectors on disk by the hash of what they were computed from.

A file per vector: the SHA-256 of its bytes, then the bytes. Files appear whole, by a rename, so
threads and processes may share a folder; a file that is damaged all the same counts as absent.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_log = logging.getLogger(__name__)
_DIGEST_BYTES = 32


class VectorCache:
    """The vectors of one encoder.

    A folder that cannot be written to costs time and nothing else: it is told once.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self._folder = folder
        self._bytes = 4 * dim
        self._told = False

    def get(self, key: str) -> NDArray[np.float32] | None:
        """The vector float32 (dim,) of a key of 64 hex digits, if it is there and whole."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        stored, payload = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if len(payload) != self._bytes or hashlib.sha256(payload).digest() != stored:
            return None
        return np.frombuffer(payload, "<f4").astype(np.float32)

    def put(self, key: str, vector: NDArray[np.float32]) -> None:
        """Keep a vector float32 (dim,)."""
        payload = np.ascontiguousarray(vector, "<f4").tobytes()
        path = self._path(key)
        # Not flushed to the disk: what a crash damages is computed again.
        temporary = path.with_name(f".{key}.{secrets.token_hex(4)}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(hashlib.sha256(payload).digest() + payload)
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            self._tell(error)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            _log.warning(
                "embeddings cannot be kept in %s (%s); they are computed anew each time",
                self._folder,
                error.strerror,
            )
