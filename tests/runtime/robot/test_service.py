# SPDX-License-Identifier: Apache-2.0
"""The service: begun, told otherwise while it runs, ended; and an engine that hangs."""

from __future__ import annotations

import errno
import json
import socket
import time
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from sensebind import bundle as bundle_module
from sensebind.backends import open_engine
from sensebind.errors import InputError, SourceError
from sensebind.robot.outputs import Outputs, finished_files
from sensebind.robot.places import Places
from sensebind.robot.progress import Progress
from sensebind.robot.reading import read_robot_config
from sensebind.robot.service import Service
from tests.support.running import PATIENCE_S, ScriptedEngine
from tests.support.service import (
    BLOCKS,
    FedSource,
    Running,
    expected,
    running,
    text,
    until,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.service import Manager

    Write = Callable[[str], Path]


def test_other_prompts_and_policies_take_effect_without_a_gap(
    write: Write, manager: Manager, tmp_path: Path
) -> None:
    with running(write(text()), manager) as robot:
        robot.feed(BLOCKS[:60], 6)
        write(text("c,d,e", "priority = 3"))
        robot.reload()
        robot.feed(BLOCKS[60:], 18)
        # Windows are counted when they are encoded, which is before their records are made.
        until(lambda: robot.service.health().streams["imu"].label in ("c", "d", "e"))
    assert robot.ended == []
    assert len(robot.sources) == 1
    assert 'from now on, and without a gap: streams."imu", prompts' in robot.said
    (labels, first), (other_labels, second) = written(tmp_path)
    assert (labels, other_labels) == (("a", "b"), ("c", "d", "e"))
    assert first
    assert second
    assert first + second == expected(tmp_path)


def test_statistics_go_on_where_they_were(write: Write, manager: Manager, tmp_path: Path) -> None:
    path = tmp_path / "stats.jsonl"
    path.write_text("{}\n")  # of the service before
    config = write(text(more="[stats]\nfile = 'stats.jsonl'\nevery_s = 3600"))
    with running(config, manager) as robot:
        robot.feed(BLOCKS, 16)
        write(text(more="[stats]\nfile = 'stats.jsonl'\nevery_s = 60"))
        robot.reload()
    before, *since = [json.loads(line) for line in path.read_text().splitlines()]
    assert before == {}
    assert [snapshot["streams"]["imu"]["embedded"] >= 16 for snapshot in since] == [True, True]


def test_another_hop_takes_a_new_run_and_no_window_is_lost(
    write: Write, manager: Manager, tmp_path: Path
) -> None:
    with running(write(text()), manager) as robot:
        robot.feed(BLOCKS, 16)
        write(text(stream="hop_s = 1.0"))
        robot.reload()
        robot.feed(BLOCKS, 8)
    assert 'a new run begins, for streams."imu"' in robot.said
    assert len(robot.sources) == 2
    (_, first), (_, second) = written(tmp_path)
    assert second == expected(tmp_path)
    assert {grid_ns for grid_ns, _ in second} < {grid_ns for grid_ns, _ in first}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (text("c,d").replace("hop_s = 0.5", "hop_s = 0"), "hop_s is 0, expected a number"),
        (text("just one"), "zero-shot compares classes, 1 were given"),
        (text("c,d", more="[fusion]\nstreams = ['lidar']"), "streams to join: lidar; the run has"),
        (text("c,d", "modality = 3"), "is not TOML"),
        (text("c,d", more="[record]\nfile = 'nowhere/a.mcap'"), "there is no folder"),
    ],
)
def test_what_is_not_valid_changes_nothing(
    write: Write, manager: Manager, tmp_path: Path, other: str, message: str
) -> None:
    with running(write(text()), manager) as robot:
        robot.feed(BLOCKS[:60], 6)
        write(other)
        robot.reload()
        assert message in (robot.service.health().config_error or "")
        robot.sources[0].feed(BLOCKS[60:])
        until(lambda: robot.embedded() >= 18)
        write(text())
        robot.reload()
        assert robot.service.health().config_error is None
    assert [source.started.is_set() for source in robot.sources].count(True) == 1
    assert robot.said[-1] == "the configuration is as it was"
    ((labels, rows),) = written(tmp_path)
    assert labels == ("a", "b")
    assert rows == expected(tmp_path)


def test_a_new_run_that_fails_is_followed_by_one_as_before(
    write: Write, manager: Manager, tmp_path: Path
) -> None:
    with running(write(text()), manager) as robot:
        robot.feed(BLOCKS, 16)
        robot.errors = [SourceError("no such device")]
        write(text(stream="hop_s = 1.0"))
        robot.reload()
        assert robot.service.health().config_error == "no such device"
        manager.until("STATUS=running")
        robot.feed(BLOCKS, 16)
    assert len(robot.sources) == 3
    (_, first), (_, second) = written(tmp_path)
    assert first == second


