# SPDX-License-Identifier: Apache-2.0
"""Plans that are built one after the other, compared, and taken; with real processes."""

from __future__ import annotations

import sys
from threading import Event
from typing import TYPE_CHECKING

import pytest

from sensebind.bundle import Bundle
from sensebind.errors import BackendError, MissingExtraError
from sensebind.gpu import NO_GPU
from sensebind.plans import all_plans
from sensebind.robot.config import EnginesConfig, RobotConfig
from sensebind.robot.plan_builds import PlanBuilds
from sensebind.robot.wanted_plans import Wanted, load_bundle, tensorrt_here
from sensebind.types import Modality
from tests.support.boards import KEY, Board
from tests.support.builder import Script
from tests.support.emulated.plans import put_plan
from tests.support.running import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUILD = EnginesConfig(build=True)
SENSES = (Modality.VISION, Modality.IMU, Modality.AUDIO)
BY_SIZE = ["imu", "vision", "audio"]

UNTIL_THEN = "what has none runs on the CPU until then"


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    return Board(tmp_path / "board", monkeypatch)


@pytest.fixture
def bundle(board: Board, bundle_folder: Path) -> Iterator[Bundle]:
    with Bundle.load(bundle_folder) as loaded:
        yield loaded


class Builds:
    """Plans being built, and what was said of it."""

    def __init__(
        self, bundle: Bundle, *modalities: Modality, engines: EnginesConfig = BUILD
    ) -> None:
        self.said: list[str] = []
        self.progress: list[str] = []
        self.states: list[dict[str, str]] = []
        self.done = Event()
        wanted = Wanted(bundle, "auto", engines, frozenset(modalities))
        self.builds = PlanBuilds(wanted, UNTIL_THEN, self.said.append, self._heed, self.done.set)
        self.builds.start()

    def _heed(self, phrase: str) -> None:
        self.progress.append(phrase)
        self.states.append({m.value: state for m, state in self.builds.states.items()})

    def end(self) -> dict[str, str]:
        """Wait for the end, and tell how far the plans are then."""
        assert self.done.wait(PATIENCE_S)
        assert self.builds.finished
        self.builds.close()
        return {m.value: state for m, state in self.builds.states.items()}


def backends(bundle: Bundle) -> dict[str, str]:
    """What the encoders in use run on, once they have taken what they were offered."""
    found = {}
    for modality, encoder in bundle._encoders.items():
        if encoder.has_offer:
            encoder.take_offer()
        found[modality.value] = encoder.backend
    return found


def opened(bundle: Bundle, *modalities: Modality) -> None:
    for modality in modalities:
        bundle.encoder(modality)


def test_they_are_built_one_by_one_the_smallest_first_and_taken(
    board: Board, bundle: Bundle
) -> None:
    opened(bundle, *SENSES)
    board.script(imu=Script(shares=[0.0, 0.1, 0.29, 0.291, 0.9, 1.0]))
    builds = Builds(bundle, *SENSES)
    assert builds.end() == dict.fromkeys(BY_SIZE, "ready")
    assert board.calls() == [f"{verb} {m}" for m in BY_SIZE for verb in ("build", "verify")]
    assert set(backends(bundle).values()) == {"tensorrt"}
    assert builds.said == [
        f"plans are built, one after the other, of {', '.join(BY_SIZE)}; {UNTIL_THEN}",
        "building the plan of imu: 29 %",
        "building the plan of imu: 90 %",
        "the plan of imu is ready",
        "the plan of vision is ready",
        "the plan of audio is ready",
    ]
    assert builds.progress[:3] == [f"building the plan of imu, {n} %" for n in (0, 0, 10)]
    assert builds.progress[-1] == ""
    assert {"imu": "being built, 29 %", "audio": "waits", "vision": "waits"} in builds.states
    compared = {"imu": "being compared with the golden vectors", "audio": "waits"}
    assert {**compared, "vision": "waits"} in builds.states


def test_commands_say_what_is_asked(board: Board, bundle: Bundle) -> None:
    Builds(bundle, Modality.IMU).end()
    limited = EnginesConfig(build=True, verify=False, memory_mib=3000)
    Builds(bundle, Modality.AUDIO, engines=limited).end()
    of = "--backend tensorrt --modality"
    assert board.arguments() == [
        f"build {of} imu --json --memory free",
        f"verify {of} imu",
        f"build {of} audio --json --memory 3000",
    ]


