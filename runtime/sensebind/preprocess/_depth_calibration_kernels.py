# SPDX-License-Identifier: Apache-2.0
"""A kernel that makes calibrated depth of raw pixels."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.preprocess._compile import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray


@kernel
def calibrate(
    raw: NDArray[Any],
    scale: np.float32,
    offset: np.float32,
    least: np.float32,
    greatest: np.float32,
    invalid: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> None:
    """Fill `out` with scale * raw + offset, and with 0 where nothing was measured.

    Measured are counts above 0 whose result lies within `least` and `greatest`, at pixels that are
    not `invalid`; all are (h, w).
    """
    for r in range(out.shape[0]):
        source, barred, row = raw[r], invalid[r], out[r]
        for c in range(out.shape[1]):
            count = np.float32(source[c])
            depth = scale * count + offset
            measured = (count > 0) & (depth >= least) & (depth <= greatest) & ~barred[c]
            row[c] = depth if measured else np.float32(0)