def test_where_neither_the_new_run_nor_the_old_one_can_be_it_ends(
    write: Write, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot = Running(write(text()), manager)
    made = robot.service._made
    calls = [made, made]

    def once_more(config: Any, bundle: Any) -> Any:
        if not calls:
            raise InputError("its recording is gone")
        return calls.pop()(config, bundle)

    monkeypatch.setattr(robot.service, "_made", once_more)
    robot.thread.start()
    manager.until("READY=1")
    robot.errors = [SourceError("no such device")]
    write(text(stream="hop_s = 1.0"))
    robot.service.reload()
    robot.thread.join(PATIENCE_S)
    assert [str(error) for error in robot.ended] == ["its recording is gone"]


def test_a_disk_that_is_gone_while_the_file_is_read_again_ends_nothing(
    write: Write, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with running(write(text()), manager) as robot:
        with monkeypatch.context() as patch:
            patch.setattr(Places, "take", gone)
            robot.reload()
        assert "Input/output error" in (robot.service.health().config_error or "")
        robot.feed(BLOCKS, 16)
    assert robot.ended == []


def test_whatever_fails_at_the_end_the_recording_is_completed(
    write: Write, manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = Outputs.close

    def fail(self: Outputs) -> None:
        close(self)
        raise RuntimeError("a bug")

    monkeypatch.setattr(Outputs, "close", fail)
    with running(write(text(more="[record]\nfile = 'raw.mcap'")), manager) as robot:
        robot.feed(BLOCKS[:60], 6)
    assert len(finished_files(tmp_path / "raw.mcap")) == 1


def test_a_first_run_that_fails_ends_the_service(write: Write, manager: Manager) -> None:
    robot = Running(write(text()), manager)
    robot.errors = [SourceError("no such device")]
    robot.thread.start()
    robot.thread.join(PATIENCE_S)
    assert [str(error) for error in robot.ended] == ["no such device"]
    assert manager.heard()[-1] == "STOPPING=1"


def test_the_last_health_tells_that_it_has_stopped(write: Write, manager: Manager) -> None:
    path = write(text(more='[health]\nfile = "health.json"'))
    begin_ns = time.time_ns()
    with running(path, manager):
        pass
    told = json.loads((path.parent / "health.json").read_text())
    assert told["status"] == "stopped"
    assert told["stamp_ns"] >= begin_ns


def test_a_port_that_is_taken_ends_it(write: Write, manager: Manager) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        robot = Running(write(text(more=f"[health]\nport = {port}")), manager)
        robot.thread.start()
        robot.thread.join(PATIENCE_S)
    (error,) = robot.ended
    assert isinstance(error, InputError)
    assert f"health.port is {port}" in str(error)


def test_an_engine_that_hangs_is_not_vouched_for(
    write: Write, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, released = Event(), Event()
    looks: list[bool] = []
    check = Progress.check

    def counting(self: Progress) -> bool:
        looks.append(check(self))
        return looks[-1]

    def before_run(number: int) -> None:
        if number == 8:
            hangs.set()
            assert released.wait(PATIENCE_S)

    def scripted(backend: str, path: Path, *args: Any, **more: Any) -> Any:
        engine = open_engine(backend, path, *args, **more)
        return ScriptedEngine(engine, before_run) if path.stem == "imu" else engine

    monkeypatch.setattr(bundle_module, "open_engine", scripted)
    monkeypatch.setattr(Progress, "check", counting)
    with running(write(text()), manager) as robot:
        robot.feed(BLOCKS[:60], 6)
        manager.until("WATCHDOG=1")
        robot.sources[0].feed(BLOCKS[60:])
        assert hangs.wait(PATIENCE_S)
        # The first look may still see what came before, a third begins when the second was told.
        seen = len(looks)
        until(lambda: len(looks) >= seen + 3)
        assert manager.heard()[-1].startswith("STATUS=nothing is encoded")
        assert robot.service.health().status == "stuck"
        released.set()
        assert manager.until("STATUS=it gets on")[0] == "WATCHDOG=1"
        until(lambda: robot.service.health().status == "running")
    assert manager.heard()[-1] == "STOPPING=1"


def test_it_ends_by_itself_after_so_long(write: Write, manager: Manager) -> None:
    source = FedSource()
    service = Service(
        write(text()),
        notifier=manager.notifier,
        sources=lambda _devices: [source],
        seconds=0.01,
    )
    service.run()
    assert manager.until("STOPPING=1")[0] == "READY=1"


def test_two_services_do_not_write_the_same_files(
    write: Write, manager: Manager, tmp_path: Path
) -> None:
    with running(write(text()), manager) as robot:
        other = Running(tmp_path / "robot.toml", manager)
        other.thread.start()
        other.thread.join(PATIENCE_S)
        assert "another service writes" in str(other.ended[0])
        write(text().replace("out.parquet", "other.parquet"))
        robot.reload()
        write(text().replace("out.parquet", "third.parquet"))
        robot.reload()
        with Places() as places:
            write(text().replace("out.parquet", "other.parquet"))
            places.take(read_robot_config(tmp_path / "robot.toml"))
            robot.reload()
            assert "another service writes" in (robot.service.health().config_error or "")
    with Places() as places:
        places.take(read_robot_config(tmp_path / "robot.toml"))


def test_a_folder_that_is_not_there_is_told(write: Write, manager: Manager) -> None:
    robot = Running(write(text().replace("out.parquet", "nowhere/out.parquet")), manager)
    robot.thread.start()
    robot.thread.join(PATIENCE_S)
    assert "nowhere" in str(robot.ended[0])
    assert isinstance(robot.ended[0], InputError)
