# SPDX-License-Identifier: Apache-2.0
"""Sources that fail, hang, flood or deliver garbage cost only themselves, and all is counted."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind import Pipeline, PipelineConfig, StreamConfig
from sensebind.errors import SourceError
from sensebind.flow.feeding import LiveFeed
from sensebind.stream_path import StreamPath
from sensebind.types import Frame, FrameBlock, Modality, SampleBlock
from tests.support.playing import BlockSource
from tests.support.running import (
    CAMERA,
    IMU,
    MIC,
    MS,
    PATIENCE_S,
    START_NS,
    ScriptedEngine,
    ScriptedSource,
    check_balance,
    deliver_all,
    imu,
    imu_blocks,
    picture,
    sound,
    vectors,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind import Bundle
    from sensebind.types import Block, Delivery, Window
    from tests.support.running import Deliver

ALL = {
    "imu": StreamConfig(modality=Modality.IMU, policy="queue", queue=1000),
    "mic": StreamConfig(modality=Modality.AUDIO, policy="queue", queue=1000),
    "cam": StreamConfig(modality=Modality.VISION, policy="queue", queue=1000, trigger="grid"),
}


def _await(event: Event) -> None:
    assert event.wait(PATIENCE_S)


def keeping(*streams: str, **options: Any) -> PipelineConfig:
    """Every window of these streams is kept."""
    return PipelineConfig(streams={name: ALL[name] for name in streams}, ring_s=60, **options)


def expected(bundle: Bundle, blocks: list[Block]) -> dict[tuple[str, int], bytes]:
    """What a replay of the blocks gives."""
    names = {block.stream for block in blocks}
    with Pipeline(bundle, keeping(*sorted(names))) as pipeline:
        return vectors(list(pipeline.run(BlockSource(blocks))))


def test_a_source_that_cannot_be_opened_is_opened_again(bundle: Bundle) -> None:
    blocks = imu_blocks(400)
    source = ScriptedSource("dev", [IMU], SourceError("no such device"), deliver_all(blocks))
    with Pipeline(bundle, keeping("imu")) as pipeline:
        found = vectors(list(pipeline.run(source)))
    assert source.starts == 2
    assert found == expected(bundle, blocks)
    (incident,) = pipeline.report.incidents
    assert (incident.where, incident.count) == ("source dev", 1)
    assert incident.what == "no such device; it is opened again"
    check_balance(pipeline)


def test_a_source_that_fails_goes_on_after_it_was_opened_again(bundle: Bundle) -> None:
    blocks = imu_blocks(400)

    def breaks(deliver: Deliver) -> None:
        deliver_all(blocks[:15])(deliver)
        raise OSError("unplugged")

    source = ScriptedSource("dev", [IMU], breaks, deliver_all(blocks[15:]))
    with Pipeline(bundle, keeping("imu")) as pipeline:
        found = vectors(list(pipeline.run(source)))
    assert found == expected(bundle, blocks)
    assert pipeline.report.incidents[0].what == "OSError: unplugged; it is opened again"


def test_a_source_that_falls_silent_is_opened_again(bundle: Bundle) -> None:
    blocks = imu_blocks(400)

    class Source(ScriptedSource):
        def stop(self) -> None:
            """A machine that is slow takes nobody for silent again."""
            super().stop()
            assert pipeline._run is not None
            (feed,) = pipeline._run._feeds
            assert isinstance(feed, LiveFeed)
            feed._silence_s = PATIENCE_S

    def silent(deliver: Deliver) -> None:
        deliver(blocks[0])
        source.stopped.wait(PATIENCE_S)

    source = Source("dev", [IMU], silent, deliver_all(blocks[1:]))
    with Pipeline(bundle, keeping("imu", source_timeout_s=0.02)) as pipeline:
        found = vectors(list(pipeline.run(source)))
    assert found == expected(bundle, blocks)
    assert "nothing came for 0.02 s" in pipeline.report.incidents[0].what


def test_other_sources_go_on_while_one_is_broken(bundle: Bundle) -> None:
    imu_there, blocks = Event(), imu_blocks(400)

    def after_the_imu(deliver: Deliver) -> None:
        imu_there.wait(PATIENCE_S)
        deliver_all([sound(0, 80_000)])(deliver)

    def steady(deliver: Deliver) -> None:
        deliver_all(blocks)(deliver)
        imu_there.set()

    broken = ScriptedSource("mic", [MIC], *[SourceError("busy")] * 3, after_the_imu)
    good = ScriptedSource("imu", [IMU], steady)
    with Pipeline(bundle, keeping("imu", "mic")) as pipeline:
        found = vectors(list(pipeline.run([broken, good])))
    assert found == expected(bundle, [*blocks, sound(0, 80_000)])
    assert [(i.where, i.count) for i in pipeline.report.incidents] == [("source mic", 3)]
    check_balance(pipeline)


def test_a_flood_drops_what_waits_and_counts_it(bundle: Bundle) -> None:
    """While the engine is held, the worker takes no more and the ring runs over again and again."""
    flooded = Event()
    encoder = bundle.encoder("imu")
    encoder._engine = ScriptedEngine(encoder._engine, lambda _run: _await(flooded))

    def flood(deliver: Deliver) -> None:
        deliver_all(imu_blocks(20_000, 50))(deliver)
        flooded.set()

    config = PipelineConfig(
        streams={"imu": StreamConfig(modality=Modality.IMU, policy="block", queue=1)}, ring_s=2
    )
    with Pipeline(bundle, config) as pipeline:
        list(pipeline.run(ScriptedSource("dev", [IMU], flood)))
    report = pipeline.report.streams["imu"]
    assert report.pushed == 20_000
    assert report.overrun > 10_000
    assert report.counters.breaks > 0
    check_balance(pipeline)


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "cannot be closed"])
def test_what_a_device_delivers_after_the_stop_is_counted(bundle: Bundle, closed: bool) -> None:
    """A device goes on while it is being closed; a driver may even go on afterwards."""
    delivered, gone = 0, Event()
    source: ScriptedSource

    def flood(deliver: Deliver) -> None:
        nonlocal delivered
        over = source.stopped if closed else gone
        rest = 50
        while not over.is_set() or (rest := rest - 1):
            deliver(imu(delivered, 10))
            delivered += 10

    source = ScriptedSource("dev", [IMU], flood)
    if not closed:
        source.stop = source.stopped.set  # type: ignore[method-assign]
    with Pipeline(bundle, keeping("imu")) as pipeline:
        for _ in pipeline.run(source):
            pipeline.stop()
    gone.set()
    assert source.thread is not None
    source.thread.join(PATIENCE_S)
    report = pipeline.report.streams["imu"]
    assert report.pushed == delivered
    assert report.overrun >= 490
    check_balance(pipeline)


@pytest.mark.parametrize("policy", ["latest", "queue"])
def test_windows_nobody_has_time_for_are_dropped_by_policy(
    bundle: Bundle, policy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is held until the worker has taken everything."""
    taken = Event()
    flush = StreamPath.flush

    def flush_and_tell(path: StreamPath) -> list[Window]:
        taken.set()
        return flush(path)

    monkeypatch.setattr(StreamPath, "flush", flush_and_tell)
    encoder = bundle.encoder("imu")
    encoder._engine = ScriptedEngine(encoder._engine, lambda _run: _await(taken))
    stream = StreamConfig(modality=Modality.IMU, policy=policy, queue=3)
    source = ScriptedSource("dev", [IMU], deliver_all(imu_blocks(4000)))
    with Pipeline(bundle, PipelineConfig(streams={"imu": stream}, ring_s=60)) as pipeline:
        found = list(pipeline.run(source))
    report = pipeline.report.streams["imu"]
    assert set(report.dropped) == {policy}
    # One in the engine, one prepared, and those that waited.
    assert report.embedded <= 2 + (3 if policy == "queue" else 1) + report.counters.ending + 1
    newest = max(e.grid_ns for e in found)
    assert newest >= START_NS + 3900 * 10 * MS - 1000 * MS
    check_balance(pipeline)


