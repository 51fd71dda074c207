# SPDX-License-Identifier: Apache-2.0
"""Encoders that go on with another engine while a run does: no window is lost over it."""

from __future__ import annotations

import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensebind import Bundle, Pipeline, PipelineConfig, StreamConfig
from sensebind import encoder as encoder_module
from sensebind.backends import open_engine
from sensebind.backends.batching import equal_batches
from sensebind.errors import BackendError
from sensebind.types import Modality
from tests.support.named_engine import NamedEngine
from tests.support.playing import BlockSource
from tests.support.running import (
    CAMERA,
    IMU,
    ScriptedSource,
    check_balance,
    imu_blocks,
    picture,
    vectors,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sensebind.backends.base import Engine
    from sensebind.metrics.times import WindowTimes
    from sensebind.types import Block

KEEP: dict[str, Any] = {"policy": "queue", "queue": 1000}
CONFIG = PipelineConfig(streams={"imu": StreamConfig(modality=Modality.IMU, **KEEP)}, ring_s=60)
BLOCKS = imu_blocks(600)


class Openings:
    """All engines that were opened; a backend named "broken" cannot be.

    Attributes:
        engines: in the order they were opened.
        meanwhile: called once, while the next one is opened.
    """

    def __init__(self) -> None:
        self.engines: list[NamedEngine] = []
        self.meanwhile: Callable[[], object] | None = None

    def open(self, backend: str, *given: Any) -> NamedEngine:
        if backend == "broken":
            raise BackendError("out of memory")
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        name = "first" if backend == "auto" else backend
        self.engines.append(NamedEngine(name, open_engine("onnxruntime", *given)))
        return self.engines[-1]


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> Openings:
    found = Openings()
    monkeypatch.setattr("sensebind.bundle.open_engine", found.open)
    return found


@pytest.fixture(scope="module")
def whole(bundle_folder: Path) -> dict[tuple[str, int], bytes]:
    """What one engine makes of all blocks."""
    with Bundle.load(bundle_folder) as bundle, Pipeline(bundle, CONFIG) as pipeline:
        return vectors(list(pipeline.run(BlockSource(BLOCKS))))


def with_calls(blocks: list[Block], calls: Mapping[int, Callable[[], None]]) -> Any:
    """A device's script that calls something before some of its blocks."""

    def play(deliver: Callable[[Block], None]) -> None:
        for number, block in enumerate(blocks):
            calls.get(number, lambda: None)()
            deliver(block)

    return play


def run(
    bundle: Bundle, calls: Mapping[int, Callable[[], None]], config: PipelineConfig = CONFIG
) -> tuple[dict[tuple[str, int], bytes], list[str], Pipeline]:
    """The vectors of a live run, and the backends that made them, in their order."""
    seen: list[WindowTimes] = []
    source = ScriptedSource("dev", [IMU], with_calls(BLOCKS, calls))
    with Pipeline(bundle, config) as pipeline:
        found = list(pipeline.run(source, observers=[lambda _e, times: seen.append(times)]))
    check_balance(pipeline)
    return vectors(found), [times.backend for times in seen], pipeline


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=st.sets(st.integers(0, len(BLOCKS) - 1), max_size=5), max_batch=st.integers(1, 3))
def test_no_window_is_lost_wherever_the_engine_changes(
    bundle_folder: Path,
    openings: Openings,
    whole: dict[tuple[str, int], bytes],
    moments: set[int],
    max_batch: int,
) -> None:
    openings.engines.clear()
    names = [f"engine {moment}" for moment in sorted(moments)]
    with Bundle.load(bundle_folder) as bundle:
        calls = {
            moment: partial(bundle.renew, Modality.IMU, f"engine {moment}") for moment in moments
        }
        config = PipelineConfig(streams=CONFIG.streams, ring_s=60, max_batch=max_batch)
        found, backends, pipeline = run(bundle, calls, config)
        assert pipeline.report.incidents == []
        report = pipeline.report.streams["imu"]
        assert report.counters.emitted == report.embedded == len(found)
        used = list(dict.fromkeys(backends))
        assert sum(Counter(backends).values()) == len(whole)
        order = ["first", *names]
        assert used == [name for name in order if name in used]  # each one once, in their order
        assert backends == sorted(backends, key=order.index)
    assert found == whole
    assert [len(engine.closed_by) for engine in openings.engines] == [1] * (1 + len(moments))
    replaced = [engine for engine in openings.engines if engine.backend in used[:-1]]
    assert all(engine.closed_by[0].startswith("inference") for engine in replaced)


def test_an_engine_that_cannot_be_opened_changes_nothing(
    bundle_folder: Path, openings: Openings, whole: dict[tuple[str, int], bytes]
) -> None:
    told = []
    with Bundle.load(bundle_folder) as bundle:

        def fail() -> None:
            with pytest.raises(BackendError, match="out of memory") as caught:
                bundle.renew(Modality.IMU, "broken")
            told.append(caught.value)

        found, backends, _ = run(bundle, {20: fail})
    assert len(told) == 1
    assert found == whole
    assert set(backends) == {"first"}
    assert len(openings.engines) == 1