def test_what_is_there_is_not_built(board: Board, bundle: Bundle, bundle_folder: Path) -> None:
    put_plan(Modality.IMU, bundle=str(bundle_folder), **KEY)  # type: ignore[arg-type]
    unverified = EnginesConfig(build=True, verify=False)
    builds = Builds(bundle, Modality.IMU, engines=unverified)
    assert builds.end() == {"imu": "ready"}
    assert builds.said == []
    assert board.calls() == []


def test_a_plan_that_is_there_and_cannot_be_opened_is_told(
    board: Board, bundle: Bundle, bundle_folder: Path
) -> None:
    put_plan(Modality.IMU, bundle=str(bundle_folder), **KEY)  # type: ignore[arg-type]
    board.broken = BackendError
    opened(bundle, Modality.IMU)
    unverified = EnginesConfig(build=True, verify=False)
    builds = Builds(bundle, Modality.IMU, engines=unverified)
    assert builds.end() == {"imu": "failed: the GPU has no memory left"}
    assert builds.said == ["no plan of imu is used: the GPU has no memory left"]
    assert backends(bundle) == {"imu": "onnxruntime"}


def test_a_failure_is_told_once_and_costs_its_plan_only(board: Board, bundle: Bundle) -> None:
    opened(bundle, *SENSES)
    board.script(audio=Script(error="building audio may take 9 MiB: --workspace 3 would fit"))
    builds = Builds(bundle, *SENSES)
    reason = "building audio may take 9 MiB: --workspace 3 would fit"
    assert builds.end() == {"imu": "ready", "audio": f"failed: {reason}", "vision": "ready"}
    assert builds.said.count(f"no plan of audio is used: {reason}") == 1
    assert board.calls().count("build audio") == 1
    assert backends(bundle) == {"vision": "tensorrt", "imu": "tensorrt", "audio": "onnxruntime"}


def test_a_plan_that_is_not_good_enough_is_never_used(board: Board, bundle: Bundle) -> None:
    opened(bundle, Modality.IMU)
    board.script(imu=Script(cosine=0.9))
    states = Builds(bundle, Modality.IMU).end()
    assert states["imu"].startswith("failed: the bundle asks for a cosine of 0.999")
    assert backends(bundle) == {"imu": "onnxruntime"}
    assert board.opened == []
    # At the next start it is tried again.
    board.script()
    assert Builds(bundle, Modality.IMU).end() == {"imu": "ready"}
    assert board.calls() == ["build imu", "verify imu"] * 2


@pytest.mark.parametrize(
    ("cosine", "runs_on", "opened_plans"), [(0.9999, "tensorrt", 1), (0.9, "onnxruntime", 1)]
)
def test_a_plan_in_use_that_nobody_compared_is(
    board: Board,
    bundle: Bundle,
    bundle_folder: Path,
    cosine: float,
    runs_on: str,
    opened_plans: int,
) -> None:
    """As after a power cut between building and comparing."""
    put_plan(Modality.IMU, bundle=str(bundle_folder), **KEY)  # type: ignore[arg-type]
    opened(bundle, Modality.IMU)
    assert backends(bundle) == {"imu": "tensorrt"}
    board.script(imu=Script(cosine=cosine))
    Builds(bundle, Modality.IMU).end()
    assert board.calls() == ["verify imu"]
    assert backends(bundle) == {"imu": runs_on}
    assert len(board.opened) == opened_plans


def test_where_nothing_can_be_compared_nothing_is_used(board: Board, bundle: Bundle) -> None:
    opened(bundle, Modality.IMU)
    board.script(imu=Script(cosine=None))
    states = Builds(bundle, Modality.IMU).end()
    assert states == {"imu": "failed: the bundle has no golden rows"}
    assert backends(bundle) == {"imu": "onnxruntime"}


