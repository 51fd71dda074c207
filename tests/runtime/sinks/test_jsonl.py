# SPDX-License-Identifier: Apache-2.0
"""The JSON lines sink: one metadata line, exact and short floats."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sensebind.records import RunMetadata
from sensebind.sinks import open_sink
from sensebind.sinks.base import SCALAR_COLUMNS, finishing
from sensebind.sinks.jsonl import _exact
from tests.support.records import record, run_metadata

if TYPE_CHECKING:
    from pathlib import Path

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def test_first_the_metadata_then_a_line_per_record(tmp_path: Path) -> None:
    records = [record(i, scores=[0.5, 0.25], labels=("a", "b")) for i in range(3)]
    metadata = run_metadata(labels=("a", "b"))
    with finishing(open_sink(tmp_path / "x.jsonl", metadata)) as sink:
        for each in records:
            sink.write(each)
    head, *lines = (tmp_path / "x.jsonl").read_text().splitlines()
    assert msgspec.convert(json.loads(head)["metadata"], RunMetadata) == metadata
    rows = [json.loads(line) for line in lines]
    assert [list(row) for row in rows] == [[*SCALAR_COLUMNS, "vector", "label", "scores"]] * 3
    assert rows[2]["grid_ns"] == records[2].embedding.grid_ns
    assert rows[0]["label"] == "a"
    for row, each in zip(rows, records, strict=True):
        assert np.array(row["vector"], np.float32).tobytes() == each.embedding.vector.tobytes()


def test_without_prompts_there_are_no_label_columns(tmp_path: Path) -> None:
    with finishing(open_sink(tmp_path / "x.jsonl", run_metadata())) as sink:
        sink.write(record())
    row = json.loads((tmp_path / "x.jsonl").read_text().splitlines()[1])
    assert list(row) == [*SCALAR_COLUMNS, "vector"]
    assert row["modality"] == "imu"


@given(arrays(np.float32, st.integers(0, 20), elements=FLOATS))
def test_floats_read_back_exactly(values: np.ndarray) -> None:
    text = bytes(_exact(values))
    assert np.array(json.loads(text), np.float32).tobytes() == values.tobytes()


def test_floats_are_as_short_as_float32_allows() -> None:
    assert bytes(_exact(np.array([0.1, -1, 1e-7], np.float32))) == b"[0.1,-1.0,1e-07]"