def garbage() -> Iterator[Any]:
    good = imu(0)
    yield replace(good, values=np.full((10, 6), np.nan))
    yield replace(good, values=np.full((10, 6), -np.inf))
    yield replace(good, stamps_ns=np.full(10, -1))
    yield replace(good, stamps_ns=np.full(10, 2**63 - 1))
    yield replace(good, values=np.zeros((10, 3)))
    yield replace(good, values=np.zeros(10))
    yield replace(good, stamps_ns=np.zeros(9, np.int64))
    yield replace(good, values=None)  # type: ignore[arg-type]
    yield SampleBlock("imu", np.zeros(0, np.int64), np.zeros((0, 6)))
    yield FrameBlock("imu", START_NS, Frame(b"", "rgb8"))
    yield replace(sound(0), values=np.full((1600, 1), np.inf, np.float32))
    yield replace(sound(0), values=np.zeros((0, 1), np.float32))
    yield replace(sound(0), values=np.zeros((10, 0), np.float32))
    yield replace(sound(0), rate_hz=float("nan"))
    yield replace(sound(0), rate_hz=-16_000.0)
    yield replace(sound(0), stamp_ns=2**70)
    yield FrameBlock("cam", START_NS - 10**9, Frame(b"no picture", "jpeg"))
    yield FrameBlock("cam", START_NS - 2 * 10**9, Frame(b"", "rgb8", 10_000, 10_000, 30_000))
    yield FrameBlock("cam", START_NS - 3 * 10**9, Frame(None, "rgb8"))  # type: ignore[arg-type]
    yield FrameBlock("cam", -5, Frame(b"abc", "rgb8", 1, 1, 3))
    yield replace(good, stream="nobody asked for this")
    yield None
    yield "a block"


