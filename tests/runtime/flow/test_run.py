# SPDX-License-Identifier: Apache-2.0
"""Runs: recordings in order and whole, live sources by the same path, batches without a trace."""

from __future__ import annotations

import threading
from dataclasses import fields, replace
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensebind import Pipeline, PipelineConfig, StreamConfig
from sensebind.backends.batching import equal_batches
from sensebind.errors import InputError, SourceError
from sensebind.sources.base import LiveStreamInfo, StreamKind
from sensebind.sources.imu_pairs import ACCELERATION, ANGULAR_VELOCITY
from sensebind.specs import TensorSpec
from sensebind.stream_path import StreamPath
from sensebind.types import Break, Modality, SampleBlock
from tests.support.playing import BlockSource
from tests.support.running import (
    CAMERA,
    IMU,
    MIC,
    PATIENCE_S,
    ScriptedEngine,
    ScriptedSource,
    check_balance,
    deliver_all,
    failing,
    imu,
    imu_blocks,
    picture,
    sound,
    vectors,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensebind import Bundle, Embedding
    from sensebind.calibration import StreamCalibration
    from sensebind.encoder import Encoder
    from sensebind.metrics.times import WindowTimes
    from sensebind.types import Block, Window

KEEP: dict[str, Any] = {"policy": "queue", "queue": 1000}
STREAMS = {
    "imu": StreamConfig(modality=Modality.IMU, **KEEP),
    "mic": StreamConfig(modality=Modality.AUDIO, **KEEP),
    "cam": StreamConfig(modality=Modality.VISION, trigger="grid", **KEEP),
}
CONFIG = PipelineConfig(streams=STREAMS, ring_s=60)
IMU_ONLY = PipelineConfig(streams={"imu": STREAMS["imu"]}, ring_s=60)
BLOCKS: list[Block] = sorted(
    [
        *imu_blocks(600, 7),
        *(sound(index, 700) for index in range(0, 95_900, 700)),
        *map(picture, range(30)),
    ],
    key=lambda block: getattr(block, "stamp_ns", 0) or int(block.stamps_ns[-1]),  # type: ignore[union-attr]
)


def keys(embeddings: list[Embedding]) -> list[tuple[object, ...]]:
    names = [field.name for field in fields(embeddings[0]) if field.name != "vector"]
    return [(*(getattr(e, name) for name in names), e.vector.tobytes()) for e in embeddings]


def pushed(bundle: Bundle, deliveries: list[Any]) -> list[Embedding]:
    """The same through the push form, in one thread."""
    found = []
    with Pipeline(bundle, CONFIG) as pipeline:
        for delivery in deliveries:
            pipeline.push(delivery)
            found += pipeline.poll()
        return found + pipeline.flush()


def test_a_recording_gives_what_one_thread_would_in_its_order(bundle: Bundle) -> None:
    expected = keys(pushed(bundle, BLOCKS))
    assert len(expected) > 25
    for _ in range(3):
        with Pipeline(bundle, CONFIG) as pipeline:
            assert keys(list(pipeline.run(BlockSource(BLOCKS)))) == expected
        check_balance(pipeline)
        assert not any(report.dropped for report in pipeline.report.streams.values())


def test_live_sources_give_what_a_replay_does(bundle: Bundle) -> None:
    whole = vectors(pushed(bundle, BLOCKS))
    sources = [
        ScriptedSource(info.name, [info], deliver_all([b for b in BLOCKS if b.stream == info.name]))
        for info in (IMU, MIC, CAMERA)
    ]
    with Pipeline(bundle, CONFIG) as pipeline:
        assert vectors(list(pipeline.run([*sources]))) == whole
    check_balance(pipeline)
    assert pipeline.report.incidents == []


def test_a_recording_and_a_live_source_run_together(bundle: Bundle) -> None:
    whole = vectors(pushed(bundle, BLOCKS))
    live = ScriptedSource("dev", [IMU], deliver_all([b for b in BLOCKS if b.stream == "imu"]))
    recorded = BlockSource([b for b in BLOCKS if b.stream != "imu"])
    with Pipeline(bundle, CONFIG) as pipeline:
        assert vectors(list(pipeline.run([recorded, live]))) == whole


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, 119), max_size=12))
def test_a_break_divides_a_live_run_as_it_does_a_replay(bundle: Bundle, cuts: set[int]) -> None:
    """Live, a break is where the ring ran over; in a recording it is a message."""
    deliveries: list[Any] = []
    for number in range(120):
        if number in cuts:
            deliveries.append(Break("imu"))
        deliveries.append(imu(5 * number, 5))
    with Pipeline(bundle, IMU_ONLY) as pipeline:
        found = list(pipeline.run(BlockSource(deliveries)))
    assert vectors(found) == vectors(pushed(bundle, deliveries))
    assert pipeline.report.streams["imu"].counters.breaks == len(cuts)
    check_balance(pipeline)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(max_batch=st.integers(2, 9), wait_s=st.sampled_from([0.0, 0.005]))
