# SPDX-License-Identifier: Apache-2.0
"""`sensebind recover` from the outside."""

from __future__ import annotations

import json
from struct import pack
from typing import TYPE_CHECKING

import numpy as np

from sensebind.sinks import open_live_sink
from sensebind.sinks.reading import open_records
from sensebind.types import SampleBlock
from tests.support.recorded import IMU, Taken, contents, read_back
from tests.support.recorded import record as record_blocks
from tests.support.records import record, run_metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]


def interrupted(path: Path, count: int) -> Path:
    sink = open_live_sink(path, run_metadata())
    for index in range(count):
        sink.write(record(index))
    sink.abort()
    return path


def test_the_output_appears_and_is_told(run: Run, tmp_path: Path) -> None:
    paths = [
        interrupted(tmp_path / name, count) for name, count in (("a.parquet", 3), ("b.parquet", 1))
    ]
    ran = run("recover", *paths)
    assert (ran.code, ran.out) == (
        0,
        f"recovered 3 embeddings in {paths[0]}\nrecovered 1 embedding in {paths[1]}\n",
    )
    assert [open_records(path).count for path in paths] == [3, 1]


def test_a_folder_is_no_output(run: Run) -> None:
    ran = run("recover", "/")
    assert ran.code == 2
    assert "cannot write '/': its suffix '' is not a format we write" in ran.err


def test_json_for_programs(run: Run, tmp_path: Path) -> None:
    path = interrupted(tmp_path / "a.jsonl", 2)
    assert json.loads(run("recover", path, "--json").out) == {"out": str(path), "embeddings": 2}


def test_nothing_to_recover_is_bad_input(run: Run, tmp_path: Path) -> None:
    ran = run("recover", tmp_path / "a.parquet")
    assert ran.code == 2
    assert "there are no parts to recover in" in ran.err


def test_a_recording_is_completed(run: Run, tmp_path: Path) -> None:
    block = SampleBlock(IMU, np.arange(4) + 10**9, np.zeros((4, 6)))
    recorder = record_blocks(tmp_path / "whole.mcap", [Taken(10**9, block)])
    path = tmp_path / "a.mcap"
    recorder.path.rename(f"{path}.part")
    ran = run("recover", path)
    assert (ran.code, ran.out) == (0, f"recovered 4 messages in {path}\n")
    assert contents(read_back(path)) == contents([block])


def test_a_recording_is_completed_for_programs(run: Run, tmp_path: Path) -> None:
    block = SampleBlock(IMU, np.arange(4) + 10**9, np.zeros((4, 6)))
    recorder = record_blocks(tmp_path / "whole.mcap", [Taken(10**9, block)])
    path = tmp_path / "a.mcap"
    recorder.path.rename(f"{path}.part")
    assert json.loads(run("recover", path, "--json").out) == {"out": str(path), "messages": 4}


def test_zeros_that_a_loss_of_power_leaves_are_cut_off(run: Run, tmp_path: Path) -> None:
    block = SampleBlock(IMU, np.arange(4) + 10**9, np.zeros((4, 6)))
    recorder = record_blocks(tmp_path / "whole.mcap", [Taken(10**9, block)])
    whole = recorder.path.read_bytes()
    data_end = whole.rindex(pack("<BQI", 15, 4, 0))
    (tmp_path / "a.mcap.part").write_bytes(whole[:data_end] + bytes(9 * 9999))
    assert run("recover", tmp_path / "a.mcap").out.startswith("recovered 4 messages")
    assert (tmp_path / "a.mcap").read_bytes() == whole


def test_a_damaged_recording_stays_and_can_be_replayed(run: Run, tmp_path: Path) -> None:
    block = SampleBlock(IMU, np.arange(4) + 10**9, np.zeros((4, 6)))
    recorder = record_blocks(tmp_path / "whole.mcap", [Taken(10**9, block)])
    part = tmp_path / "a.mcap.part"
    channel, sequence, receive_ns = 1, 3, 10**9
    head = pack("<HIQ", channel, sequence, receive_ns)
    octets = recorder.path.read_bytes()
    assert octets.count(head) == 1
    part.write_bytes(octets.replace(head, pack("<HIQ", 119, sequence, receive_ns)))
    ran = run("recover", tmp_path / "a.mcap")
    assert ran.code == 1
    assert "it is damaged (119); what can be read of it is read as it is: sen" in ran.err
    assert f"sensebind replay {part}" in ran.err
    assert part.exists()


def test_what_is_no_recording_is_bad_input(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.mcap.part").write_bytes(b"text")
    ran = run("recover", tmp_path / "a.mcap")
    assert ran.code == 2
    assert "is no recording; remove it" in ran.err
