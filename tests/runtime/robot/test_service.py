# SPDX-License-Identifier: Apache-2.0
"""The service: begun, told otherwise while it runs, ended; and an engine that hangs."""

from __future__ import annotations

import json
import socket
import time
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from sensebind import Bundle, Pipeline, PipelineConfig
from sensebind import bundle as bundle_module
from sensebind.backends import open_engine
from sensebind.errors import InputError, SourceError
from sensebind.robot.outputs import finished_files
from sensebind.robot.places import Places
from sensebind.robot.reading import read_robot_config
from sensebind.robot.service import Service
from sensebind.sinks.reading import open_records
from tests.support.running import IMU, PATIENCE_S, ScriptedEngine, imu_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sensebind.config import StreamConfig
    from sensebind.sources.base import LiveStreamInfo
    from sensebind.types import Block
    from tests.runtime.robot.conftest import Manager

    Write = Callable[[str], Path]

BASE = """
hop_s = 0.5
ring_s = 60
prompts = "{prompts}"
[streams.imu]
modality = "imu"
policy = "queue"
queue = 1000
{stream}
[output]
file = "out.parquet"
rotate_s = 3600
{more}
"""
BLOCKS = imu_blocks(1200)


def text(prompts: str = "a,b", stream: str = "", more: str = "") -> str:
    return BASE.format(prompts=prompts, stream=stream, more=more)


class FedSource:
    """A live source that delivers what the test feeds it."""

    name = "fed"

    def __init__(self, error: Exception | None = None) -> None:
        from sensebind.sources.base import SourceReport

        self.report = SourceReport()
        self.started = Event()
        self._error = error
        self._deliver: Callable[[Block], None]

    def streams(self) -> list[LiveStreamInfo]:
        if self._error is not None:
            raise self._error
        return [IMU]

    def start(
        self,
        selected: Mapping[str, StreamConfig],  # noqa: ARG002
        deliver: Callable[[Block], None],
        fail: Callable[[Exception], None],  # noqa: ARG002
    ) -> None:
        self._deliver = deliver
        self.started.set()

    def stop(self) -> None: ...

    def feed(self, blocks: list[Block]) -> None:
        assert self.started.wait(PATIENCE_S)
        for block in blocks:
            self._deliver(block)


class Running:
    """A service in a thread, the sources it made, and what it said."""

    def __init__(self, path: Path, manager: Manager) -> None:
        self.sources: list[FedSource] = []
        self.errors: list[Exception | None] = []
        self.said: list[str] = []
        self.ended: list[BaseException | None] = []
        self.manager = manager
        self.service = Service(
            path, notifier=manager.notifier, say=self.said.append, sources=self._made
        )
        self.thread = Thread(target=self._run)

    def _made(self, _devices: object) -> list[FedSource]:
        self.sources.append(FedSource(self.errors.pop(0) if self.errors else None))
        return [self.sources[-1]]

    def _run(self) -> None:
        try:
            self.service.run()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.ended.append(error)

    def feed(self, blocks: list[Block], embedded: int) -> None:
        """Feed the newest source, and wait until so many windows of its run are encoded."""
        self.sources[-1].feed(blocks)
        until(lambda: self.embedded() >= embedded)

    def embedded(self) -> int:
        return sum(stream.embedded for stream in self.service.health().streams.values())

    def reload(self) -> None:
        self.service.reload()
        self.manager.until("RELOADING=1")
        self.manager.until("READY=1")


@contextmanager
def running(path: Path, manager: Manager) -> Iterator[Running]:
    """Run a service until it is ready, and stop it at the end."""
    found = Running(path, manager)
    found.thread.start()
    manager.until("READY=1")
    try:
        yield found
    finally:
        found.service.stop()
        found.thread.join(PATIENCE_S)
    assert not found.thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    """Wait for other threads to bring something about."""
    waiting = Event()
    for _ in range(int(PATIENCE_S / 1e-3)):
        if condition():
            return
        waiting.wait(1e-3)
    raise AssertionError("it did not happen")


def written(folder: Path) -> list[tuple[tuple[str, ...], list[tuple[int, bytes]]]]:
    """The labels, and the keys and vectors, of each file."""
    found = []
    for path in finished_files(folder / "out.parquet"):
        file = open_records(path)
        rows = [(r.embedding.grid_ns, r.embedding.vector.tobytes()) for r in file.records()]
        found.append((file.metadata.labels, rows))
    return found


def expected(folder: Path) -> list[tuple[int, bytes]]:
    """What one pipeline makes of all the blocks."""
    config = read_robot_config(folder / "robot.toml")
    with (
        Bundle.load(config.bundle) as bundle,
        Pipeline(bundle, PipelineConfig(streams=config.streams, hop_s=config.hop_s)) as pipeline,
    ):
        for block in BLOCKS:
            pipeline.push(block)
        return [(e.grid_ns, e.vector.tobytes()) for e in pipeline.flush()]


def test_other_prompts_and_policies_take_effect_without_a_gap(
    write: Write, manager: Manager, tmp_path: Path
) -> None:
    with running(write(text()), manager) as robot:
        robot.feed(BLOCKS[:60], 6)
        write(text("c,d,e", "priority = 3"))
        robot.reload()
        robot.feed(BLOCKS[60:], 18)
        assert robot.service.health().streams["imu"].label in ("c", "d", "e")
    assert robot.ended == []
    assert len(robot.sources) == 1
    assert 'from now on, and without a gap: streams."imu", prompts' in robot.said
    (labels, first), (other_labels, second) = written(tmp_path)
    assert (labels, other_labels) == (("a", "b"), ("c", "d", "e"))
    assert first
    assert second
    assert first + second == expected(tmp_path)


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
    released = Event()

    def before_run(number: int) -> None:
        if number == 8:
            assert released.wait(PATIENCE_S)

    def scripted(backend: str, path: Path, *args: Any, **more: Any) -> Any:
        engine = open_engine(backend, path, *args, **more)
        return ScriptedEngine(engine, before_run) if path.stem == "imu" else engine

    monkeypatch.setattr(bundle_module, "open_engine", scripted)
    with running(write(text()), manager) as robot:
        robot.feed(BLOCKS[:60], 6)
        manager.until("WATCHDOG=1")
        robot.sources[0].feed(BLOCKS[60:])
        manager.until("STATUS=nothing is encoded")
        assert robot.service.health().status == "stuck"
        assert manager.heard() == []
        released.set()
        assert manager.until("STATUS=it gets on")[0] == "WATCHDOG=1"
        assert robot.service.health().status == "running"
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
