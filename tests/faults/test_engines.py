# SPDX-License-Identifier: Apache-2.0
"""Engines that fail or hang: their modality is down for a while, the others go on."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from sensebind import Bundle, Pipeline, PipelineConfig, StreamConfig
from sensebind.backends import open_engine
from sensebind.errors import BackendError
from sensebind.flow import inference, run
from sensebind.flow.inference import Inference
from sensebind.types import Modality
from tests.support.playing import BlockSource
from tests.support.running import (
    IMU,
    MIC,
    PATIENCE_S,
    ScriptedEngine,
    ScriptedSource,
    check_balance,
    deliver_all,
    failing,
    imu_blocks,
    sound,
    vectors,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sensebind.types import Block

STREAMS = {
    "imu": StreamConfig(modality=Modality.IMU, policy="queue", queue=1000),
    "mic": StreamConfig(modality=Modality.AUDIO, policy="queue", queue=1000),
}
BLOCKS: list[Block] = [*imu_blocks(600), *(sound(i, 1600) for i in range(0, 96_000, 1600))]


class Openings:
    """Opens engines that follow scripts: of each modality the first, the second and so on."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, **scripts: list[Callable[[int], None]]
    ) -> None:
        self.opened: list[str] = []
        self._open = open_engine
        self._scripts = scripts
        monkeypatch.setattr("sensebind.bundle.open_engine", self._scripted)

    def _scripted(self, backend: str, path: Path, *args: Any) -> Any:
        modality = path.stem
        self.opened.append(modality)
        engine = self._open(backend, path, *args)
        scripts = self._scripts.get(modality)
        return ScriptedEngine(engine, scripts.pop(0)) if scripts else engine


def run_live(bundle: Bundle, **options: Any) -> tuple[Pipeline, dict[tuple[str, int], bytes]]:
    config = PipelineConfig(streams=STREAMS, ring_s=60, **options)
    source = ScriptedSource("robot", [IMU, MIC], deliver_all(BLOCKS))
    with Pipeline(bundle, config) as pipeline:
        found = vectors(list(pipeline.run(source)))
    check_balance(pipeline)
    return pipeline, found


def expected(bundle_folder: Path) -> dict[tuple[str, int], bytes]:
    with Bundle.load(bundle_folder) as bundle, Pipeline(bundle) as pipeline:
        return vectors(list(pipeline.run(BlockSource(BLOCKS))))


def test_a_failed_run_costs_one_window(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = expected(bundle_folder)
    openings = Openings(monkeypatch, imu=[failing(1)])
    with Bundle.load(bundle_folder) as bundle:
        pipeline, found = run_live(bundle)
    assert len(found) == len(whole) - 1
    assert found.items() < whole.items()
    assert pipeline.report.streams["imu"].failed == {"the engine failed, as the test says": 1}
    assert sorted(openings.opened) == ["audio", "imu"]


def test_an_engine_that_keeps_failing_is_opened_anew(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = expected(bundle_folder)
    openings = Openings(monkeypatch, imu=[failing(*range(1, 100))])
    with Bundle.load(bundle_folder) as bundle:
        pipeline, found = run_live(bundle)
    assert openings.opened.count("imu") == 2
    assert sum(pipeline.report.streams["imu"].failed.values()) == 3
    assert len(found) == len(whole) - 3
    (incident,) = pipeline.report.incidents
    assert incident.where == "engine imu"
    assert "failed 3 times in a row (the engine failed" in incident.what


@pytest.fixture
def overdue(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Has the present run of an engine take too long; no other does, however slow the machine."""
    made: list[Inference] = []

    class Kept(Inference):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            made.append(self)

    monkeypatch.setattr(run, "Inference", Kept)
    monkeypatch.setattr(inference, "_CHECKS", 100 * PATIENCE_S)

    def call() -> None:
        made[-1]._began_ns -= 10**15

    return call


def test_an_engine_that_hangs_is_left_behind(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch, overdue: Callable[[], None]
) -> None:
    """The window in it is lost; a new thread with new engines encodes all others."""
    whole, released = expected(bundle_folder), Event()

    def hang(run: int) -> None:
        if run == 2:
            overdue()
            released.wait(PATIENCE_S)

    openings = Openings(monkeypatch, imu=[hang])
    with Bundle.load(bundle_folder) as bundle:
        pipeline, found = run_live(bundle, engine_timeout_s=PATIENCE_S)
        released.set()
    assert pipeline.report.streams["imu"].dropped.pop("engine") == 1
    assert len(found) == len(whole) - 1
    assert found.items() < whole.items()
    assert sorted(openings.opened) == ["audio", "audio", "imu", "imu"]
    assert "did not answer for 30 s" in pipeline.report.incidents[0].what


def test_an_engine_that_cannot_be_opened_again_costs_its_modality_only(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = expected(bundle_folder)
    Openings(monkeypatch, imu=[failing(*range(100))])
    with Bundle.load(bundle_folder) as bundle:

        def refuse(modality: Modality) -> None:
            raise BackendError("no memory left on the device")

        monkeypatch.setattr(bundle, "reopen", refuse)
        pipeline, found = run_live(bundle)
    assert found == {key: vector for key, vector in whole.items() if key[0] == "mic"}
    report = pipeline.report.streams["imu"]
    assert report.embedded == 0
    assert report.dropped["engine"] == report.counters.emitted - 3
    assert any("could not be opened again" in i.what for i in pipeline.report.incidents)


def test_a_hang_ends_a_replay(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch, overdue: Callable[[], None]
) -> None:
    released = Event()

    def hang(_run: int) -> None:
        overdue()
        _await(released)

    Openings(monkeypatch, imu=[hang])
    config = PipelineConfig(streams={"imu": STREAMS["imu"]}, engine_timeout_s=PATIENCE_S)
    with Bundle.load(bundle_folder) as bundle, Pipeline(bundle, config) as pipeline:
        with pytest.raises(BackendError, match="engine of imu did not answer for 30 s; if this"):
            list(pipeline.run(BlockSource(imu_blocks(600))))
        released.set()
    check_balance(pipeline)


def test_a_failed_batch_is_run_one_by_one(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the window that fails alone is lost."""
    whole = expected(bundle_folder)
    engines: list[ScriptedEngine] = []

    def fail_together(_run: int) -> None:
        if engines[0].batches[-1] > 1:
            raise BackendError("too large a batch")

    with Bundle.load(bundle_folder) as bundle:
        encoder = bundle.encoder("imu")
        monkeypatch.setattr(encoder, "equal_batches", lambda _most: (1, 2, 4))
        engines.append(ScriptedEngine(encoder._engine, fail_together))
        encoder._engine = engines[0]
        pipeline, found = run_live(bundle, max_batch=4, batch_wait_s=0.01)
    assert max(engines[0].batches) > 1
    assert found == whole
    assert not pipeline.report.streams["imu"].failed


def _await(event: Event) -> None:
    assert event.wait(PATIENCE_S)