def test_an_engine_that_cannot_be_freed_costs_no_window(
    bundle_folder: Path,
    openings: Openings,
    whole: dict[tuple[str, int], bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(engine: NamedEngine) -> None:
        if engine.backend == "first":
            raise BackendError("the GPU hangs")

    monkeypatch.setattr(NamedEngine, "close", fail)
    with Bundle.load(bundle_folder) as bundle:
        found, backends, pipeline = run(bundle, {20: lambda: bundle.renew(Modality.IMU, "other")})
    assert found == whole
    assert backends[-1] == "other"
    (incident,) = pipeline.report.incidents
    assert incident.where == "engine imu"
    assert incident.what == "the one before it could not be freed (the GPU hangs)"


def test_nothing_is_opened_for_what_nobody_uses_or_has_already(
    bundle_folder: Path, openings: Openings
) -> None:
    with Bundle.load(bundle_folder) as bundle:
        bundle.renew(Modality.IMU, "other")
        assert openings.engines == []
        bundle.encoder("imu")
        bundle.renew(Modality.IMU, "first")
    assert [engine.backend for engine in openings.engines] == ["first"]


def test_batches_are_tried_anew_on_another_engine(
    bundle_folder: Path, openings: Openings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def trying(engine: Engine, *rest: Any) -> tuple[int, ...]:
        tried.append(engine.backend)
        return equal_batches(engine, *rest)

    monkeypatch.setattr(encoder_module, "equal_batches", trying)
    config = PipelineConfig(streams=CONFIG.streams, ring_s=60, max_batch=2)
    with Bundle.load(bundle_folder) as bundle:
        encoder = bundle.encoder("imu")
        ready = threading.Event()

        def offer() -> None:
            assert ready.wait(30)
            bundle.renew(Modality.IMU, "other")

        source = ScriptedSource("dev", [IMU], with_calls(BLOCKS, {40: offer}))
        with Pipeline(bundle, config) as pipeline:
            list(pipeline.run(source, observers=[lambda _e, _t: ready.set()]))
        assert encoder.backend == "other"
    assert tried == ["first", "other"]


def test_clips_go_on_with_the_engine_of_their_frames(
    bundle_folder: Path, openings: Openings
) -> None:
    blocks: list[Block] = [picture(index) for index in range(60)]
    stream = StreamConfig(modality=Modality.VISION, frame_pooling_s=1.0, trigger="grid", **KEEP)
    config = PipelineConfig(streams={"cam": stream}, ring_s=60)
    seen: list[str] = []
    ready = threading.Event()

    def observe(_embedding: object, times: WindowTimes) -> None:
        seen.append(times.backend)
        ready.set()

    with Bundle.load(bundle_folder) as bundle:

        def offer() -> None:
            assert ready.wait(30)
            bundle.renew(Modality.VISION, "other")

        source = ScriptedSource("dev", [CAMERA], with_calls(blocks, {30: offer}))
        with Pipeline(bundle, config) as pipeline:
            list(pipeline.run(source, observers=[observe]))
            assert pipeline.metadata().backend == "other"
        check_balance(pipeline)
    assert list(dict.fromkeys(seen)) == ["first", "other"]


def test_what_was_offered_and_not_taken_is_freed(bundle_folder: Path, openings: Openings) -> None:
    with Bundle.load(bundle_folder) as bundle:
        bundle.encoder("imu")
        bundle.renew(Modality.IMU, "other")
    assert [len(engine.closed_by) for engine in openings.engines] == [1, 1]


def closings(openings: Openings) -> list[tuple[str, int]]:
    """How often each engine was closed."""
    return [(engine.backend, len(engine.closed_by)) for engine in openings.engines]


def test_what_is_offered_already_is_not_opened_again_and_can_be_revoked(
    bundle_folder: Path, openings: Openings
) -> None:
    with Bundle.load(bundle_folder) as bundle:
        encoder = bundle.encoder("imu")
        bundle.renew(Modality.IMU, "other")
        bundle.renew(Modality.IMU, "other")
        assert [engine.backend for engine in openings.engines] == ["first", "other"]
        bundle.renew(Modality.IMU, "first")  # as where "other" turns out to be no good
        while encoder.has_offer:
            encoder.take_offer()
        assert encoder.backend == "first"
    assert closings(openings) == [("first", 1), ("other", 1), ("first", 1)]


def test_an_engine_of_an_encoder_that_was_left_is_freed(
    bundle_folder: Path, openings: Openings
) -> None:
    with Bundle.load(bundle_folder) as bundle:
        left = bundle.encoder("imu")
        bundle.renew(Modality.IMU, "other")
        anew = bundle.reopen(Modality.IMU)
        assert not left.has_offer
        assert not anew.has_offer
        assert closings(openings) == [("first", 0), ("other", 1), ("first", 0)]


def test_an_encoder_that_is_opened_anew_meanwhile_is_offered_another(
    bundle_folder: Path, openings: Openings
) -> None:
    with Bundle.load(bundle_folder) as bundle:
        bundle.encoder("imu")
        openings.meanwhile = lambda: bundle.reopen(Modality.IMU)
        bundle.renew(Modality.IMU, "other")
        anew = bundle.encoder("imu")
        assert anew.next_backend == "other"
        unused, offered = (engine for engine in openings.engines if engine.backend == "other")
        assert len(unused.closed_by) == 1
        assert not offered.closed_by


def test_an_engine_that_is_opened_while_the_bundle_is_closed_is_freed(
    bundle_folder: Path, openings: Openings
) -> None:
    with Bundle.load(bundle_folder) as bundle:
        bundle.encoder("imu")
        openings.meanwhile = bundle.close
        bundle.renew(Modality.IMU, "other")
        assert closings(openings) == [("first", 1), ("other", 1)]
