# SPDX-License-Identifier: Apache-2.0
"""Knocks as an IMU, a microphone and a depth camera notice them, each by a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensebind.types import Frame, FrameBlock, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.types import Block

    Values = NDArray[np.float64]

BASE_NS = 1_700_000_000 * 10**9
S = 10**9


@dataclass(frozen=True)
class Clock:
    """Shows `offset_s` less than the true time at 0, and gains `ppm`."""

    offset_s: float = 0.0
    ppm: float = 0.0

    def stamps_ns(self, true_s: Values) -> NDArray[np.int64]:
        """What it shows at true times."""
        shown = np.asarray(true_s, np.float64) * (1 + self.ppm * 1e-6) - self.offset_s
        return BASE_NS + np.rint(shown * S).astype(np.int64)

    def offset_ns(self, stamp_ns: int) -> float:
        """True time less what it shows, where it shows `stamp_ns`."""
        shown = (stamp_ns - BASE_NS) / S
        return ((shown + self.offset_s) / (1 + self.ppm * 1e-6) - shown) * S


TRUE_CLOCK = Clock()


def knock_times(rng: np.random.Generator, count: int) -> Values:
    """When somebody knocked, with pauses of uneven length."""
    return np.cumsum(rng.uniform(0.6, 3.0, count)) + 1.0


def felt(rng: np.random.Generator, knocks: Values, clock: Clock, rate_hz: float) -> list[Block]:
    """An IMU at rest that is knocked."""
    times = np.arange(0, knocks[-1] + 2, 1 / rate_hz)
    values = rng.normal(0, 0.02, (len(times), 6))
    values[:, 2] += 9.81
    for knock in knocks:
        first = int(np.searchsorted(times, knock))
        since = times[first:] - knock
        ring = np.exp(-since / 0.02) * np.cos(2 * np.pi * 60 * since)
        values[first:, :3] += np.outer(ring, rng.uniform(2, 8, 3))
    stamps_ns = clock.stamps_ns(times)
    pieces = range(0, len(times), 10)
    return [SampleBlock("imu", stamps_ns[i : i + 10], values[i : i + 10]) for i in pieces]


def heard(rng: np.random.Generator, knocks: Values, clock: Clock) -> list[Block]:
    """A microphone at 16 kHz in the same room; its samples come by its own clock."""
    rate_hz = 16_000
    times = np.arange(0, (knocks[-1] + 2) * rate_hz) / rate_hz
    times = times / (1 + clock.ppm * 1e-6)
    values = rng.normal(0, 0.001, len(times))
    for knock in knocks:
        first = int(np.searchsorted(times, knock))
        since = times[first : first + 3000] - knock
        values[first : first + 3000] += np.exp(-since / 0.01) * rng.normal(0, 0.2, len(since))
    stamps_ns = clock.stamps_ns(times)
    samples = values.astype(np.float32)[:, np.newaxis]
    pieces = range(0, len(times), 1024)
    return [
        UniformBlock("mic", int(stamps_ns[i]), float(rate_hz), samples[i : i + 1024])
        for i in pieces
    ]


def seen(rng: np.random.Generator, knocks: Values, clock: Clock) -> list[Block]:
    """A depth camera at 30 Hz that each knock moves a bit."""
    times = np.arange(0, knocks[-1] + 2, 1 / 30)
    stamps_ns = clock.stamps_ns(times)
    scene = rng.uniform(500, 4000, (24, 64))
    blocks: list[Block] = []
    for time, stamp_ns in zip(times, stamps_ns.tolist(), strict=True):
        turned = int(np.count_nonzero(knocks <= time)) % 32
        depth = scene[:, turned : turned + 32] + rng.normal(0, 5, (24, 32))
        frame = Frame(depth.astype("<u2").tobytes(), "16UC1", 32, 24, 64)
        blocks.append(FrameBlock("depth", stamp_ns, frame))
    return blocks
