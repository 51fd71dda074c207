# SPDX-License-Identifier: Apache-2.0
"""Senses that never end, for live runs: an IMU, a microphone and a depth camera, of noise."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from sensebind.sources.base import SourceReport, StreamInfo, StreamKind
from sensebind.types import Frame, FrameBlock, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from typing_extensions import Self

    from sensebind.config import Order, StreamConfig
    from sensebind.types import Block

IMU_HZ, AUDIO_HZ, DEPTH_HZ = 400, 16_000, 15
AUDIO_BLOCK = 160
"""Samples a microphone delivers at once: 10 ms."""
_BEGIN_NS = 1_700_000_000_000_000_000
_WIDTH, _HEIGHT = 640, 480


class SyntheticSource:
    """A recording without end: single IMU samples, blocks of sound and depth frames, by stamp."""

    name = "synthetic"

    def __init__(self) -> None:
        self.report = SourceReport()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def streams(self) -> list[StreamInfo]:
        """The three senses."""
        return [
            StreamInfo("/depth", StreamKind.FRAMES, "sensor_msgs/msg/Image", "16UC1"),
            StreamInfo("/imu", StreamKind.SAMPLES, "sensor_msgs/msg/Imu"),
            StreamInfo("/mic", StreamKind.UNIFORM, "audio_common_msgs/msg/AudioData", "S16LE"),
        ]

    def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Block]:
        """Yield blocks for ever."""
        del order
        streams = {"/depth": _depth(), "/imu": _imu(), "/mic": _audio()}
        chosen = (blocks for name, blocks in streams.items() if name in selected)
        for _, _, block in heapq.merge(*chosen):
            yield block

    def progress(self) -> float:
        """None is ever made."""
        return 0.0

    def sha256(self) -> str:
        """No bytes, no hash."""
        return ""


def _imu() -> Iterator[tuple[int, int, Block]]:
    rows = np.random.default_rng(0).normal(0, 1, (997, 1, 6))
    for k in count():
        stamp_ns = _BEGIN_NS + k * 1_000_000_000 // IMU_HZ
        yield stamp_ns, 0, SampleBlock("/imu", np.array([stamp_ns]), rows[k % len(rows)])


def _audio() -> Iterator[tuple[int, int, Block]]:
    sound = np.random.default_rng(1).normal(0, 0.1, (97, AUDIO_BLOCK, 1)).astype(np.float32)
    for k in count():
        stamp_ns = _BEGIN_NS + k * AUDIO_BLOCK * 1_000_000_000 // AUDIO_HZ
        yield stamp_ns, 1, UniformBlock("/mic", stamp_ns, AUDIO_HZ, sound[k % len(sound)])


def _depth() -> Iterator[tuple[int, int, Block]]:
    pixels = np.random.default_rng(2).normal(1500, 6, (7, _HEIGHT, _WIDTH)).astype(np.uint16)
    frames = [
        Frame(each.tobytes(), "16UC1", _WIDTH, _HEIGHT, 2 * _WIDTH, focal_px=525.0)
        for each in pixels
    ]
    for k in count():
        stamp_ns = _BEGIN_NS + k * 1_000_000_000 // DEPTH_HZ
        yield stamp_ns, 2, FrameBlock("/depth", stamp_ns, frames[k % len(frames)])