@pytest.mark.parametrize("first", [True, False])
def test_garbage_is_counted_and_never_fatal(bundle: Bundle, first: bool) -> None:
    """Good blocks before or after garbage of every kind still become embeddings."""
    rubbish = list(garbage())
    good: list[Any] = [*imu_blocks(400), sound(0, 80_000), *map(picture, range(20))]
    blocks = rubbish + good if first else good + rubbish
    source = ScriptedSource("dev", [IMU, MIC, CAMERA], deliver_all(blocks))
    with Pipeline(bundle, keeping("imu", "mic", "cam")) as pipeline:
        found = vectors(list(pipeline.run(source)))
    assert {stream for stream, _ in found} == {"imu", "mic", "cam"}
    assert len(found) > 15
    check_balance(pipeline)
    report = pipeline.report
    assert report.streams["imu"].counters.invalid >= 20
    assert len(report.streams["imu"].refused) >= 4
    assert report.sources["dev"].skipped["nobody asked for this"] == {
        "not a stream that was asked for": 1
    }
    told = {incident.what for incident in report.incidents}
    assert {
        "a block was refused: a SampleBlock is of stream 'nobody asked for this', not asked for",
        "a block was refused: a NoneType is no block",
        "a block was refused: a str is no block",
    } <= told


def test_a_recording_that_ends_with_an_error_gives_what_came_before(bundle: Bundle) -> None:
    blocks = imu_blocks(400)

    class Torn(BlockSource):
        def blocks(self, selected: Any, order: Any) -> Iterator[Delivery]:
            yield from super().blocks(selected, order)
            raise SourceError("the file ends here")

    with (
        Pipeline(bundle, keeping("imu")) as pipeline,
        pytest.raises(SourceError, match="the file ends here"),
    ):
        list(pipeline.run(Torn(blocks)))
    check_balance(pipeline)
    assert pipeline.report.streams["imu"].embedded == len(expected(bundle, blocks))


def test_closing_the_iterator_ends_everything(bundle: Bundle) -> None:
    with Pipeline(bundle, keeping("imu")) as pipeline:
        embeddings = pipeline.run(BlockSource(imu_blocks(100_000)))
        next(embeddings)
        embeddings.close()
    report = pipeline.report.streams["imu"]
    assert 0 < report.embedded < 1000
    assert report.pushed < 100_000
    check_balance(pipeline)