def test_batches_change_no_byte(bundle: Bundle, max_batch: int, wait_s: float) -> None:
    """Streams of one sense share runs, in replay and live."""
    names = ["a", "b", "c"]
    stream = StreamConfig(modality=Modality.IMU, **KEEP)
    blocks = [imu(i, 10, stream=name) for i in range(0, 400, 10) for name in names]
    streams = dict.fromkeys(names, stream)
    alone, together = (
        PipelineConfig(streams=streams, ring_s=60, max_batch=most, batch_wait_s=wait)
        for most, wait in ((1, 0.0), (max_batch, wait_s))
    )
    with Pipeline(bundle, alone) as pipeline:
        expected = keys(list(pipeline.run(BlockSource(blocks))))
    seen: list[WindowTimes] = []
    with Pipeline(bundle, together) as pipeline:
        found = list(pipeline.run(BlockSource(blocks), observers=[lambda _e, t: seen.append(t)]))
    assert keys(found) == expected
    assert max(times.batch for times in seen) <= max_batch
    if wait_s:
        assert max(times.batch for times in seen) > 1


def test_a_batch_that_changes_bytes_is_not_used() -> None:
    class Uneven:
        """Adds up in another order from four rows on."""

        backend, precision = "fake", "fp32"

        def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
            rows = next(iter(inputs.values())).reshape(len(next(iter(inputs.values()))), -1)
            total = rows.sum(axis=1, dtype=np.float32)
            vectors: NDArray[np.float32] = total + np.float32(1e-3) * (len(rows) >= 4)
            return vectors[:, np.newaxis]

        def close(self) -> None: ...

    spec = TensorSpec(name="x", dtype="float32", shape=("batch", 3, 4))
    assert equal_batches(Uneven(), [spec], 16) == (1, 2)
    assert equal_batches(Uneven(), [spec], 1) == (1,)


def test_windows_tell_when_they_passed_each_station(bundle: Bundle) -> None:
    seen: list[WindowTimes] = []
    source = ScriptedSource("dev", [IMU], deliver_all(imu_blocks(600)))
    with Pipeline(bundle, IMU_ONLY) as pipeline:
        found = list(pipeline.run(source, observers=[lambda _e, t: seen.append(t)]))
    assert [times.grid_ns for times in seen] == [e.grid_ns for e in found]
    for times in seen:
        spans = list(times.spans())
        assert all(begin_ns <= end_ns for _, begin_ns, end_ns in spans)
        assert times.service_ns == sum(end_ns - begin_ns for _, begin_ns, end_ns in spans)
    closed_live = [times for times in seen if times.closable_ns is not None]
    assert len(closed_live) >= len(seen) - 1  # but for what the end closed


def test_views_are_shown_what_is_encoded_and_a_failing_one_costs_nothing(bundle: Bundle) -> None:
    shown: list[int] = []

    def fail(*_args: object) -> None:
        raise RuntimeError("no display")

    views = [fail, lambda _modality, window, _prepared: shown.append(window.grid_ns)]
    with Pipeline(bundle, CONFIG) as pipeline:
        found = list(pipeline.run(BlockSource(BLOCKS), views=views))
    assert shown == [e.grid_ns for e in found]
    (incident,) = pipeline.report.incidents
    assert (incident.where, incident.count) == ("view", 1)
    assert incident.what == "RuntimeError: no display; it is shown no more"


def test_frames_are_encoded_as_they_come_live_and_at_instants_in_replay(bundle: Bundle) -> None:
    frames = [picture(index) for index in range(1, 20)]
    live = ScriptedSource("dev", [CAMERA], deliver_all([*frames]))
    triggers = []
    for source in (live, BlockSource(frames)):
        with Pipeline(bundle) as pipeline:
            list(pipeline.run(source))
            triggers.append(pipeline.metadata(source).windows["cam"].trigger)
    assert triggers == ["frame", "grid"]


