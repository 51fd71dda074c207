# SPDX-License-Identifier: Apache-2.0
"""A live run that was recorded, replayed: the same windows, and their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from sensebind import Bundle, Pipeline, PipelineConfig, StreamConfig, open_source
from sensebind import bundle as bundle_module
from sensebind.backends import open_engine
from sensebind.clock.models import ClockModels
from sensebind.flow.backoff import Backoff
from sensebind.sinks.recorder import Recorder
from sensebind.sources.paced import NO_FAULTS, Faults, PacedSource
from sensebind.types import Break, Frame, FrameBlock, Modality, SampleBlock
from tests.support.playing import BlockSource, VirtualTime
from tests.support.running import (
    PATIENCE_S,
    START_NS,
    ScriptedEngine,
    check_balance,
    no_thread_is_left,
    sound,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sensebind.types import Block, Embedding

__all__ = ["no_thread_is_left"]

MS = 1_000_000
LENGTH_S = 12
STREAMS = {
    "imu": StreamConfig(modality=Modality.IMU, hop_s=0.1, unit="g;deg/s", frame="optical"),
    "mic": StreamConfig(modality=Modality.AUDIO, hop_s=0.1),
    "depth": StreamConfig(modality=Modality.DEPTH, hop_s=0.2),
    "depth at the grid": StreamConfig(modality=Modality.DEPTH, hop_s=0.2, trigger="grid"),
    "depth in clips": StreamConfig(modality=Modality.DEPTH, hop_s=0.2, frame_pooling_s=1.0),
}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again at once."""
    monkeypatch.setattr(Backoff, "next_s", lambda _: 0.0)


@pytest.fixture
def bundle(bundle_folder: Path) -> Iterator[Bundle]:
    with Bundle.load(bundle_folder) as loaded:
        yield loaded


def robot(length_s: int = LENGTH_S) -> list[Block]:
    """An IMU at 100 Hz, a microphone and depth cameras at 15 Hz, in the order they come."""
    chance = np.random.default_rng(0)
    blocks: list[tuple[int, Block]] = []
    for index in range(0, 100 * length_s, 5):
        times = START_NS + np.arange(index, index + 5) * 10 * MS
        rows = chance.normal(0, 1, (5, 6))
        blocks.append((int(times[-1]), SampleBlock("imu", times, rows)))
    for index in range(0, 16_000 * length_s, 1600):
        block = sound(index)
        blocks.append((block.stamp_ns + 100 * MS, block))
    for index in range(15 * length_s):
        at_ns = START_NS + index * 66_666_667
        counts = chance.integers(300, 9000, (24, 32), np.uint16)
        frame = Frame(counts.tobytes(), "16UC1", 32, 24, 64, scale=0.00025, focal_px=31.5)
        blocks += [(at_ns, FrameBlock(name, at_ns, frame)) for name in STREAMS if "depth" in name]
    return [block for _, block in sorted(blocks, key=lambda each: each[0])]


@dataclass(frozen=True)
class Outcome:
    """What a live run and its replay gave, by key, and what the recording holds."""

    live: dict[tuple[str, str, int], bytes]
    replayed: dict[tuple[str, str, int], bytes]
    pipeline: Pipeline
    breaks: int
    relocks: int

    def check(self, share: float = 0.99) -> None:
        """Check that the live run's windows are the replay's, and at least this share of them."""
        assert set(self.live) <= set(self.replayed)
        for key, content in self.live.items():
            assert self.replayed[key] == content, key
        for stream in STREAMS:
            live = sum(key[0] == stream for key in self.live)
            replayed = sum(key[0] == stream for key in self.replayed)
            assert live >= share * replayed > 0, stream
        check_balance(self.pipeline)


def contents(embeddings: list[Embedding]) -> dict[tuple[str, str, int], bytes]:
    found = {}
    for e in embeddings:
        times = e.start_ns, e.end_ns, e.stamp_ns, e.coverage, e.valid_fraction
        found[e.stream, e.encoder_id, e.grid_ns] = repr(times).encode() + e.vector.tobytes()
    assert len(found) == len(embeddings)
    return found


