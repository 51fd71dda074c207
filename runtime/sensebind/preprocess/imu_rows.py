# SPDX-License-Identifier: Apache-2.0
"""What is wrong with stamps and rows of inertial samples, named by row and column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def check_rows(
    sensor: str, stamps_ns: NDArray[np.int64], values: NDArray[np.float64], columns: Sequence[str]
) -> None:
    """Check that stamps (n,) rise and that values (n, len(columns)) are finite.

    Raises:
        InputError: naming the first row that is wrong.
    """
    falling = np.flatnonzero(stamps_ns[1:] <= stamps_ns[:-1])
    if falling.size:
        row = int(falling[0]) + 1
        raise InputError(
            f"{sensor} stamps must rise: row {row} has {stamps_ns[row]} ns after "
            f"{stamps_ns[row - 1]} ns; sort the samples and drop duplicates"
        )
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        row, column = bad[0]
        raise InputError(
            f"{sensor} value {columns[column]} of row {row} is {values[row, column]}, expected a "
            "finite number; drop such samples"
        )
