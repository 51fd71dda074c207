# SPDX-License-Identifier: Apache-2.0
"""A service's plans by the real `sensebind engine build`, of TensorRT for RTX, which needs no GPU.

That there is one is made up, so what was built cannot be opened: the CPU goes on.
"""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import pytest

pytest.importorskip(
    "tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed (extra tensorrt-rtx)"
)

from sensebind.backends.tensorrt.choice import find_fitting
from sensebind.backends.tensorrt.library import open_library
from sensebind.bundle import Bundle
from sensebind.gpu import NO_GPU, Gpu
from sensebind.plan_request import plan_request
from sensebind.plans import all_plans
from sensebind.robot.config import EnginesConfig
from sensebind.robot.plan_builds import PlanBuilds
from sensebind.robot.wanted_plans import Wanted
from sensebind.types import Modality

if TYPE_CHECKING:
    from pathlib import Path

ADA = Gpu("RTX 4090", "89", "13.0")
PATIENCE_S = 120.0


def built(
    monkeypatch: pytest.MonkeyPatch, cache: Path, engines: EnginesConfig
) -> tuple[dict[str, str], list[str], list[str]]:
    """States at the end, what was said, and what was told of progress."""
    monkeypatch.setenv("SENSEBIND_CACHE", str(cache))
    monkeypatch.setattr("sensebind.robot.wanted_plans.find_gpu", lambda: ADA)
    monkeypatch.setattr("sensebind.backends.tensorrt.engine.find_gpu", lambda: NO_GPU)
    monkeypatch.setattr("sensebind.robot.wanted_plans.find_spec", lambda _name: "pycuda")
    said: list[str] = []
    progress: list[str] = []
    done = Event()
    with Bundle.load("demo", backend="onnxruntime", threads=1) as bundle:
        senses = frozenset({Modality.AUDIO, Modality.IMU})
        for modality in senses:
            bundle.encoder(modality)
        wanted = Wanted(bundle, "tensorrt-rtx", engines, senses)
        with PlanBuilds(wanted, "", said.append, progress.append, done.set) as builds:
            builds.start()
            assert done.wait(PATIENCE_S)
        assert {bundle.encoder(modality).backend for modality in senses} == {"onnxruntime"}
    return {m.value: state for m, state in builds.states.items()}, said, progress


def test_its_command_builds_what_fits_and_tells_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = EnginesConfig(build=True, verify=False)
    states, said, progress = built(monkeypatch, tmp_path, engines)
    assert set(states) == {"audio", "imu"}
    for state in states.values():
        assert state.startswith("failed: tensorrt-rtx needs an NVIDIA GPU and its driver")
    assert said[0].startswith("plans are built, one after the other, of imu, audio")
    assert len([line for line in said if line.endswith("%")]) >= 2
    assert len({phrase for phrase in progress if "imu" in phrase}) > 10
    with Bundle.load("demo", backend="onnxruntime") as bundle:
        for modality in (Modality.AUDIO, Modality.IMU):
            request = plan_request(bundle.folder, modality)
            find_fitting(request, open_library("tensorrt-rtx"), ADA).check()


def test_its_command_begins_nothing_over_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states, said, _ = built(monkeypatch, tmp_path, EnginesConfig(build=True, memory_mib=512))
    told = "MiB and is allowed 512 MiB, so it is not begun: --workspace 5"
    assert all(told in state for state in states.values())
    assert sum("no plan of" in line for line in said) == 2
    assert all_plans() == ([], [])


def test_its_comparison_needs_the_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states, _, _ = built(monkeypatch, tmp_path, EnginesConfig(build=True))
    assert all("plans are verified on the GPU" in state for state in states.values())
