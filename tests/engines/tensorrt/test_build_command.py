# SPDX-License-Identifier: Apache-2.0
"""`sensebind engine build` for programs: progress as lines of JSON, and a budget of memory."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from sensebind.cli import output
from sensebind.gpu import Gpu
from sensebind_engines.commands.engine import engine_app
from sensebind_engines.tensorrt import store
from sensebind_engines.tensorrt.build import Built

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

ORIN = Gpu("Orin (nvgpu)", "87", "12.6")
ONE = ("build", "demo", "--modality", "imu")


@pytest.fixture(autouse=True)
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An Orin whose builder is replaced; names of the graphs it was given."""
    given: list[str] = []

    def build_plan(
        _flavour: object, path: Path, *rest: Any, advance: Callable[[float], None] | None = None
    ) -> Built:
        given.append(path.name)
        tell = advance or rest[-1]
        for share in (0.25, 0.258, 0.5, 1.0):
            tell(share)
        return Built(b"plan", {"CONVOLUTION": {"HALF": 4}}, 71, 0.5, b"")

    monkeypatch.setattr(store, "build_plan", build_plan)
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__="10.3.0.26"))
    monkeypatch.setattr("sensebind.gpu.find_gpu", lambda: ORIN)
    return given


def run(*arguments: str) -> Result:
    return CliRunner().invoke(engine_app, arguments)


def test_progress_and_plans_come_as_lines_of_json() -> None:
    done = run(*ONE, "--json")
    assert done.exit_code == 0, done.output
    told = [json.loads(line) for line in done.stdout.splitlines()]
    shares = [{"modality": "imu", "share": share} for share in (0.25, 0.5, 1.0)]
    plan = {
        "modality": "imu", "precision": "fp16", "built": True, "build_s": 0.5, "bytes": 4,
        "layers": 71, "types": {"CONVOLUTION": {"HALF": 4}},
    }  # fmt: skip
    assert told == [*shares, plan]
    assert [json.loads(line) for line in run(*ONE, "--json").stdout.splitlines()] == [
        {**plan, "built": False}
    ]


def test_a_wait_for_another_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    built = store.build_into_cache

    def after_a_wait(*given: Any, waiting: Callable[[], None], **more: Any) -> store.Kept:
        waiting()
        return built(*given, **more)

    monkeypatch.setattr("sensebind_engines.commands.engine_build.build_into_cache", after_a_wait)
    done = run(*ONE, "--json")
    assert json.loads(done.stdout.splitlines()[0]) == {"modality": "imu", "waiting": True}
    assert "another process builds this plan" in done.stderr


def test_a_reader_that_left_ends_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_value: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(output, "show_json", gone)
    assert run(*ONE, "--json").exit_code == 130


def test_what_does_not_fit_is_not_begun_and_the_rest_is(builds: list[str]) -> None:
    senses = ("--modality", "text", "--modality", "imu")
    done = run("build", "demo", *senses, "--memory", "1040")
    assert done.exit_code == 1
    assert builds == ["imu.fp16.onnx"]
    assert "building text may take 1" in done.stderr
    assert "MiB and is allowed 1040 MiB, so it is not begun: --workspace" in done.stderr
    assert "imu fp16: built" in done.stdout
    again = run(*ONE, "--memory", "1")
    assert (again.exit_code, "there already" in again.stdout) == (0, True)
    assert run(*ONE, "--memory", "1", "--force").exit_code == 1


@pytest.mark.parametrize("given", ["0", "-5", "much", "1.5"])
def test_an_amount_that_is_none_is_refused(given: str, builds: list[str]) -> None:
    done = run(*ONE, f"--memory={given}")
    told = f"--memory is '{given}', expected a number of MiB, or free: what is free less 512 MiB"
    assert str(done.exception) == told
    assert builds == []
