# SPDX-License-Identifier: Apache-2.0
"""Joining accelerations and angular velocities against a naive search, in blocks of any size."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.sources import imu_join
from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.imu_join import MAX_INTERVAL_NS, RESET_NS, Half, ImuJoiner
from sensebind.sources.imu_pairs import half_by_name, halves_of, pairs_in, with_asked_for

MS = 1_000_000
Samples = list[tuple[int, tuple[float, float, float]]]

stamps = st.lists(st.integers(0, 300), max_size=16, unique=True).map(sorted)


def samples(stamps_ms: list[int], seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    return [(stamp * MS, (*rng.normal(size=3).tolist(),)) for stamp in stamps_ms]


def naive(accel: Samples, gyro: Samples) -> tuple[list[int], list[list[float]], Counter[str]]:
    """One angular velocity after the other, each searching all accelerations."""
    stamps_ns, rows, lost = [], [], Counter[str]()
    for stamp_ns, rates in gyro:
        before = [sample for sample in accel if sample[0] <= stamp_ns]
        after = [sample for sample in accel if sample[0] >= stamp_ns]
        if not after:
            lost["after the last acceleration"] += 1
        elif not before:
            lost["before the first acceleration"] += 1
        elif after[0][0] - before[-1][0] > MAX_INTERVAL_NS:
            lost["gap in the accelerations"] += 1
        else:
            (begin_ns, begin), (end_ns, end) = before[-1], after[0]
            share = (stamp_ns - begin_ns) / max(end_ns - begin_ns, 1)
            row = [a + share * (b - a) for a, b in zip(begin, end, strict=True)]
            stamps_ns.append(stamp_ns)
            rows.append([*row, *rates])
    return stamps_ns, rows, lost


def push(joiner: ImuJoiner, half: Half, part: Samples) -> tuple[list[int], list[list[float]]]:
    stamps_ns = np.array([stamp for stamp, _ in part], np.int64)
    values = np.array([value for _, value in part], np.float64).reshape(-1, 3)
    joined_ns, rows = joiner.push(half, stamps_ns, values)
    assert joined_ns.dtype == np.int64
    assert rows.shape == (len(joined_ns), 6)
    return joined_ns.tolist(), rows.tolist()


@given(stamps, stamps, st.data())
def test_any_blocks_in_any_order_equal_the_naive_search(
    accel_ms: list[int], gyro_ms: list[int], data: st.DataObject
) -> None:
    halves = {Half.ACCELERATION: samples(accel_ms, 1), Half.ROTATION: samples(gyro_ms, 2)}
    expected_ns, expected, lost = naive(*halves.values())
    joiner = ImuJoiner()
    stamps_ns: list[int] = []
    rows: list[list[float]] = []
    while any(halves.values()):
        half = data.draw(st.sampled_from([half for half in Half if halves[half]]))
        size = data.draw(st.integers(0, len(halves[half])))
        joined_ns, joined = push(joiner, half, halves[half][:size])
        halves[half] = halves[half][size:]
        stamps_ns += joined_ns
        rows += joined
    joiner.flush()
    assert stamps_ns == expected_ns
    assert rows == expected
    assert joiner.lost == lost


def test_lines_between_accelerations() -> None:
    joiner = ImuJoiner()
    push(joiner, Half.ROTATION, [(5 * MS, (1, 2, 3)), (10 * MS, (4, 5, 6))])
    stamps_ns, rows = push(joiner, Half.ACCELERATION, [(0, (0, 0, 8)), (20 * MS, (4, 0, 12))])
    assert stamps_ns == [5 * MS, 10 * MS]
    assert rows == [[1, 0, 9, 1, 2, 3], [2, 0, 10, 4, 5, 6]]


def test_samples_out_of_order_are_counted() -> None:
    joiner = ImuJoiner()
    push(joiner, Half.ACCELERATION, [(0, (0, 0, 0)), (40 * MS, (0, 0, 0)), (20 * MS, (9, 9, 9))])
    stamps_ns, rows = push(joiner, Half.ROTATION, [(30 * MS, (0, 0, 0)), (30 * MS, (1, 1, 1))])
    assert (stamps_ns, rows) == ([30 * MS], [[0] * 6])
    assert joiner.lost == {"out of order": 2}


def test_a_clock_set_back_begins_anew() -> None:
    joiner = ImuJoiner()
    late = [(RESET_NS + k * MS, (0.0, 0.0, 0.0)) for k in range(0, 60, 20)]
    push(joiner, Half.ACCELERATION, late)
    push(joiner, Half.ROTATION, [(RESET_NS + 90 * MS, (0, 0, 0))])
    push(joiner, Half.ACCELERATION, [(0, (1, 1, 1)), (20 * MS, (1, 1, 1))])
    stamps_ns, rows = push(joiner, Half.ROTATION, [(10 * MS, (2, 2, 2))])
    assert (stamps_ns, rows) == ([10 * MS], [[1, 1, 1, 2, 2, 2]])
    assert joiner.lost == {"clock set back": 1}


@pytest.mark.parametrize("half", Half)
def test_waiting_is_bounded(half: Half, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imu_join, "MAX_WAITING", 10)
    joiner = ImuJoiner()
    for k in range(100):
        push(joiner, half, [(k * MS, (0, 0, 0))])
    assert all(len(queue.stamps_ns) <= 10 for queue in joiner._queues)
    lost = joiner.lost["no acceleration near"]
    assert lost == (90 if half is Half.ROTATION else 0)


def info(name: str, encoding: str, kind: StreamKind = StreamKind.SAMPLES) -> StreamInfo:
    return StreamInfo(name, kind, "sensor_msgs/msg/Imu", encoding, 9)


def accel(name: str) -> StreamInfo:
    return info(name, "acceleration")


def gyro(name: str) -> StreamInfo:
    return info(name, "angular velocity")


@pytest.mark.parametrize(
    ("name", "half"),
    [
        ("/camera/accel/sample", "acceleration"),
        ("/device_0/sensor_2/Gyro_0/imu/data", "angular velocity"),
        ("/accel_gyro", ""),
        ("/accelerator", ""),
        ("/imu/data", ""),
    ],
)
def test_halves_by_name(name: str, half: str) -> None:
    assert half_by_name(name) == half


@pytest.mark.parametrize(
    ("infos", "pairs"),
    [
        ([accel("/a"), gyro("/b")], ["/a+/b"]),
        (
            [f(f"/cam{k}/{n}") for k in (1, 2) for f, n in ((accel, "accel"), (gyro, "gyro"))],
            ["/cam1/accel+/cam1/gyro", "/cam2/accel+/cam2/gyro"],
        ),
        ([accel("/x/accel"), accel("/y/accel"), gyro("/y/gyro")], ["/y/accel+/y/gyro"]),
        ([accel("/x"), accel("/y"), gyro("/z")], []),
        ([accel("/x"), info("/v", "vector")], []),
        ([], []),
    ],
)
def test_pairs_differ_in_the_word_for_the_half(infos: list[StreamInfo], pairs: list[str]) -> None:
    found = pairs_in(infos)
    assert [pair.name for pair in found] == pairs
    assert {(pair.kind, pair.encoding) for pair in found} <= {(StreamKind.SAMPLES, "joined")}


def test_pairs_may_be_asked_for_by_name() -> None:
    infos = [info("/a+b", "vector"), info("/c", "vector"), info("/f", "rgb8", StreamKind.FRAMES)]
    assert [pair.name for pair in with_asked_for(infos, ["/a+b+/c", "/a+b", "/c+/d"])[3:]] == [
        "/a+b+/c"
    ]
    assert halves_of("/a+b+/c", {"/a+b", "/c"}) == ("/a+b", "/c")
    odd = with_asked_for(infos, ["/c+/f"])[-1]
    assert odd.kind is StreamKind.OTHER
    assert odd.note == "only streams of accelerations and angular velocities can be joined"
