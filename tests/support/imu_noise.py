# SPDX-License-Identifier: Apache-2.0
"""Simulated IMU noise of known densities, and tables of readings on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CHANNELS = ("ax", "ay", "az", "gx", "gy", "gz")
START_NS = 1_700_000_000 * 10**9


def noise(
    rng: np.random.Generator, count: int, rate_hz: float, density: float, walk: float = 0.0
) -> NDArray[np.float64]:
    """White noise of N = `density` plus a random walk of K = `walk`, as IEEE and Kalibr mean."""
    white = rng.normal(0, density * np.sqrt(rate_hz), count)
    steps = rng.normal(0, walk / np.sqrt(rate_hz), count)
    return np.asarray(white + np.cumsum(steps))


def at_rest(rng: np.random.Generator, count: int, rate_hz: float = 100.0) -> NDArray[np.float64]:
    """Readings (n, 6) of an IMU that lies still: N of 2e-3 m/s²/√Hz and 1e-4 rad/s/√Hz."""
    rows = np.empty((count, 6))
    for axis in range(6):
        rows[:, axis] = noise(rng, count, rate_hz, 2e-3 if axis < 3 else 1e-4)
    rows += (0.05, -0.1, 9.8, 0.01, -0.02, 0.005)
    return rows


def imu_table(path: Path, rows: NDArray[np.float64], rate_hz: float = 100.0) -> Path:
    """Write readings (n, 6) as a Parquet table."""
    stamps_ns = START_NS + np.rint(np.arange(len(rows)) * (1e9 / rate_hz)).astype(np.int64)
    columns = {name: rows[:, place] for place, name in enumerate(CHANNELS)}
    pq.write_table(pa.table({"t_ns": stamps_ns, **columns}), path)
    return path
