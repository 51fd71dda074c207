# SPDX-License-Identifier: Apache-2.0
"""A robot's service in a thread, on devices that a test feeds."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from sensebind import Bundle, Pipeline, PipelineConfig
from sensebind.robot.notify import Notifier
from sensebind.robot.outputs import finished_files
from sensebind.robot.reading import read_robot_config
from sensebind.robot.service import Service
from sensebind.sinks.reading import open_records
from sensebind.sources.base import SourceReport
from tests.support.running import IMU, PATIENCE_S, imu_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sensebind.config import StreamConfig
    from sensebind.sources.base import LiveStreamInfo
    from sensebind.types import Block

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


class Manager:
    """A service manager that a notifier talks to."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.settimeout(PATIENCE_S)
        self.notifier = Notifier({"NOTIFY_SOCKET": str(folder / "notify"), **environ})

    def next(self) -> str:
        """What it was told next."""
        return self._socket.recv(4096).decode()

    def until(self, beginning: str) -> list[str]:
        """What it was told, up to a message that begins so."""
        heard = [self.next()]
        while not heard[-1].startswith(beginning):
            heard.append(self.next())
        return heard

    def heard(self) -> list[str]:
        """What it was told and has not read yet."""
        self._socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.next())
        except BlockingIOError:
            return found
        finally:
            self._socket.settimeout(PATIENCE_S)

    def close(self) -> None:
        self._socket.close()


class FedSource:
    """A live source that delivers what the test feeds it."""

    name = "fed"

    def __init__(self, error: Exception | None = None) -> None:
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
        self.thread = Thread(target=self._run, daemon=True)

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
def started(path: Path, manager: Manager) -> Iterator[Running]:
    """Run a service, and stop it at the end."""
    robot = Running(path, manager)
    robot.thread.start()
    try:
        yield robot
    finally:
        robot.service.stop()
        robot.thread.join(PATIENCE_S)
    assert not robot.thread.is_alive()


@contextmanager
def running(path: Path, manager: Manager) -> Iterator[Running]:
    """The same; it is ready."""
    with started(path, manager) as robot:
        manager.until("READY=1")
        yield robot


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
