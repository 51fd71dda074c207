# SPDX-License-Identifier: Apache-2.0
"""A service that builds its plans: it runs meanwhile or waits, says so, and loses no window."""

from __future__ import annotations

import json
import re
import socket
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from sensebind.gpu import NO_GPU
from sensebind.plans import all_plans
from sensebind.robot.outputs import finished_files
from sensebind.sinks.reading import open_records
from tests.support.boards import Board
from tests.support.builder import Script
from tests.support.running import PATIENCE_S
from tests.support.service import BLOCKS, Running, expected, running, started, text, until, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.service import Manager

    Write = Callable[[str], Path]

WAITING = Script(shares=[0.4], until="go")


@pytest.fixture(autouse=True)
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    return Board(tmp_path / "board", monkeypatch)


def building(engines: str = "", top: str = "") -> str:
    """A robot.toml that has plans built."""
    more = f"[engines]\nbuild = true\n{engines}"
    return f"{top}\n{text(more=more)}"


def state(robot: Running) -> str:
    """How far the plan of the IMU is."""
    return robot.service.health().plans.get("imu", "")


def engine(robot: Running) -> str:
    return robot.service.health().streams["imu"].engine


def backends(folder: Path) -> list[str]:
    """What each file says that its vectors were made by."""
    files = finished_files(folder / "out.parquet")
    return [open_records(path).metadata.backend for path in files]


def test_a_stream_runs_on_the_cpu_until_its_plan_is_ready_and_loses_no_window(
    write: Write, manager: Manager, tmp_path: Path, board: Board
) -> None:
    board.script(imu=WAITING)
    with running(write(building()), manager) as robot:
        until(lambda: state(robot) == "being built, 40 %")
        on_cpu = "running: bundle test on onnxruntime, streams imu"
        manager.until(f"STATUS={on_cpu}; building the plan of imu, 40 %")
        robot.feed(BLOCKS[:60], 6)
        assert engine(robot) == "onnxruntime fp32"
        board.let("go")
        until(lambda: state(robot) == "ready")
        robot.feed(BLOCKS[60:], 18)
        assert engine(robot) == "tensorrt fp32"
        assert robot.service.health().backend == "tensorrt"
        manager.until("STATUS=running: bundle test on tensorrt, streams imu")
    assert robot.ended == []
    assert len(robot.sources) == 1
    assert any(line.endswith("what has none runs on the CPU until then") for line in robot.said)
    assert "imu is encoded by tensorrt, fp32, from now on" in robot.said
    assert backends(tmp_path) == ["onnxruntime", "tensorrt"]
    (plan,) = board.opened
    assert len(plan.closed_by) == 1
    (_, first), (_, second) = written(tmp_path)
    assert first
    assert second
    assert first + second == expected(tmp_path)


@pytest.mark.parametrize("backend", ["auto", "tensorrt"])
def test_a_build_that_fails_leaves_the_cpu_and_is_told_once(
    write: Write, manager: Manager, tmp_path: Path, board: Board, backend: str
) -> None:
    board.script(imu=Script(error="not enough memory; add swap"))
    with running(write(building(top=f'backend = "{backend}"')), manager) as robot:
        until(lambda: state(robot) == "failed: not enough memory; add swap")
        robot.feed(BLOCKS, 16)
        assert engine(robot) == "onnxruntime fp32"
        robot.reload()
    assert robot.said.count("no plan of imu is used: not enough memory; add swap") == 1
    assert board.calls() == ["build imu"]
    assert backends(tmp_path) == ["onnxruntime"]


def test_stopping_ends_a_build_and_leaves_no_plan(
    write: Write, manager: Manager, board: Board
) -> None:
    board.script(imu=Script(shares=[0.4], until="never"))
    with running(write(building()), manager) as robot:
        until(lambda: state(robot) == "being built, 40 %")
    assert robot.ended == []
    assert all_plans() == ([], [])
    assert not any("no plan" in line for line in robot.said)


def test_devices_wait_if_they_are_to(
    write: Write, manager: Manager, tmp_path: Path, board: Board
) -> None:
    board.script(imu=WAITING)
    path = write(building("meanwhile = 'wait'", 'backend = "tensorrt"'))
    with started(path, manager) as robot:
        until(lambda: state(robot) == "being built, 40 %")
        health = robot.service.health()
        assert (health.status, health.streams) == ("starting", {})
        assert not any(source.started.is_set() for source in robot.sources)
        told = manager.until("STATUS=building the plan of imu, 40 %")
        assert not any(message.startswith("READY") for message in told)
        assert [m for m in told if m.startswith("EXTEND_TIMEOUT_USEC=")]
        board.let("go")
        manager.until("READY=1")
        robot.feed(BLOCKS, 16)
        assert engine(robot) == "tensorrt fp32"
    assert robot.ended == []
    assert robot.said[0].endswith("of text, imu; the devices are opened after that")
    assert board.calls() == ["build text", "verify text", "build imu", "verify imu"]
    assert backends(tmp_path) == ["tensorrt"]


