# SPDX-License-Identifier: Apache-2.0
"""IMU readings in NumPy files; CSV and Parquet tables are read by the runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.errors import InputError
from sensebind.sources.files.table_columns import COLUMNS
from sensebind.types import SampleBlock
from sensebind.units import imu_factors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIXES = (".npz",)
_VALUES = "values"


def read_imu_table(path: Path, unit: str | None = None) -> SampleBlock:
    """All readings of an .npz file.

    Args:
        path: its arrays are `sensebind.sources.files.table_columns.COLUMNS`, or `t_ns` and
            one array `values` (n, 6) instead of six.
        unit: of the values, as in `StreamConfig`; m/s² and rad/s if None.

    Raises:
        InputError: naming the file and what is missing or of the wrong form.
    """
    columns = _npz(path)
    if _VALUES in columns and columns[_VALUES].ndim == 2:
        columns |= dict(zip(COLUMNS[1:], columns[_VALUES].T, strict=False))
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise InputError(
            f"{path} lacks {', '.join(missing)}; expected the columns {', '.join(COLUMNS)}"
        )
    lengths = {name: columns[name].shape for name in COLUMNS}
    if len(set(lengths.values())) != 1 or columns["t_ns"].ndim != 1 or not len(columns["t_ns"]):
        raise InputError(f"{path} has columns of the shapes {lengths}, expected one length above 0")
    if columns["t_ns"].dtype.kind not in "iu":
        raise InputError(f"{path}: t_ns is {columns['t_ns'].dtype}, expected whole nanoseconds")
    try:
        values = np.stack([columns[name].astype(np.float64) for name in COLUMNS[1:]], axis=1)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: its values are no numbers ({error})") from None
    values *= np.repeat(imu_factors(unit), 3)
    return SampleBlock(path.name, columns["t_ns"].astype(np.int64), np.ascontiguousarray(values))


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"cannot read {path}: {error}") from None