def run(
    bundle: Bundle,
    path: Path,
    faults: Faults = NO_FAULTS,
    *,
    length_s: int = LENGTH_S,
    time: VirtualTime | None = None,
    **options: Any,
) -> Outcome:
    """Play the robot with these faults, record it, and replay the recording.

    The robot's own clock runs an hour late. Nothing is dropped unless the options say otherwise,
    though simulated time passes faster than engines can work.
    """
    time = time or VirtualTime()
    time.time_ns = START_NS + 3_600 * 10**9
    source = PacedSource(
        BlockSource(robot(length_s), "robot"),
        clock="device",
        waiter=time,
        faults=faults,
        rates_hz={"imu": 100, "mic": 16_000} | {n: 15 for n in STREAMS if "depth" in n},
    )
    streams = {n: msgspec.structs.replace(c, policy="block") for n, c in STREAMS.items()}
    config = PipelineConfig(streams=streams, **{"ring_s": 60, **options})
    models = ClockModels()
    with Recorder(path, queue_bytes=256 << 20) as recorder, Pipeline(bundle, config) as pipeline:
        if isinstance(time, PatientTime):
            time.pipeline = pipeline
        live = pipeline.run(source, recorder=recorder, clock=time, clock_models=models)
        found = contents(list(live))
    assert recorder.report.lost == {}
    with Pipeline(bundle) as replaying, open_source(path) as recording:
        replayed = contents(list(replaying.run(recording)))
        breaks = sum(isinstance(each, Break) for each in recording.blocks(streams, "log"))
    relocks = sum(status.relocks for status in models.stream_status().values())
    return Outcome(found, replayed, pipeline, breaks, relocks)


SCENES = {
    "nothing is wrong": Faults(),
    "jitter": Faults(jitter_s=0.03, seed=1),
    "loss": Faults(loss=0.05, seed=2),
    "the device's clock is set back": Faults(reset_at_s=6.0, reset_by_s=-5.0),
    "the device fails and is opened anew": Faults(fail_at_s=(5.0,)),
    "all of it": Faults(
        jitter_s=0.02, loss=0.02, drift_ppm=100.0, reset_at_s=7.0, fail_at_s=(3.0, 9.0), seed=3
    ),
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_replay_gives_what_the_live_run_gave(bundle: Bundle, tmp_path: Path, scene: str) -> None:
    outcome = run(bundle, tmp_path / "a.mcap", SCENES[scene])
    outcome.check()
    assert outcome.breaks == 0


@pytest.mark.parametrize("drift_ppm", [100.0, -100.0])
def test_a_clock_that_drifts_is_followed_alike(
    bundle: Bundle, tmp_path: Path, drift_ppm: float
) -> None:
    """Long enough for the lines of stamps to be drawn anew."""
    faults = Faults(drift_ppm=drift_ppm, jitter_s=0.002)
    outcome = run(bundle, tmp_path / "a.mcap", faults, length_s=30, hop_s=0.5)
    outcome.check()
    assert outcome.relocks > 0


class PatientTime(VirtualTime):
    """Time that stands still while the pipeline works, except during a flood.

    Attributes:
        pipeline: whose work is waited for.
        flood: whether nothing is waited for.
    """

    pipeline: Pipeline

    def __init__(self) -> None:
        super().__init__()
        self.flood = Event()

    def wait_until(self, due_ns: int, stop: Event) -> None:
        until(lambda: stop.is_set() or self.flood.is_set() or not any(self._queues()))
        super().wait_until(due_ns, stop)

    def _queues(self) -> Iterable[int]:
        return self.pipeline.queues().values()


def until(condition: Callable[[], bool]) -> None:
    """Wait for other threads to bring something about."""
    waiting = Event()
    for _ in range(int(PATIENCE_S / 1e-4)):
        if condition():
            return
        waiting.wait(1e-4)
    raise AssertionError("it did not happen")


def test_a_replay_breaks_where_the_live_run_lost_samples(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice the IMU's engine takes so long that its ring runs over."""
    time = PatientTime()

    def overrun() -> int:
        return time.pipeline.report.streams["imu"].overrun

    def before_run(number: int) -> None:
        if number in (15, 45):
            lost = overrun()
            time.flood.set()
            until(lambda: overrun() > lost)
            time.flood.clear()

    def scripted(backend: str, path: Path, *args: Any) -> Any:
        engine = open_engine(backend, path, *args)
        return ScriptedEngine(engine, before_run) if path.stem == "imu" else engine

    monkeypatch.setattr(bundle_module, "open_engine", scripted)
    with Bundle.load(bundle_folder) as bundle:
        outcome = run(bundle, tmp_path / "a.mcap", time=time, ring_s=0.5, max_batch=1)
    assert outcome.breaks >= 2
    assert outcome.pipeline.report.streams["imu"].counters.breaks >= 2
    outcome.check(share=0.5)
    assert len(outcome.live) < len(outcome.replayed)
