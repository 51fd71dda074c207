# SPDX-License-Identifier: Apache-2.0
"""Search over records: exact, over several files, moments of one recording on one clock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from sensebind import search
from sensebind.errors import InputError
from sensebind.sinks import columns, open_sink
from sensebind.sinks.base import finishing
from sensebind.sinks.reading import RecordFile, open_records
from tests.support.records import record, run_metadata

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

DIM = 8
BEGIN_NS = 1_700_000_000_000_000_000 - 2_000_000_000


def write(path: Path, indices: range, stream: str = "/imu", **metadata: Any) -> RecordFile:
    made = msgspec.structs.replace(run_metadata(DIM), **metadata)
    with finishing(open_sink(path, made)) as sink:
        for index in indices:
            one = record(index, DIM)
            sink.write(replace(one, embedding=replace(one.embedding, stream=stream)))
    return open_records(path)


def vector(index: int) -> NDArray[np.float32]:
    return record(index, DIM).embedding.vector


def test_the_best_moment_is_the_window_of_the_largest_cosine(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", range(200))
    for query in (vector(77), vector(1001)):
        cosines = [float(np.dot(vector(i).astype(float), query.astype(float))) for i in range(200)]
        (found,) = search.search([file], search.combine([query]), 1)
        assert found.score == pytest.approx(max(cosines), abs=1e-6)
        assert found.best_ns == BEGIN_NS + int(np.argmax(cosines)) * 500_000_000 + 10**9
        assert found.begin_ns == BEGIN_NS


def test_files_are_read_a_few_rows_at_a_time_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "a.parquet", range(50))
    query = search.combine([vector(3)])
    whole = search.search([file], query, 5)
    monkeypatch.setattr(columns, "_ROWS_AT_ONCE", 7)
    sizes = [len(rows.vectors) for rows in columns.stream_rows(file)]
    assert max(sizes) <= 7
    assert search.search([file], query, 5) == whole


def test_parts_of_one_recording_are_one_timeline(tmp_path: Path) -> None:
    query = search.combine([vector(12)])
    whole = search.search([write(tmp_path / "w.parquet", range(30))], query, 4)
    parts = [write(tmp_path / f"{i}.parquet", range(i, i + 10)) for i in (20, 0, 10)]
    assert search.search(parts, query, 4) == whole


def test_recordings_have_begins_of_their_own(tmp_path: Path) -> None:
    one = write(tmp_path / "a.parquet", range(10))
    other = write(tmp_path / "b.parquet", range(10, 20), source="b.mcap", source_sha256="d" * 64)
    found = search.search([one, other], search.combine([vector(15)]), 3)
    assert found[0].recording == "b.mcap"
    assert found[0].begin_ns == BEGIN_NS + 10 * 500_000_000


def test_only_the_streams_asked_for(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{s}.parquet", range(9), f"/{s}") for s in ("one", "other")]
    found = search.search(files, search.combine([vector(3)]), 9, streams=["/other"])
    assert {moment.stream for moment in found} == {"/other"}


def test_the_moment_of_the_query_itself_is_no_result(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", range(40))
    recording = search.recording_of(file)
    place, found = search.vector_at([file], recording, "/imu", BEGIN_NS + 6 * 10**9)
    assert found.tobytes() == vector(10).tobytes()
    query = search.combine([found])
    assert search.search([file], query, 1)[0].score == pytest.approx(1.0)
    others = search.search([file], query, 5, without=[place])
    assert all(m.start_ns > place.end_ns or m.end_ns < place.start_ns for m in others)
    assert others[0].score < 0.999


def test_arithmetic_is_of_unit_vectors_and_normalised() -> None:
    a, b, c = (vector(i).astype(float) for i in range(3))
    expected = a + b - c
    found = search.combine([3 * vector(0), vector(1)], [0.1 * vector(2)])
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


def test_what_cancels_is_refused() -> None:
    with pytest.raises(InputError, match="cancel each other out"):
        search.combine([vector(0)], [vector(0)])


def test_another_space_is_refused_by_naming_both(tmp_path: Path) -> None:
    one = write(tmp_path / "a.parquet", range(2))
    other = write(tmp_path / "b.parquet", range(2), space_id="f" * 64, bundle="mine")
    with pytest.raises(InputError, match=r"b.parquet has .* f{16} \(bundle 'mine'\).* a{16}"):
        search.check_spaces([one, other], None)
    with pytest.raises(InputError, match=r"a{16} \(bundle 'made-up'\), the query.*'demo'.* 9{16}"):
        search.check_spaces([one], "9" * 64, "demo")


def test_another_length_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "a.parquet", range(2))
    with pytest.raises(InputError, match="vectors of 8 numbers, the query has 3"):
        search.search([file], np.ones(3), 1)


def test_the_streams_of_records_and_where_they_lie(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.parquet", range(4)), write(tmp_path / "b.parquet", range(9), "/b")]
    (streams,) = search.extents(files).values()
    assert streams["/imu"].end_ns - streams["/imu"].start_ns == 3_500_000_000
    assert search.begin_of(streams) == BEGIN_NS
    assert list(streams) == ["/imu", "/b"]
