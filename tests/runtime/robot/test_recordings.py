# SPDX-License-Identifier: Apache-2.0
"""Recordings that are begun anew: no block is lost, and several read as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.config import StreamConfig
from sensebind.errors import SinkError
from sensebind.flow.incidents import Incidents
from sensebind.robot import recordings
from sensebind.robot.config import RecordConfig
from sensebind.robot.outputs import finished_files
from sensebind.robot.recordings import Recordings
from sensebind.sinks.recorder import Recorder
from sensebind.sources import open_source
from sensebind.types import Modality, SampleBlock
from tests.support.running import imu_blocks

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.flow.incidents import Incident

STREAMS = {"imu": StreamConfig(modality=Modality.IMU)}
KNOWN = {"imu": {"kind": "samples", "clock": "reference", "rate_hz": 100.0}}
BLOCKS = [block for block in imu_blocks(300) if isinstance(block, SampleBlock)]


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "_GRACE_S", 0.0)


def stamps(paths: list[Path]) -> list[int]:
    with open_source(paths) as source:
        found = [b.stamps_ns for b in source.blocks(STREAMS, "log") if isinstance(b, SampleBlock)]
    return list(np.concatenate(found))


def record(out: Recordings, blocks: list[SampleBlock]) -> None:
    for block in blocks:
        out.offer(block, block, int(block.stamps_ns[-1]))


def test_no_block_is_lost_between_two_recordings(tmp_path: Path) -> None:
    config = RecordConfig(file=str(tmp_path / "raw.mcap"), rotate_s=0)
    kept: list[Incident] = []
    with Recordings(config, Incidents(kept)) as out:
        out.begin(STREAMS, KNOWN)
        for part in (BLOCKS[:10], BLOCKS[10:20]):
            record(out, part)
            out.rotate()
        record(out, BLOCKS[20:])
    files = finished_files(tmp_path / "raw.mcap")
    assert len(files) == 3
    assert stamps(files) == [int(ns) for block in BLOCKS for ns in block.stamps_ns]
    assert kept == []


def test_old_recordings_are_removed(tmp_path: Path) -> None:
    config = RecordConfig(file=str(tmp_path / "raw.mcap"), rotate_s=0, keep=1)
    with Recordings(config, Incidents([])) as out:
        out.begin(STREAMS, KNOWN)
        record(out, BLOCKS[:10])
        out.rotate()
        record(out, BLOCKS[10:])
    files = finished_files(tmp_path / "raw.mcap")
    assert stamps(files) == [int(ns) for block in BLOCKS[10:] for ns in block.stamps_ns]


def test_a_recording_goes_on_where_no_other_can_be_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Incident] = []
    config = RecordConfig(file=str(tmp_path / "raw.mcap"), rotate_s=0)
    with Recordings(config, Incidents(kept)) as out:
        out.begin(STREAMS, KNOWN)
        record(out, BLOCKS[:10])

        def full(*_args: object) -> None:
            raise SinkError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(Recorder, "begin", full)
            out.rotate()
        record(out, BLOCKS[10:])
    assert [i.what for i in kept] == ["the disk is full; it goes on in the same file"]
    (file,) = finished_files(tmp_path / "raw.mcap")
    assert len(stamps([file])) == 300
