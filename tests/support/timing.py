# SPDX-License-Identifier: Apache-2.0
"""Windows with times, as a run hands them to its observers."""

from __future__ import annotations

import numpy as np

from sensebind.metrics.times import WindowTimes
from sensebind.types import Embedding, Modality

MS = 1_000_000


def window_times(
    *,
    stream: str = "/imu",
    received_ns: int = 0,
    stages_ms: tuple[float, ...] = (0.1, 0.2, 1.0, 0.5, 4.0, 0.2),
    closable_ns: int | None = None,
    grid_ns: int = 1_000 * MS,
    batch: int = 1,
) -> WindowTimes:
    """Times of a window whose stages take so many milliseconds."""
    received, closed, begin, prepared, infer, inferred, published = (
        int(station) for station in received_ns + np.cumsum([0, *stages_ms]) * MS
    )
    return WindowTimes(
        stream=stream,
        modality=Modality.IMU,
        grid_ns=grid_ns,
        stamp_ns=grid_ns - 5 * MS,
        closable_ns=closable_ns,
        received_ns=received,
        closed_ns=closed,
        prepare_begin_ns=begin,
        prepared_ns=prepared,
        infer_begin_ns=infer,
        inferred_ns=inferred,
        published_ns=published,
        batch=batch,
    )


def embedding(times: WindowTimes) -> Embedding:
    """What was made of such a window."""
    return Embedding(
        stream=times.stream,
        modality=times.modality,
        grid_ns=times.grid_ns,
        start_ns=times.grid_ns - 2_000 * MS,
        end_ns=times.grid_ns,
        stamp_ns=times.stamp_ns,
        coverage=0.97,
        valid_fraction=1.0,
        encoder_id="e",
        vector=np.array([1, 0], np.float32),
    )
