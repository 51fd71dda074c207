# SPDX-License-Identifier: Apache-2.0
"""Disks that are full, slow or gone, and recorders that are killed: nothing saved is lost."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.errors import InputError, SinkError, SourceError
from sensebind.sinks import recover
from sensebind.sinks.raw import disk_writer, steady_file
from sensebind.sinks.recorder import Recorder
from sensebind.sources import open_source
from sensebind.types import SampleBlock
from tests.support.processes import program
from tests.support.recorded import IMU, STREAMS, Taken, contents, offer, read_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS = 50


def block(number: int) -> Taken:
    """Fifty readings that tell their number."""
    values = np.full((ROWS, 6), float(number))
    return Taken(number * 10**9, SampleBlock(IMU, number * 10**9 + np.arange(ROWS), values))


def numbers(path: Path) -> list[object]:
    """The numbers of the blocks in a recording, and "break" for breaks."""
    parts = contents(read_back(path)).get(IMU, [])
    return [
        part if part == "break" else int(np.frombuffer(part[1])[0])  # type: ignore[index]
        for part in parts
        if part == "break" or part[0] % 10**9 == 0  # type: ignore[index]
    ]


class Disk:
    """Stands between a recorder and the disk.

    Attributes:
        fault: error number of every write from now on; 0 for none.
        asked: a write was tried.
        answers: writes wait for it.
    """

    def __init__(self) -> None:
        self.fault = 0
        self.asked = threading.Event()
        self.answers = threading.Event()
        self.answers.set()

    def pwrite(self, descriptor: int, octets: memoryview, position: int) -> int:
        self.asked.set()
        assert self.answers.wait(30)
        if self.fault:
            written = os.pwrite(descriptor, octets[: len(octets) // 2], position)
            assert written  # what a disk does that fills up on the way
            raise OSError(self.fault, os.strerror(self.fault))
        return os.pwrite(descriptor, octets, position)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that obeys; every block is a chunk of its own."""
    made = Disk()

    class Os:
        def __getattr__(self, name: str) -> object:
            return made.pwrite if name == "pwrite" else getattr(os, name)

    monkeypatch.setattr(steady_file, "os", Os())
    monkeypatch.setattr(disk_writer, "CHUNK_BYTES", 1)
    return made


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def recorder(tmp_path: Path, disk: Disk, told: list[str]) -> Iterator[Recorder]:
    """A recorder with room for three blocks in its queue."""
    made = Recorder(tmp_path / "a.mcap", queue_bytes=10_000, tell=told.append)
    made.begin(STREAMS)
    yield made
    disk.answers.set()
    made.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread to bring something about."""
    waiting = threading.Event()
    for _ in range(30_000):
        if condition():
            return
        waiting.wait(0.001)
    raise AssertionError("it did not happen within 30 s")


def write(recorder: Recorder, taken: Taken) -> None:
    """Offer a block and wait until it has been written or lost."""
    before = fates(recorder)
    offer(recorder, taken)
    until(lambda: fates(recorder) == before + ROWS)


def fates(recorder: Recorder) -> int:
    lost = sum(recorder.report.lost.get(IMU, {}).values())
    return recorder.report.written[IMU] + lost


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_disk_that_fills_up_costs_what_does_not_fit(
    recorder: Recorder, disk: Disk, told: list[str], fault: int
) -> None:
    write(recorder, block(0))
    write(recorder, block(1))
    disk.fault = fault
    write(recorder, block(2))
    write(recorder, block(3))
    assert recorder.report.written[IMU] == 2 * ROWS
    assert recorder.report.lost == {IMU: {"could not be written": 2 * ROWS}}
    assert numbers(Path(f"{recorder.path}.part")) == [0, 1]  # at this very moment
    disk.fault = 0
    write(recorder, block(4))
    assert len(told) == 2
    assert os.strerror(fault) in told[0]
    assert told[1] == "the recording goes on"
    recorder.close()
    assert numbers(recorder.path) == [0, 1, "break", 4]
    assert _losses(recorder.path) == {IMU: '{"could not be written": 100}'}


def _losses(path: Path) -> dict[str, str]:
    from mcap.reader import make_reader

    with path.open("rb") as stream:
        records = {each.name: each.metadata for each in make_reader(stream).iter_metadata()}
    return records["sensebind.recording.losses"]


def test_a_disk_that_stays_full_still_leaves_a_recording(recorder: Recorder, disk: Disk) -> None:
    write(recorder, block(0))
    disk.fault = errno.ENOSPC
    write(recorder, block(1))
    recorder.close()
    assert numbers(recorder.path) == [0]


def test_a_disk_that_takes_nothing_harms_nothing(recorder: Recorder, disk: Disk) -> None:
    recorder.path.write_bytes(b"earlier")
    disk.fault = errno.ENOSPC
    write(recorder, block(0))
    recorder.close()
    assert recorder.path.read_bytes() == b"earlier"


def test_a_slow_disk_costs_what_does_not_fit_the_queue(recorder: Recorder, disk: Disk) -> None:
    write(recorder, block(0))
    disk.answers.clear()
    disk.asked.clear()
    offer(recorder, block(1))
    assert disk.asked.wait(30)  # block 1 is being written and still in the queue
    for number in (2, 3, 4, 5):
        offer(recorder, block(number))
    assert recorder.report.lost == {IMU: {"the disk was too slow": 2 * ROWS}}
    disk.answers.set()
    until(lambda: recorder.report.written[IMU] == 4 * ROWS)
    write(recorder, block(6))
    recorder.close()
    assert numbers(recorder.path) == [0, 1, 2, 3, "break", 6]


def test_a_flush_that_fails_is_told(
    recorder: Recorder, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(steady_file.SteadyFile, "sync", fail)
    write(recorder, block(0))
    until(lambda: bool(told))
    assert "may not be safe yet" in told[0]
    recorder.close()
    assert numbers(recorder.path) == [0]


def test_a_folder_that_cannot_be_written_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    recorder = Recorder(tmp_path / "a.mcap", queue_bytes=1 << 16)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SinkError, match="read-only, choose another place"):
        recorder.begin(STREAMS)


def test_a_recording_that_cannot_be_named_says_where_it_lies(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    write(recorder, block(0))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        with pytest.raises(SinkError, match=r"it lies in '.*a\.mcap\.part'"):
            recorder.close()
    assert numbers(Path(f"{recorder.path}.part")) == [0]


def test_only_one_writes_a_recording(recorder: Recorder) -> None:
    with pytest.raises(InputError, match=r"interrupted, or another one in progress"):
        Recorder(recorder.path, queue_bytes=1 << 16).begin(STREAMS)
    with pytest.raises(InputError, match="is being written; end the program that records it"):
        recover(recorder.path)


PROGRAM = """
import signal, sys
from pathlib import Path
from sensebind.sinks.recorder import Recorder
from tests.faults.test_recorder import ROWS, block, until
from tests.support.recorded import IMU, STREAMS, offer

