# SPDX-License-Identifier: Apache-2.0
"""Sources and engines that do as a test says, and what to check of every run."""

from __future__ import annotations

import threading
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.errors import BackendError
from sensebind.sources.base import EndOfStream, LiveStreamInfo, SourceReport, StreamKind
from sensebind.types import Frame, FrameBlock, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from sensebind.backends.base import Engine
    from sensebind.config import StreamConfig
    from sensebind.pipeline import Pipeline
    from sensebind.types import Block, Embedding

    Deliver = Callable[[Block], None]
    Play = Callable[[Deliver], None]

__all__ = ["no_thread_is_left"]

MS = 1_000_000
START_NS = 1_700_000_000 * 10**9
PATIENCE_S = 30.0
"""Longest wait for something that must happen; no test waits for time to pass."""


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Every thread that a test started has ended."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), f"{thread.name} is left over"


class ScriptedSource:
    """A live source that plays one script each time it is started, then says it has ended.

    A script that raises is a device that fails; one that is an exception cannot be opened.
    """

    def __init__(self, name: str, infos: list[LiveStreamInfo], *scripts: Play | Exception) -> None:
        self.name = name
        self.report = SourceReport()
        self.starts = 0
        self.stopped = Event()
        self._infos = infos
        self._scripts = list(scripts)
        self.thread: Thread | None = None

    def streams(self) -> list[LiveStreamInfo]:
        return self._infos

    def start(
        self,
        selected: dict[str, StreamConfig],  # noqa: ARG002
        deliver: Deliver,
        fail: Callable[[Exception], None],
    ) -> None:
        self.starts += 1
        self.stopped.clear()
        script = self._scripts.pop(0)
        if isinstance(script, Exception):
            raise script
        given = (script, deliver, fail)
        self.thread = Thread(target=_play, args=given, name=f"device {self.name}", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.stopped.set()
        if self.thread is not None:
            self.thread.join(PATIENCE_S)


def _play(script: Play, deliver: Deliver, fail: Callable[[Exception], None]) -> None:
    try:
        script(deliver)
    except Exception as error:  # noqa: BLE001 - what the test says goes wrong
        fail(error)
    else:
        fail(EndOfStream())


class ScriptedEngine:
    """An engine that runs a real one, after what the test does with the number of the run."""

    precision = "fp32"
    backend = "onnxruntime"

    def __init__(self, engine: Engine, before_run: Callable[[int], None]) -> None:
        self.batches: list[int] = []
        self._engine = engine
        self._before_run = before_run

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        self.batches.append(len(next(iter(inputs.values()))))
        self._before_run(len(self.batches) - 1)
        return self._engine.run(inputs)

    def close(self) -> None:
        self._engine.close()


def failing(*runs: int) -> Callable[[int], None]:
    """An engine's script that fails in these runs."""

    def before_run(number: int) -> None:
        if number in runs:
            raise BackendError("the engine failed, as the test says")

    return before_run


IMU = LiveStreamInfo("imu", StreamKind.SAMPLES, "imu", rate_hz=100.0)
MIC = LiveStreamInfo("mic", StreamKind.UNIFORM, "audio", "S16LE", rate_hz=16_000.0)
CAMERA = LiveStreamInfo("cam", StreamKind.FRAMES, "image", "rgb8", rate_hz=5.0)


def imu(index: int, count: int = 10, *, stream: str = "imu") -> SampleBlock:
    """Readings at 100 Hz from number `index` on; their values are theirs alone."""
    numbers = np.arange(index, index + count)
    values = np.sin(numbers[:, np.newaxis] * np.arange(1, 7) / 10)
    values[:, 2] += 9.8
    return SampleBlock(stream, START_NS + numbers * 10 * MS, values)


def imu_blocks(count: int, size: int = 10, *, stream: str = "imu") -> list[Block]:
    """So many readings at 100 Hz, in blocks."""
    return [imu(index, min(size, count - index), stream=stream) for index in range(0, count, size)]


def sound(index: int, count: int = 1600) -> UniformBlock:
    """Samples at 16 kHz from number `index` on."""
    numbers = np.arange(index, index + count)
    values = (0.3 * np.sin(numbers * 0.07) + 0.1 * np.sin(numbers**2 % 977)).astype(np.float32)
    return UniformBlock("mic", START_NS + index * 62_500, 16_000.0, values[:, np.newaxis])


def picture(index: int, *, stream: str = "cam") -> FrameBlock:
    """A frame of a camera at 5 Hz."""
    pixels = np.random.default_rng(index).integers(0, 255, (24, 32, 3), np.uint8)
    frame = Frame(pixels.tobytes(), "rgb8", 32, 24, 96)
    return FrameBlock(stream, START_NS + index * 200 * MS, frame)


def deliver_all(blocks: list[Block]) -> Play:
    """A script that delivers blocks."""

    def play(deliver: Deliver) -> None:
        for block in blocks:
            deliver(block)

    return play


def vectors(embeddings: list[Embedding]) -> dict[tuple[str, int], bytes]:
    """The bytes of the vectors by their keys."""
    return {(e.stream, e.grid_ns): e.vector.tobytes() for e in embeddings}


def check_balance(pipeline: Pipeline) -> None:
    """Check that the fate of every sample and window is known."""
    for name, report in pipeline.report.streams.items():
        assert report.pending_samples == 0, (name, report)
        assert report.pending_windows == 0, (name, report)
