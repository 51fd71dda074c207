# SPDX-License-Identifier: Apache-2.0
"""Order of receipt and of stamps, within a bounded stretch."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.sources import ordering
from sensebind.sources.containers import RawMessage
from sensebind.sources.ordering import HORIZON_NS, Item, by_receive_time, by_stamp, nearly_sorted
from sensebind.types import Frame, FrameBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

MS = 1_000_000


def item(stream: str, log_ms: int, stamp_ms: int, mark: float = 0.0) -> Item:
    return Item(stream, log_ms * MS, stamp_ms * MS, (mark,) * 6)


def test_equal_receive_times_come_by_name_then_by_arrival() -> None:
    items = [item("b", 1, 5, 1), item("a", 1, 9, 2), item("a", 1, 7, 3), item("a", 0, 0)]
    items.sort(key=lambda each: each.log_ns)
    assert [(i.stream, i.content) for i in by_receive_time(items)] == [
        ("a", (0.0,) * 6),
        ("a", (2.0,) * 6),
        ("a", (3.0,) * 6),
        ("b", (1.0,) * 6),
    ]


def test_overtaken_messages_are_put_in_their_place() -> None:
    items = [item("a", log, stamp) for log, stamp in [(10, 3), (20, 1), (30, 2), (5000, 4)]]
    assert [i.stamp_ns // MS for i in by_stamp(items)] == [1, 2, 3, 4]


def test_a_message_later_than_the_horizon_comes_late() -> None:
    items = [item("a", 0, 10), item("a", 999, 5), item("a", 1000, 4)]
    assert [i.stamp_ns // MS for i in by_stamp(items)] == [5, 10, 4]


def test_streams_of_other_clocks_do_not_disturb_each_other() -> None:
    slow = [item("slow", 100 * k, k) for k in range(50)]
    fast = [item("fast", 100 * k + 1, 10**12 + (k ^ 1)) for k in range(50)]
    merged = list(by_stamp(sorted(slow + fast, key=lambda i: i.log_ns)))
    for stream, alone in (("slow", slow), ("fast", fast)):
        assert [i for i in merged if i.stream == stream] == list(by_stamp(alone))
    positions = [merged.index(i) for i in slow]
    assert all(abs(place - 2 * k) <= 22 for k, place in enumerate(positions))


@given(
    jitter=st.lists(st.integers(-400, 400), min_size=1, max_size=80),
    others=st.lists(st.tuples(st.integers(0, 4000), st.integers(-9000, 9000)), max_size=40),
)
def test_jitter_below_the_horizon_is_undone(
    jitter: list[int], others: list[tuple[int, int]]
) -> None:
    mine = [item("a", 50 * k, 50 * k + delay) for k, delay in enumerate(jitter)]
    rest = [item("b", log, stamp) for log, stamp in others]
    items = sorted(mine + rest, key=lambda i: i.log_ns)
    out = list(by_stamp(items))
    assert sorted(out) == sorted(items)
    stamps = [i.stamp_ns for i in out if i.stream == "a"]
    assert stamps == sorted(stamps)
    assert [i for i in out if i.stream == "a"] == list(by_stamp(mine))


def test_no_more_than_the_horizon_is_held() -> None:
    taken = 0

    def endless() -> Iterator[Item]:
        nonlocal taken
        while True:
            yield item("a", 10 * taken, 10 * taken)
            taken += 1

    stream = by_stamp(endless())
    for _ in range(1000):
        next(stream)
    assert taken - 1000 <= HORIZON_NS // (10 * MS) + 2


@pytest.mark.parametrize("backwards", [False, True])
def test_receive_times_that_stand_still_or_jump_back_hold_a_bounded_amount(
    monkeypatch: pytest.MonkeyPatch, backwards: bool
) -> None:
    monkeypatch.setattr(ordering, "HELD_BYTES", 1_000_000)
    taken = 0

    def endless() -> Iterator[Item]:
        nonlocal taken
        frame = Frame(bytes(10_000), "rgb8")
        while True:
            log_ns = -taken * HORIZON_NS if backwards else 0
            yield Item("a", log_ns, taken, FrameBlock("a", taken, frame))
            taken += 1

    stream = by_stamp(endless())
    for _ in range(2000):
        next(stream)
    assert taken - 2000 < 600


def raw(log_ns: int, number: int, size: int = 1) -> RawMessage:
    return RawMessage(str(number), log_ns, bytes(size))


@given(st.lists(st.integers(0, 900), max_size=60))
def test_nearly_sorted_sorts_and_keeps_the_order_of_equals(jitter: list[int]) -> None:
    messages = [raw(100 * k + delay, k) for k, delay in enumerate(jitter)]
    out = list(nearly_sorted(messages, horizon_ns=1000))
    assert out == sorted(messages, key=lambda message: message.log_ns)


def test_nearly_sorted_does_not_wait_for_a_clock_that_went_back() -> None:
    source = iter([raw(10_000, -1), *(raw(k, k) for k in range(100))])
    out = nearly_sorted(source, horizon_ns=1000)
    assert [next(out).log_ns for _ in range(3)] == [0, 1, 2]
    assert next(source).log_ns == 3


@pytest.mark.parametrize(("limit", "size"), [("HELD_BYTES", 1000), ("HELD_MESSAGES", 0)])
def test_nearly_sorted_holds_a_bounded_amount_of_equal_times(
    monkeypatch: pytest.MonkeyPatch, limit: str, size: int
) -> None:
    monkeypatch.setattr(ordering, limit, 50 * max(size, 1))
    source = (raw(0, k, size) for k in itertools.count())
    out = nearly_sorted(source)
    assert [next(out).topic for _ in range(200)] == [str(k) for k in range(200)]
    assert int(next(source).topic) <= 252