if "--polite" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with Recorder(sys.argv[1]) as recorder:
    recorder.begin(STREAMS)
    for number in range(10_000):
        offer(recorder, block(number))
        if number >= 200:
            until(lambda: recorder.report.written[IMU] > number * ROWS)
        if number == 200:
            print(recorder.report.written[IMU], flush=True)
"""


def killed(path: Path, how: signal.Signals, *options: str) -> int:
    """Start a program that records, end it while it does, and return how much it said is safe."""
    with program(
        [sys.executable, "-c", PROGRAM, str(path), *options],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).resolve().parents[2],
    ) as recording:
        assert recording.stdout is not None
        safe = int(recording.stdout.readline())
        recording.send_signal(how)
        recording.wait(60)
    return safe


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_written_survives_the_program(tmp_path: Path, how: signal.Signals) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(b"earlier")
    safe = killed(path, how)
    assert safe == 201 * ROWS
    assert path.read_bytes() == b"earlier"
    read = contents(read_back(Path(f"{path}.part")))[IMU]
    assert len(read) >= safe
    path.unlink()
    with pytest.raises(SourceError, match=r"sensebind recover .*a\.mcap"):
        open_source(path)
    messages = recover(path)
    assert messages == len(read)
    assert contents(read_back(path))[IMU] == read
    assert [each.name for each in tmp_path.iterdir()] == ["a.mcap"]


def test_a_program_that_ends_by_itself_completes_its_recording(tmp_path: Path) -> None:
    safe = killed(tmp_path / "a.mcap", signal.SIGTERM, "--polite")
    assert len(contents(read_back(tmp_path / "a.mcap"))[IMU]) >= safe
    assert [each.name for each in tmp_path.iterdir()] == ["a.mcap"]


def test_a_block_waits_less_than_a_second() -> None:
    assert disk_writer.FLUSH_S <= 1
