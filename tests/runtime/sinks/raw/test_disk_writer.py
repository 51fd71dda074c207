# SPDX-License-Identifier: Apache-2.0
"""When the recorder's thread writes and flushes, whatever comes how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.recording import RecordingMetadata
from sensebind.sinks.raw import disk_writer
from sensebind.sinks.raw.disk_writer import FLUSH_S, DiskWriter
from sensebind.sinks.raw.offers import offer_of
from sensebind.sinks.raw.recording_file import RecordingFile
from sensebind.sinks.raw.report import RecorderReport
from sensebind.types import Frame, FrameBlock, SampleBlock
from tests.support.recorded import CAMERA, IMU, STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.types import Block


class Watched(RecordingFile):
    """A file that tells what became of it."""

    done: list[str]

    def write(self, chunk: Any) -> None:
        super().write(chunk)
        self.done.append("write")

    def sync(self) -> None:
        self.done.append("sync")


class Time:
    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(disk_writer, "time", made)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path / "a.mcap", RecordingMetadata(version="1", streams={}), compress=False)
    made.done = []
    yield made
    made.complete({})


BLOCK = SampleBlock(IMU, np.arange(2), np.zeros((2, 6)))


def take(writer: DiskWriter, block: Block = BLOCK) -> None:
    offer, parts = offer_of(block, block, 0)
    writer.take(offer, parts)


def test_a_block_waits_no_longer_than_it_may(time: Time, file: Watched) -> None:
    writer = DiskWriter(file, STREAMS, RecorderReport())
    take(writer)
    time.now_s += 0.9 * FLUSH_S
    take(writer)
    writer.tick()
    assert file.done == []
    time.now_s += 0.1 * FLUSH_S
    writer.tick()
    assert file.done == ["write", "sync"]
    time.now_s += 10
    writer.tick()
    assert file.done == ["write", "sync"]  # there was nothing to do


def test_full_chunks_do_not_put_off_the_flush(
    time: Time, file: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_writer, "CHUNK_BYTES", 1)
    writer = DiskWriter(file, STREAMS, RecorderReport())
    for _ in range(20):
        take(writer)
        writer.tick()
        time.now_s += 0.1 * FLUSH_S
    assert file.done.count("write") == 20
    assert file.done.count("sync") == 1


def test_what_the_file_cannot_express_costs_itself_only(time: Time, file: Watched) -> None:
    report = RecorderReport()
    writer = DiskWriter(file, STREAMS, report)
    take(writer, FrameBlock(CAMERA, 1, Frame(b"", "rgb8", width=-1)))
    take(writer, FrameBlock(CAMERA, 1, Frame(b"", None)))  # type: ignore[arg-type]
    take(writer)
    writer.flush()
    assert report.lost == {CAMERA: {"the file cannot express it": 2}}
    assert report.written == {IMU: 2}


def test_a_listener_that_fails_is_no_harm() -> None:
    def fail(_: str) -> None:
        raise RuntimeError

    report = RecorderReport(_tell=fail)
    report.note("something")
    report.note("something")
    assert report.notes == ["something"]
