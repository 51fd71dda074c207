# SPDX-License-Identifier: Apache-2.0
"""Signals, clocks that are set, and consumers that are slow: what came before is delivered."""

from __future__ import annotations

import os
import signal
import sys
from itertools import chain, repeat
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING, Any

import pytest

from sensebind import Pipeline, PipelineConfig, StreamConfig, cli
from sensebind.clock import SystemClock
from sensebind.flow.feeding import LiveFeed
from sensebind.flow.inference import Inference
from sensebind.flow.signals import stopping_on_signals
from sensebind.flow.worker import Worker
from sensebind.sinks.parquet import ParquetSink
from sensebind.types import Modality
from tests.support import bags
from tests.support.running import (
    IMU,
    PATIENCE_S,
    START_NS,
    ScriptedEngine,
    ScriptedSource,
    check_balance,
    deliver_all,
    imu_blocks,
    vectors,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sensebind import Bundle
    from sensebind.records import Record
    from sensebind.sources.base import LiveStreamInfo
    from tests.support.running import Deliver

KEEP = {"imu": StreamConfig(modality=Modality.IMU, policy="queue", queue=1000)}


def endless(source: list[ScriptedSource]) -> ScriptedSource:
    """A source that delivers 4 s of an IMU and then nothing until it is stopped."""

    def play(deliver: Deliver) -> None:
        deliver_all(imu_blocks(400))(deliver)
        source[0].stopped.wait(PATIENCE_S)

    source.append(ScriptedSource("dev", [IMU], play))
    return source[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_a_batch_ends_the_run_gracefully(
    bundle: Bundle, number: signal.Signals
) -> None:
    encoder = bundle.encoder("imu")
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]

    def interrupt(run: int) -> None:
        if run == 0:
            os.kill(os.getpid(), number)

    encoder._engine = ScriptedEngine(encoder._engine, interrupt)
    with (
        Pipeline(bundle, PipelineConfig(streams=KEEP, ring_s=60)) as pipeline,
        stopping_on_signals(pipeline.stop),
    ):
        found = list(pipeline.run(endless([])))
    report = pipeline.report.streams["imu"]
    assert len(found) == report.embedded == report.counters.emitted > 0
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before
    check_balance(pipeline)


class StoppedSource(ScriptedSource):
    """Somebody wants the run to end while it is being set up."""

    def __init__(self, stop: Callable[[], None], *given: Any) -> None:
        super().__init__(*given)
        self._stop_run = stop

    def streams(self) -> list[LiveStreamInfo]:
        self._stop_run()
        return super().streams()


@pytest.mark.parametrize("before", [True, False])
def test_a_run_that_is_to_end_before_it_has_begun_ends(bundle: Bundle, *, before: bool) -> None:
    ended_by = ["the stop"]

    def give_up() -> None:
        ended_by.append("nothing")
        pipeline.stop()

    def play(_deliver: Deliver) -> None:
        source.stopped.wait()

    rescue = Timer(PATIENCE_S, give_up)
    with Pipeline(bundle, PipelineConfig(streams=KEEP)) as pipeline:
        source = StoppedSource((lambda: None) if before else pipeline.stop, "dev", [IMU], play)
        if before:
            pipeline.stop()
        rescue.start()
        assert list(pipeline.run(source)) == []
        rescue.cancel()
        rescue.join()
        again = endless([])
        assert next(pipeline.run(again)).stream == "imu"
    assert ended_by == ["the stop"]


@pytest.mark.parametrize("begun", [Inference, Worker, LiveFeed])
def test_a_run_may_be_interrupted_while_it_begins(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, begun: type
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt("now")

    begin = Thread.start

    def start(self: Thread) -> None:
        begin(self)
        if self.name == "preprocessing":
            raise KeyboardInterrupt("now")

    if begun is Worker:
        monkeypatch.setattr(Thread, "start", start)
    else:
        monkeypatch.setattr(begun, "start", interrupt)
    with (
        Pipeline(bundle, PipelineConfig(streams=KEEP)) as pipeline,
        pytest.raises(KeyboardInterrupt, match="now"),
    ):
        next(pipeline.run(endless([])))
    check_balance(pipeline)


def test_others_may_ask_a_pipeline_at_the_moment_its_run_ends(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ending:
        def stop(self) -> None: ...
        def queues(self) -> dict[str, int]:
            return {"in imu": 1}

    with Pipeline(bundle, PipelineConfig(streams=KEEP)) as pipeline:
        seen = chain.from_iterable(repeat([Ending(), None]))
        with monkeypatch.context() as patch:
            patch.setattr(Pipeline, "_run", property(lambda _self: next(seen)), raising=False)
            assert pipeline.queues() == {"in imu": 1}
            next(seen)
            pipeline.stop()


@pytest.fixture
def interrupting() -> Iterator[None]:
    """SIGINT does what it does by default; background jobs inherit that it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupting")
def test_a_second_signal_interrupts(bundle: Bundle) -> None:
    held = Event()
    encoder = bundle.encoder("imu")

    def interrupt(run: int) -> None:
        if run == 0:
            os.kill(os.getpid(), signal.SIGINT)
            held.wait(PATIENCE_S)

    encoder._engine = ScriptedEngine(encoder._engine, interrupt)

    def stop_and_again() -> None:
        pipeline.stop()
        held.set()
        os.kill(os.getpid(), signal.SIGINT)

    with (
        Pipeline(bundle, PipelineConfig(streams=KEEP, ring_s=60)) as pipeline,
        pytest.raises(KeyboardInterrupt),
        stopping_on_signals(stop_and_again),
    ):
        list(pipeline.run(endless([])))
    check_balance(pipeline)


def test_a_run_that_cannot_be_drained_in_time_ends_nevertheless(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Event()
    encoder = bundle.encoder("imu")
    close = Inference.close
    monkeypatch.setattr(Inference, "close", lambda self, _timeout_s: close(self, 0.05))

    def hold(_run: int) -> None:
        pipeline.stop()
        held.wait(PATIENCE_S)

    encoder._engine = ScriptedEngine(encoder._engine, hold)
    config = PipelineConfig(streams=KEEP, ring_s=60, drain_s=0.05)
    with Pipeline(bundle, config) as pipeline:
        assert list(pipeline.run(endless([]))) == []
        held.set()
    assert [incident.what for incident in pipeline.report.incidents] == [
        "what was received was not encoded within 0.05 s",
        "a thread that did not end was left behind",
    ]
    assert pipeline.report.streams["imu"].dropped["stopped"] > 0
    check_balance(pipeline)


def test_a_wall_clock_that_is_set_changes_nothing(bundle: Bundle) -> None:
    """Stamps are told in the clock of the run, which does not follow it."""
    now_ns = jump_ns = 0

    def monotonic() -> int:
        nonlocal now_ns
        now_ns += 10**9
        return now_ns

    def wall() -> int:
        return START_NS + now_ns + jump_ns

    clock = SystemClock(wall, monotonic)
    blocks = imu_blocks(400)

    def play(deliver: Deliver) -> None:
        nonlocal jump_ns
        deliver_all(blocks[:20])(deliver)
        jump_ns = 3600 * 10**9
        deliver_all(blocks[20:])(deliver)

    found = []
    for source in (
        ScriptedSource("dev", [IMU], play),
        ScriptedSource("dev", [IMU], deliver_all(blocks)),
    ):
        with Pipeline(bundle, PipelineConfig(streams=KEEP, ring_s=60)) as pipeline:
            found.append(vectors(list(pipeline.run(source, clock=clock))))
    assert found[0] == found[1]
    assert len(found[0]) > 3
    assert clock.wall_jumps == 1
    assert pipeline.report.incidents[0].where == "clock"


def test_a_replay_that_is_terminated_leaves_nothing(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = bags.write_mcap(
        tmp_path / "a.mcap",
        [bags.imu("/imu", START_NS + i * 10_000_000, [0.0, 0, 9.8, 0, 0, 0]) for i in range(400)],
    )
    write = ParquetSink.write

    def terminated(sink: ParquetSink, record: Record) -> None:
        write(sink, record)
        assert list(tmp_path.glob(".*.part"))
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(ParquetSink, "write", terminated)
    monkeypatch.setattr(sys, "argv", ["sensebind", "replay", str(recording), "--bundle",
                        str(bundle_folder), "--out", str(tmp_path / "a.parquet")])  # fmt: skip
    monkeypatch.setattr(cli, "_leave", sys.exit)  # threads of those who run tests are none of ours
    numbers = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        with pytest.raises(SystemExit, match="143"):
            cli.main()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mcap"]
