# SPDX-License-Identifier: Apache-2.0
"""The Parquet sink: columns, metadata, exactness, determinism, bounded memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensebind.errors import InputError
from sensebind.records import Record, RunMetadata
from sensebind.sinks import open_sink, parquet
from sensebind.sinks.base import SCALAR_COLUMNS, finishing
from sensebind.sinks.columns import stream_rows
from sensebind.sinks.reading import open_records
from tests.support.records import record, run_metadata

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("still", "rough")


def write(path: Path, records: list[Record], metadata: RunMetadata) -> None:
    with finishing(open_sink(path, metadata)) as sink:
        for each in records:
            sink.write(each)


def test_every_column_reads_back_exactly(tmp_path: Path) -> None:
    records = [record(i) for i in range(5)]
    write(tmp_path / "a.parquet", records, run_metadata())
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column_names == [*SCALAR_COLUMNS, "vector"]
    for name in SCALAR_COLUMNS:
        assert table[name].to_pylist() == [getattr(r.embedding, name) for r in records]
    for name in ("grid_ns", "start_ns", "end_ns", "stamp_ns"):
        assert table.schema.field(name).type == pa.int64()
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 8)
    expected = np.stack([r.embedding.vector for r in records])
    found = np.array(table["vector"].to_pylist(), np.float32)
    assert found.tobytes() == expected.tobytes()


def test_labels_add_label_and_scores(tmp_path: Path) -> None:
    records = [record(0, scores=[0.1, 0.9], labels=LABELS), record(1, scores=[1, 0], labels=LABELS)]
    write(tmp_path / "a.parquet", records, run_metadata(labels=LABELS))
    table = pq.read_table(tmp_path / "a.parquet")
    assert table["label"].to_pylist() == ["rough", "still"]
    assert table.schema.field("scores").type == pa.list_(pa.float32(), 2)
    assert np.array(table["scores"].to_pylist(), np.float32)[0].tolist() == [
        np.float32(0.1),
        np.float32(0.9),
    ]


@pytest.mark.parametrize("whole", [True, False])
def test_damaged_rows_are_named(tmp_path: Path, whole: bool) -> None:
    path = tmp_path / "a.parquet"
    write(path, [record(i) for i in range(50)], run_metadata())
    octets = bytearray(path.read_bytes())
    octets[4:2000] = bytes(range(256)) * 7 + bytes(204)
    path.write_bytes(octets)
    file = open_records(path)
    with pytest.raises(InputError, match=r"a\.parquet: its records cannot be read: .*; write the"):
        list(file.records() if whole else stream_rows(file))


def test_metadata_that_are_no_text_are_named(tmp_path: Path) -> None:
    table = pa.table({name: [0] for name in (*SCALAR_COLUMNS, "vector")})
    keys = {b"sensebind.version": b'"\xff"', b"\xff": b"\xff"}
    pq.write_table(table.replace_schema_metadata(keys), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"metadata of a SenseBind run is missing or damaged"):
        open_records(tmp_path / "a.parquet")


def test_metadata_are_json_under_the_project_prefix(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [record()], run_metadata())
    stored = pq.read_schema(tmp_path / "a.parquet").metadata
    found = {key.decode(): json.loads(value) for key, value in stored.items()}
    assert found["sensebind.encoder_ids"] == {"imu": "e" * 64}
    assert found["sensebind.source_sha256"] == "c" * 64
    assert found["sensebind.windows"]["/imu"]["hop_s"] == 0.5
    assert set(found) == {f"sensebind.{name}" for name in RunMetadata.__struct_fields__}


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    records = [record(i, scores=[0.5, 0.25], labels=LABELS) for i in range(50)]
    for name in ("a.parquet", "b.parquet"):
        write(tmp_path / name, records, run_metadata(labels=LABELS))
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_an_empty_run_is_a_valid_file(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [], run_metadata())
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.num_rows == 0
    assert table.column_names[-1] == "vector"


def test_row_groups_bound_what_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_ROW_GROUP_BYTES", 10 * 8 * 4)
    write(tmp_path / "a.parquet", [record(i) for i in range(25)], run_metadata())
    file = pq.ParquetFile(tmp_path / "a.parquet")
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert sizes == [10, 10, 5]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_a_record_that_does_not_fit_is_refused(tmp_path: Path, suffix: str) -> None:
    sink = open_sink(tmp_path / f"a.{suffix}", run_metadata())
    with pytest.raises(InputError, match=r"'/imu' has shape \(4,\), expected \(8,\)"):
        sink.write(record(dim=4))
    with pytest.raises(InputError, match=r"label 'still' and 2 scores, expected .* \(0\)"):
        sink.write(record(scores=[1, 0], labels=LABELS))
    sink.abort()
    assert not list(tmp_path.iterdir())
