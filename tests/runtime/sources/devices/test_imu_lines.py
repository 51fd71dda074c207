# SPDX-License-Identifier: Apache-2.0
"""Lines of an IMU, whole and broken."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.sources.devices.imu_lines import HEADER, LONGEST_LINE, LineReader

GOOD = b"1000,0.1,-0.2,9.8,1e-3,0,.5\n"


def read_all(data: bytes, *, begun: bool = False) -> tuple[list[int], dict[str, int]]:
    reader = LineReader(begun=begun)
    stamps_ns, _ = reader.push(data)
    return stamps_ns.tolist(), dict(reader.garbage)


def test_a_line_is_a_reading() -> None:
    stamps_ns, values = LineReader(begun=False).push(GOOD + b" 2000 , 1,2,3,\t4,5,6 \r\n")
    assert stamps_ns.dtype == np.int64
    assert stamps_ns.tolist() == [1000, 2000]
    assert values.tolist() == [[0.1, -0.2, 9.8, 1e-3, 0.0, 0.5], [1, 2, 3, 4, 5, 6]]


def test_stamps_keep_every_nanosecond() -> None:
    assert read_all(b"1763795912123456789,0,0,0,0,0,0\n") == ([1763795912123456789], {})


def test_headers_comments_and_empty_lines_are_left_out() -> None:
    assert read_all(HEADER + b"\r\n# an IMU\n\n\r\n" + GOOD) == ([1000], {})


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (b"1000,1,2,3,4,5", "not 7 fields"),
        (b"1000,1,2,3,4,5,6,7", "not 7 fields"),
        (b"1000,1,2,3,4,5,6" + b"1000,1,2,3,4,5,6", "not 7 fields"),
        (b"1000,1,2,nan,4,5,6", "not numbers"),
        (b"1000,1,2,inf,4,5,6", "not numbers"),
        (b"1000,1,2,1e999,4,5,6", "impossible numbers"),
        (b"1000,1,,3,4,5,6", "not numbers"),
        (b"10_00,1,2,3,4,5,6", "not numbers"),
        (b"1.5,1,2,3,4,5,6", "not numbers"),
        (b"-1,1,2,3,4,5,6", "impossible numbers"),
        (b"99999999999999999999,1,2,3,4,5,6", "impossible numbers"),
        (b"\x00\xff\xfe,,,,,,", "not numbers"),
        (b"1," * LONGEST_LINE, "line too long"),
        (b"9" * 5000 + b",1,2,3,4,5,6", "line too long"),
    ],
)
def test_garbage_costs_its_line_only(line: bytes, cause: str) -> None:
    assert read_all(GOOD + line + b"\n" + GOOD) == ([1000, 1000], {cause: 1})


def test_the_rest_of_a_line_that_had_begun_is_no_reading() -> None:
    assert read_all(b"00,0,0,0,0,0,0\n" + GOOD, begun=True) == ([1000], {})


def test_a_line_without_end_is_bounded_and_counted_once() -> None:
    reader = LineReader(begun=False)
    for _ in range(1000):
        reader.push(b"x" * 100)
        assert len(reader._rest) <= LONGEST_LINE
    stamps_ns, _ = reader.push(b",0,0,0,0,0,0\n" + GOOD)
    assert stamps_ns.tolist() == [1000]
    assert dict(reader.garbage) == {"line too long": 1}


lines = st.lists(
    st.one_of(
        st.just(GOOD),
        st.binary(max_size=40).map(lambda noise: noise + b"\n"),
        st.sampled_from([b"1,2,3\n", b"7,1,2,3,4,5,6\r\n", b"x" * 300 + b"\n"]),
    ),
    max_size=12,
).map(b"".join)


@given(data=lines, cuts=st.lists(st.integers(0, 4000), max_size=10))
def test_pieces_of_any_size_give_the_same(data: bytes, cuts: list[int]) -> None:
    """Also noise: it never raises, and what comes behind a line's end is read again."""
    whole = LineReader(begun=False)
    stamps_ns, values = whole.push(data + GOOD)
    pieces = LineReader(begun=False)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data + GOOD)]
    parts = [pieces.push((data + GOOD)[begin:end]) for begin, end in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate([part[0] for part in parts]), stamps_ns)
    np.testing.assert_array_equal(np.concatenate([part[1] for part in parts]), values)
    assert pieces.garbage == whole.garbage
    assert stamps_ns[-1] == 1000 or not data.endswith(b"\n")