def test_front_ends_are_warm_before_a_device_is_started(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []

    def warm(encoder: Encoder, stream: StreamConfig, calibration: StreamCalibration) -> None:
        assert stream.modality is encoder.modality
        happened.append(encoder.modality.value)
        raise InputError("made-up input does not fit")

    def play(deliver: Callable[[Block], None]) -> None:
        happened.append("started")
        deliver_all(imu_blocks(400))(deliver)

    monkeypatch.setattr("sensebind.pipeline.warm_front_end", warm)
    with Pipeline(bundle, IMU_ONLY) as pipeline:
        assert list(pipeline.run(ScriptedSource("dev", [IMU], play)))
    assert happened == ["imu", "started"]
    assert [incident.where for incident in pipeline.report.incidents] == ["stream imu"]
    with Pipeline(bundle, IMU_ONLY) as pipeline:
        list(pipeline.run(BlockSource(imu_blocks(400))))
    assert happened == ["imu", "started"]


def test_it_is_told_when_the_streams_are_wired_and_before_a_device_is_started(
    bundle: Bundle,
) -> None:
    happened: list[object] = []

    def play(deliver: Callable[[Block], None]) -> None:
        happened.append("started")
        deliver_all(imu_blocks(400))(deliver)

    with Pipeline(bundle, IMU_ONLY) as pipeline:
        source = ScriptedSource("dev", [IMU], play)
        wired = pipeline.run(
            source, begun=lambda: happened.append([d.stream for d in pipeline.decisions])
        )
        assert list(wired)
    assert happened == [["imu"], "started"]


def test_a_stream_no_device_has_is_told_so(bundle: Bundle) -> None:
    config = PipelineConfig(streams={"/imo": STREAMS["imu"]})
    with (
        Pipeline(bundle, config) as pipeline,
        pytest.raises(SourceError, match=r"no stream '/imo' of these devices\. Their streams: 'im"),
    ):
        list(pipeline.run(ScriptedSource("dev", [IMU])))


def test_a_live_run_ends_after_so_long(bundle: Bundle) -> None:
    def play(_deliver: Callable[[Block], None]) -> None:
        source.stopped.wait(PATIENCE_S)

    source = ScriptedSource("dev", [IMU], play)
    with Pipeline(bundle, IMU_ONLY) as pipeline:
        assert not list(pipeline.run(source, seconds=1e-3))
    assert source.stopped.is_set()


def test_no_thread_of_a_run_keeps_a_program_from_ending(bundle: Bundle) -> None:
    before = set(threading.enumerate())
    found: set[threading.Thread] = set()
    source = ScriptedSource("dev", [IMU], deliver_all(imu_blocks(400)))
    with Pipeline(bundle, IMU_ONLY) as pipeline:
        observers = [lambda _embedding, _times: found.update(threading.enumerate())]
        assert list(pipeline.run(source, observers=observers, seconds=PATIENCE_S))
    assert found > before
    assert [thread for thread in found - before if not thread.daemon] == []


def test_the_report_tells_how_well_clocks_are_known(bundle: Bundle) -> None:
    info = replace(IMU, clock="counter of the dev")
    with Pipeline(bundle, IMU_ONLY) as pipeline:
        assert pipeline.clocks() == {}
        list(pipeline.run(ScriptedSource("dev", [info], deliver_all(imu_blocks(400)))))
    assert pipeline.report.clocks["counter of the dev"].observations == 40
    assert pipeline.clocks() == pipeline.report.clocks
    assert pipeline.report.stamps["imu"].clock == "counter of the dev"


@pytest.mark.parametrize(
    ("source", "told"),
    [([], "no source was given"), ("drive.mcap", "got str 'drive.mcap'; open a file or folder")],
)
def test_what_is_no_source_is_refused(bundle: Bundle, source: Any, told: str) -> None:
    with Pipeline(bundle) as pipeline, pytest.raises(InputError, match=told):
        next(pipeline.run(source))


def test_a_pipeline_has_one_run_at_a_time(bundle: Bundle) -> None:
    with Pipeline(bundle, IMU_ONLY) as pipeline:
        first = pipeline.run(BlockSource(imu_blocks(600)))
        next(first)
        with pytest.raises(InputError, match="a run of this pipeline is still going on"):
            next(pipeline.run(BlockSource(imu_blocks(600))))
        first.close()
        assert list(pipeline.run(BlockSource(imu_blocks(600))))
    check_balance(pipeline)


@pytest.mark.parametrize("delivery", [None, "a block"])
def test_only_blocks_are_pushed(bundle: Bundle, delivery: Any) -> None:
    with Pipeline(bundle) as pipeline, pytest.raises(InputError, match="takes blocks and breaks"):
        pipeline.push(delivery)


def test_streams_of_two_sources_need_names_of_their_own(bundle: Bundle) -> None:
    one, other = (ScriptedSource(name, [IMU]) for name in ("left", "right"))
    with (
        Pipeline(bundle) as pipeline,
        pytest.raises(InputError, match=r"stream 'imu' is offered by 'left' and by 'right'"),
    ):
        list(pipeline.run([one, other]))


def test_nothing_is_read_before_the_first_embedding_is_asked_for(bundle: Bundle) -> None:
    source = ScriptedSource("dev", [IMU], deliver_all(imu_blocks(400)))
    with Pipeline(bundle, IMU_ONLY) as pipeline:
        embeddings = pipeline.run(source)
        assert source.starts == 0
        assert pipeline.queues() == {}
        next(embeddings)
        assert source.starts == 1
        assert "engines" in pipeline.queues()
        embeddings.close()
        assert pipeline.queues() == {}
    check_balance(pipeline)


def test_streams_of_higher_priority_are_encoded_first(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is held with the first window until all others wait for their turn."""
    streams = {
        name: StreamConfig(modality=Modality.IMU, priority=priority, **KEEP)
        for name, priority in (("low", 0), ("high", 5))
    }
    taken = {name: Event() for name in streams}
    flush = StreamPath.flush

    def flush_and_tell(path: StreamPath) -> list[Window]:
        taken[path.name].set()
        return flush(path)

    def hold(_run: int) -> None:
        assert all(event.wait(PATIENCE_S) for event in taken.values())

    monkeypatch.setattr(StreamPath, "flush", flush_and_tell)
    encoder = bundle.encoder("imu")
    encoder._engine = ScriptedEngine(encoder._engine, hold)
    infos = [LiveStreamInfo(n, StreamKind.SAMPLES, "imu", rate_hz=100.0) for n in streams]
    blocks: list[Block] = [imu(i, 10, stream=n) for n in streams for i in range(0, 600, 10)]
    with Pipeline(bundle, PipelineConfig(streams=streams, ring_s=60)) as pipeline:
        found = [e.stream for e in pipeline.run(ScriptedSource("dev", infos, deliver_all(blocks)))]
    first_low = found[3:].index("low")  # behind the one in the engine and one prepared
    assert "high" not in found[3 + first_low :]
    assert found.count("high") == found.count("low") > 5


def test_live_halves_of_an_imu_are_joined_and_brought_to_si_units(bundle: Bundle) -> None:
    whole = imu(0, 600)
    infos = [
        LiveStreamInfo(name, StreamKind.SAMPLES, "vectors", half, rate_hz=100.0)
        for name, half in (("/accel", ACCELERATION), ("/gyro", ANGULAR_VELOCITY))
    ]
    halves: list[Block] = []
    for begin in range(0, 600, 10):
        part = slice(begin, begin + 10)
        for name, columns, factor in (("/accel", slice(0, 3), 9.80665), ("/gyro", slice(3, 6), 1)):
            values = whole.values[part, columns] / factor
            halves.append(SampleBlock(name, whole.stamps_ns[part], values))
    streams = {"/accel+/gyro": StreamConfig(modality=Modality.IMU, unit="g", **KEEP)}
    source = ScriptedSource("dev", infos, deliver_all(halves))
    with Pipeline(bundle, PipelineConfig(streams=streams, ring_s=60)) as pipeline:
        found = list(pipeline.run(source))
    expected = vectors(pushed(bundle, [whole]))
    assert len(found) > 5
    for each in found:
        vector = np.frombuffer(expected["imu", each.grid_ns], np.float32)
        np.testing.assert_allclose(each.vector, vector, atol=1e-5)
    check_balance(pipeline)


def test_an_engine_that_fails_when_batches_are_tried_runs_windows_alone(bundle: Bundle) -> None:
    encoder = bundle.encoder("imu")
    expected = vectors(pushed(bundle, imu_blocks(600)))
    encoder._engine = ScriptedEngine(encoder._engine, failing(0))
    config = PipelineConfig(streams={"imu": STREAMS["imu"]}, ring_s=60, max_batch=4)
    with Pipeline(bundle, config) as pipeline:
        source = ScriptedSource("dev", [IMU], deliver_all(imu_blocks(600)))
        assert vectors(list(pipeline.run(source))) == expected
    assert "its windows are run one by one" in pipeline.report.incidents[0].what
