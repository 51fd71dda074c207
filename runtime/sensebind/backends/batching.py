# SPDX-License-Identifier: Apache-2.0
"""Which batches leave every vector as it is alone.

A runtime may take another kernel for a matrix of another number of rows, which adds up in another
order, so a window's vector could depend on what else was waiting. Kernels are chosen by shapes, not
by what is in the arrays: if noise comes out the same, so does everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind.backends.base import Engine
    from sensebind.specs import TensorSpec
    from sensebind.types import Features


def equal_batches(engine: Engine, inputs: Sequence[TensorSpec], most: int) -> tuple[int, ...]:
    """Powers of two up to `most` for which a batch gives each row the bytes it has alone.

    They are tried out on noise, in rising order up to the first that differs.

    Raises:
        BackendError: if a run fails.
    """
    sizes = [1]
    rows: list[bytes] = []
    noise = np.random.default_rng(0)
    windows: list[Features] = []
    while 2 * sizes[-1] <= most:
        size = 2 * sizes[-1]
        while len(windows) < size:
            windows.append({spec.name: _noise(spec, noise) for spec in inputs})
            rows.append(engine.run(windows[-1]).tobytes())
        batch = {
            spec.name: np.concatenate([window[spec.name] for window in windows]) for spec in inputs
        }
        if [row.tobytes() for row in engine.run(batch)] != rows:
            break
        sizes.append(size)
    return tuple(sizes)


def _noise(spec: TensorSpec, noise: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype]:
    """One row of a tensor, with its batch axis; axes other than the first have their size."""
    shape = tuple(axis if isinstance(axis, int) else 1 for axis in spec.shape)
    return noise.standard_normal(shape).astype(spec.dtype)
