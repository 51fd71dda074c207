# SPDX-License-Identifier: Apache-2.0
"""Unit embeddings in .npy files, in the place of features of a frozen tower."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_NORM_TOLERANCE = 1e-3


class Vectors:
    """Rows of .npy files of unit embeddings, opened once each."""

    def __init__(self) -> None:
        self._files: dict[Path, NDArray[np.float32]] = {}

    def row(self, path: Path, index: int) -> NDArray[np.float32]:
        """One unit vector, float32 (dim,).

        Raises:
            InputError: naming the file, and its form or the vector that cannot be used.
        """
        if path not in self._files:
            self._files[path] = _opened(path)
        vectors = self._files[path]
        if index >= len(vectors):
            raise InputError(f"{path} has {len(vectors)} vectors, there is no index {index}")
        vector = np.array(vectors[index])
        norm = float(np.linalg.norm(vector))
        if not abs(norm - 1) <= _NORM_TOLERANCE:
            raise InputError(f"vector {index} of {path} has the norm {norm:g}, expected 1")
        return vector


def _opened(path: Path) -> NDArray[np.float32]:
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"cannot read the vectors {path}: {error}") from None
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or vectors.dtype != np.float32:
        form = getattr(vectors, "shape", type(vectors).__name__)
        raise InputError(f"{path} holds {form}, expected float32 (n, dim) in an .npy file")
    return vectors