def test_a_plan_that_may_not_be_lacking_ends_the_service(
    write: Write, manager: Manager, board: Board
) -> None:
    board.script(imu=Script(error="not enough memory; add swap"))
    path = write(building("meanwhile = 'wait'", 'backend = "tensorrt"'))
    with started(path, manager) as robot:
        robot.thread.join(PATIENCE_S)
    assert "no plan of imu is used: not enough memory; add swap" in robot.said
    assert re.search("no plan of imu fits .*sensebind engine build", str(robot.ended[0]))


def test_a_service_that_waits_is_told_otherwise(
    write: Write, manager: Manager, board: Board, tmp_path: Path
) -> None:
    board.script(imu=Script(shares=[0.4], until="never"))
    waits = building("meanwhile = 'wait'")
    with started(write(waits), manager) as robot:
        until(lambda: state(robot) == "being built, 40 %")
        write(waits.replace("hop_s = 0.5", "hop_s = 0"))
        robot.service.reload()
        until(lambda: "hop_s" in (robot.service.health().config_error or ""))
        write(waits.replace("hop_s = 0.5", "hop_s = 1.0"))
        robot.service.reload()
        until(lambda: robot.service.config.hop_s == 1.0)
        assert board.calls() == ["build imu"]  # and it goes on
        write(text())
        robot.service.reload()
        manager.until("READY=1")
        until(lambda: robot.service.health().plans == {})
        assert all_plans() == ([], [])
        robot.feed(BLOCKS, 16)
        write(waits)
        robot.reload()  # nobody waits any more
        until(lambda: state(robot) == "being built, 40 %")
        assert robot.service.health().status == "running"
    assert robot.ended == []
    assert backends(tmp_path) == ["onnxruntime"]


def test_who_waited_for_a_backend_may_go_on_without(
    write: Write, manager: Manager, board: Board, tmp_path: Path
) -> None:
    board.script(imu=Script(shares=[0.4], until="never"), text=Script(shares=[0.4], until="never"))
    top = 'backend = "tensorrt"'
    with started(write(building("meanwhile = 'wait'", top)), manager) as robot:
        until(lambda: robot.service.health().plans.get("text") == "being built, 40 %")
        write(building(top=top))
        robot.service.reload()
        manager.until("READY=1")
        robot.feed(BLOCKS, 16)
        assert engine(robot) == "onnxruntime fp32"
        assert robot.service.health().config_error is None
    assert robot.ended == []
    assert backends(tmp_path) == ["onnxruntime"]


def test_a_service_that_waits_ends_when_asked(write: Write, manager: Manager, board: Board) -> None:
    board.script(imu=Script(shares=[0.4], until="never"))
    with started(write(building("meanwhile = 'wait'")), manager) as robot:
        until(lambda: state(robot) == "being built, 40 %")
    assert robot.ended == []
    assert manager.until("STOPPING=1")
    assert all_plans() == ([], [])


def test_builds_are_begun_and_ended_by_a_reload_and_outlive_a_new_run(
    write: Write, manager: Manager, board: Board
) -> None:
    board.script(imu=WAITING)
    with running(write(text()), manager) as robot:
        assert robot.service.health().plans == {}
        write(building())
        robot.reload()
        assert "from now on, and without a gap: engines" in robot.said
        until(lambda: state(robot) == "being built, 40 %")
        write(building().replace("[streams.imu]", "[streams.imu]\nhop_s = 1.0"))
        robot.reload()
        manager.until("STATUS=running")
        assert len(robot.sources) == 2
        assert state(robot) == "being built, 40 %"
        assert board.calls() == ["build imu"]
        write(text())
        robot.reload()
        manager.until("STATUS=running")
        until(lambda: robot.service.health().plans == {})
    assert all_plans() == ([], [])
    assert robot.ended == []


def test_without_a_gpu_all_runs_as_ever(
    write: Write, manager: Manager, board: Board, tmp_path: Path
) -> None:
    board.gpu = NO_GPU
    with running(write(building("meanwhile = 'wait'")), manager) as robot:
        robot.feed(BLOCKS, 16)
        assert state(robot).startswith("not built: plans are built on the GPU that runs them")
    assert sum(line.startswith("no plans are built: ") for line in robot.said) == 1
    assert backends(tmp_path) == ["onnxruntime"]


def test_the_state_is_told_to_whoever_asks(write: Write, manager: Manager, board: Board) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    board.script(imu=WAITING)
    with running(write(f"{building()}\n[health]\nport = {port}"), manager) as robot:
        until(lambda: state(robot) == "being built, 40 %")
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.request("GET", "/health")
        answer = json.loads(connection.getresponse().read())
        connection.close()
        assert answer["plans"] == {"imu": "being built, 40 %"}
        assert answer["streams"]["imu"]["engine"] == "onnxruntime fp32"
        board.let("go")
