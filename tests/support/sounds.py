# SPDX-License-Identifier: Apache-2.0
"""Sounds of known levels, clocks and ranges, as calibrations take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import ellip, sosfilt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]
    Times = NDArray[np.int64]

RATE_HZ = 16_000
START_NS = 1_700_000_000 * 10**9


def quiet_and_loud(
    rng: np.random.Generator,
    *,
    floor: float = 1e-3,
    signal: float = 0.05,
    offset: float = 0.0,
    seconds: float = 10.0,
    rate_hz: int = RATE_HZ,
) -> Samples:
    """Noise of root mean square `floor`, and in its second half one of `signal` more."""
    count = round(seconds * rate_hz)
    samples = rng.normal(offset, floor, count)
    samples[count // 2 :] += rng.normal(0, signal, count - count // 2)
    return samples.astype(np.float32)


def lowpassed(samples: Samples, edge_hz: float, rate_hz: int = RATE_HZ) -> Samples:
    """What a microphone of that range gives, with a trace of the converter's own noise."""
    cut = sosfilt(ellip(10, 0.1, 80, edge_hz, fs=rate_hz, output="sos"), samples)
    noise = np.random.default_rng(0).normal(0, 3e-5, len(samples))
    return np.asarray(cut + noise, np.float32)


def block_times(
    rng: np.random.Generator, ppm: float, *, blocks: int = 3000, kind: str = "queue"
) -> tuple[Times, Times]:
    """Blocks of 10 ms by a clock that runs fast by `ppm`: counted, and seen late.

    The delay is that of a "queue", has an "error" to both sides (2 ms each), or "wanders".
    """
    counted_ns = np.arange(blocks) * 10_000_000
    delay_ns = rng.exponential(2e6, blocks) if kind == "queue" else rng.normal(0, 2e6, blocks)
    if kind == "wanders":
        delay_ns = np.cumsum(rng.normal(0, 1e4, blocks)) + rng.exponential(2e5, blocks)
    seen_ns = START_NS + np.rint(counted_ns / (1 + ppm * 1e-6) + delay_ns).astype(np.int64)
    return counted_ns, seen_ns