@pytest.mark.parametrize("error", [BackendError, MemoryError])
def test_a_plan_that_cannot_be_opened_leaves_all_as_it_was(
    board: Board, bundle: Bundle, error: type[Exception]
) -> None:
    opened(bundle, Modality.IMU)
    board.broken = error
    builds = Builds(bundle, Modality.IMU)
    assert "the GPU has no memory left" in builds.end()["imu"]
    assert backends(bundle) == {"imu": "onnxruntime"}


def test_who_builds_already_is_waited_for(board: Board, bundle: Bundle) -> None:
    board.script(imu=Script(waiting=True))
    builds = Builds(bundle, Modality.IMU)
    assert builds.end() == {"imu": "ready"}
    assert "another process builds the plan of imu; waiting for it" in builds.said


def test_without_a_gpu_that_is_told_and_nobody_waits(board: Board, bundle: Bundle) -> None:
    board.gpu = NO_GPU
    builds = Builds(bundle, Modality.IMU)
    told = "plans are built on the GPU that runs them, and no NVIDIA GPU or driver was found"
    assert builds.end()["imu"].startswith(f"not built: {told}")
    assert [line.partition(";")[0] for line in builds.said] == [f"no plans are built: {told}"]


def test_without_its_packages_they_are_named(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingExtraError, match="TensorRT itself comes with JetPack"):
        tensorrt_here("auto")
    monkeypatch.setattr("sensebind.robot.wanted_plans.find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sensebind\[tensorrt\]'"):
        tensorrt_here("tensorrt")


@pytest.mark.parametrize("stubborn", [False, True])
def test_closing_ends_a_build_and_leaves_no_plan(
    board: Board, bundle: Bundle, stubborn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensebind.robot.commands._GRACE_S", 0.05 if stubborn else PATIENCE_S)
    board.script(imu=Script(shares=[0.4], until="never", stubborn=stubborn))
    builds = Builds(bundle, Modality.IMU, Modality.AUDIO)
    waiting = Event()
    while "building the plan of imu, 40 %" not in builds.progress:
        waiting.wait(1e-3)
    builds.builds.close()
    assert not builds.builds._thread.is_alive()
    assert not builds.done.is_set()
    assert all_plans() == ([], [])
    assert board.calls() == ["build imu"]
    assert builds.said[1:] == ["building the plan of imu: 40 %"]


def test_nothing_is_done_unasked(board: Board, bundle: Bundle) -> None:
    builds = Builds(bundle, Modality.IMU, engines=EnginesConfig())
    builds.builds.close()
    assert (builds.said, builds.builds.states) == ([], {})


@pytest.mark.parametrize(
    ("backend", "meanwhile", "texts"),
    [("auto", "cpu", False), ("auto", "wait", False), ("tensorrt", "cpu", False),
     ("tensorrt", "wait", True)],
)  # fmt: skip
def test_texts_get_a_plan_where_nothing_may_be_without(
    bundle: Bundle, backend: str, meanwhile: str, texts: bool
) -> None:
    engines = EnginesConfig(build=True, meanwhile=meanwhile)  # type: ignore[arg-type]
    config = RobotConfig(engines=engines, backend=backend, prompts="a,b")  # type: ignore[arg-type]
    wanted = Wanted.of(bundle, config, [Modality.IMU])
    assert (Modality.TEXT in wanted.modalities) == texts
    unprompted = RobotConfig(engines=engines, backend=backend)  # type: ignore[arg-type]
    assert Wanted.of(bundle, unprompted, [Modality.IMU]).modalities == {Modality.IMU}


def test_a_backend_asked_for_by_name_may_lack_plans_while_they_are_built(
    board: Board, bundle_folder: Path
) -> None:
    asked = RobotConfig(bundle=str(bundle_folder), backend="tensorrt", engines=BUILD)
    with load_bundle(asked) as bundle:
        assert bundle.encoder("imu").backend == "onnxruntime"
    for engines in (EnginesConfig(), EnginesConfig(build=True, meanwhile="wait")):
        strict = RobotConfig(bundle=str(bundle_folder), backend="tensorrt", engines=engines)
        with load_bundle(strict) as bundle, pytest.raises(BackendError, match="no plan of imu"):
            bundle.encoder("imu")
    board.gpu = NO_GPU
    with pytest.raises(BackendError, match="no NVIDIA GPU or driver was found"):
        load_bundle(asked)
