# SPDX-License-Identifier: Apache-2.0
"""Manifests: what rows may say, and what is said of rows that cannot be used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from sensebind.errors import InputError
from sensebind.types import Modality
from sensebind_engines.data.manifest import (
    FileRef,
    StreamRef,
    VectorRef,
    read_manifest,
)
from tests.support import datasets

if TYPE_CHECKING:
    from pathlib import Path

ROWS: list[dict[str, Any]] = [
    {"vision": "a.jpg", "text": ["a cat", "one cat"], "label": "cat", "key": "7", "split": "train"},
    {"recording": "r.mcap", "depth": {"stream": "/d", "focal_px": 60.0}, "grid_ns": 500_000_000},
    {"imu": "a.csv", "text": ["it spins"], "label": "spin"},
]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_rows_say_where_each_modality_is(tmp_path: Path, suffix: str) -> None:
    entries = read_manifest(datasets.manifest(tmp_path / f"m{suffix}", *ROWS))
    first, second, third = entries
    vision = first.source(Modality.VISION)
    assert vision is not None
    assert vision[0] == FileRef(file="a.jpg")
    assert first.row.texts() == ("a cat", "one cat")
    assert first.row.labels(Modality.AUDIO) == ("cat",)
    assert (first.row.key, first.row.split) == ("7", "train")
    assert first.source(Modality.TEXT) is None
    depth = second.source(Modality.DEPTH)
    assert depth is not None
    assert depth[0] == StreamRef(stream="/d")
    assert depth[1].focal_px == 60.0
    assert third.timeless() == [Modality.TEXT]
    assert [entry.number for entry in entries] == [1, 2, 3]


def test_vectors_and_labels_of_one_modality(tmp_path: Path) -> None:
    row = {
        "imu": "a.csv",
        "text": {"vector": "t.npy", "index": 3},
        "label": {"imu": ["spin", "bump"]},
    }
    (entry,) = read_manifest(datasets.manifest(tmp_path / "m.jsonl", row))
    assert entry.vector(Modality.TEXT) == VectorRef(vector="t.npy", index=3)
    assert entry.vector(Modality.IMU) is None
    assert entry.row.texts() == ()
    assert entry.timeless() == [Modality.TEXT]
    assert entry.row.labels(Modality.IMU) == ("spin", "bump")
    assert entry.row.labels(Modality.VISION) == ()


def test_empty_lines_keep_the_numbers_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"imu": "a.csv"}\n\n{"imu": "b.csv"}\n')
    assert [entry.number for entry in read_manifest(path)] == [1, 3]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"visio": "a.jpg"}, "unknown field `visio`; the keys of a row are: recording, grid_ns"),
        ({}, "it names nothing; expected one of vision, text"),
        ({"imu": "a.csv", "grid_ns": 3}, "grid_ns belongs to a recording"),
        ({"imu": "a.csv", "start_ns": 4, "end_ns": 4}, "start_ns 4 is not before end_ns 4"),
        ({"imu": "a.csv", "label": {"smell": "x"}}, "Invalid enum value 'smell'"),
        ({"imu": "a.csv", "text": []}, "length >= 1"),
        ({"imu": 3}, "Expected `str | object | null`, got `int`"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: dict[str, Any], problem: str) -> None:
    path = datasets.manifest(tmp_path / "m.jsonl", {"imu": "a.csv"}, row)
    with pytest.raises(InputError, match=f"m.jsonl, row 2: .*{re.escape(problem)}"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"imu": {"stream": "/imu"}}, "expected a table with 'file' or 'vector'"),
        ({"recording": "r.mcap", "imu": {"file": "a.csv"}}, "a table with 'stream' or 'vector'"),
        ({"imu": {"file": "a.csv", "hop_s": -1}}, "Expected `float` >= 0.001"),
        ({"imu": {"file": "a.csv", "colour": "red"}}, "unknown field `colour`"),
        ({"imu": {"vector": "a.npy", "index": -1}}, "Expected `int` >= 0"),
        ({"imu": {"vector": "a.npy"}}, "missing required field `index`"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, row: dict[str, Any], problem: str) -> None:
    (entry,) = read_manifest(datasets.manifest(tmp_path / "m.jsonl", row))
    with pytest.raises(InputError, match=f"m.jsonl, row 1: imu.*{re.escape(problem)}"):
        entry.source(Modality.IMU)


def test_files_that_are_no_manifests(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"m.csv is no manifest; expected a .jsonl or .parquet"):
        read_manifest(tmp_path / "m.csv")
    with pytest.raises(InputError, match=r"cannot read the manifest .*m.jsonl: No such file"):
        read_manifest(tmp_path / "m.jsonl")
    with pytest.raises(InputError, match="cannot read the manifest"):
        read_manifest(tmp_path / "m.parquet")
    (tmp_path / "m.jsonl").write_text('{"imu": "a.csv"\n')
    with pytest.raises(InputError, match="row 1: not a line of JSON"):
        read_manifest(tmp_path / "m.jsonl")
    (tmp_path / "m.jsonl").write_text("\n")
    with pytest.raises(InputError, match=r"m.jsonl has no rows"):
        read_manifest(tmp_path / "m.jsonl")
    (tmp_path / "m.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="cannot read the manifest"):
        read_manifest(tmp_path / "m.parquet")
