# SPDX-License-Identifier: Apache-2.0
"""Order of receipt and of stamps: alike however messages arrive, and within a bounded stretch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.sources.bags import ordering
from sensebind.sources.bags.ordering import HORIZON_NS, TICK_NS, Pieces, Readings, Sequencer
from sensebind.sources.base import without_breaks
from sensebind.types import Frame, FrameBlock, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sensebind.config import Order
    from sensebind.types import Block

MS = 1_000_000

Message = tuple[str, int, int]
"""Stream, receive time and stamp in ms; the row holds the message's number."""


def feed(
    messages: Sequence[Message], cuts: Sequence[int] = (), order: Order = "stamp"
) -> Iterator[tuple[str, int, int]]:
    """Messages sorted by receive time, in stretches that end at `cuts`; stream, stamp, number."""
    numbered = sorted(enumerate(messages), key=lambda each: each[1][1])
    sequencer = Sequencer(order)
    for begin, end in zip([0, *cuts], [*cuts, len(numbered)], strict=True):
        stretch = numbered[begin:end]
        for stream in {message[0] for _, message in stretch}:
            mine = [(n, log, stamp) for n, (name, log, stamp) in stretch if name == stream]
            sequencer.add(stream, content(stream, mine))
        if end < len(numbered):
            yield from plain(without_breaks(sequencer.release(numbered[end][1][1] * MS)))
    yield from plain(without_breaks(sequencer.release()))


def content(stream: str, messages: Sequence[tuple[int, int, int]]) -> Readings | Pieces:
    """Frames for streams in capitals, readings for the others."""
    logs = np.array([log * MS for _, log, _ in messages], np.int64)
    stamps = np.array([stamp * MS for _, _, stamp in messages], np.int64)
    if stream.isupper():
        frames = [FrameBlock(stream, s * MS, Frame(b"", str(n))) for n, _, s in messages]
        return Pieces(logs, stamps, list(frames))
    return Readings(logs, stamps, np.array([[float(n)] for n, _, _ in messages]))


def plain(blocks: Iterator[Block]) -> Iterator[tuple[str, int, int]]:
    for block in blocks:
        if isinstance(block, SampleBlock):
            for stamp, row in zip(block.stamps_ns.tolist(), block.values, strict=True):
                yield block.stream, stamp // MS, int(row[0])
        else:
            assert isinstance(block, FrameBlock)
            yield block.stream, block.stamp_ns // MS, int(block.frame.encoding)


def naive(messages: Sequence[Message], order: Order) -> list[tuple[str, int, int]]:
    """One message at a time: whatever is due leaves before the next is taken."""
    horizon = HORIZON_NS // MS if order == "stamp" else 0
    left: list[tuple[int, str, int, int, int]] = []
    for stream in {message[0] for message in messages}:
        arrivals = sorted(
            (log, n, s) for n, (name, log, s) in enumerate(messages) if name == stream
        )
        waiting: list[tuple[int, int, int]] = []
        for arrival in [*arrivals, None]:
            while waiting and (arrival is None or arrival[0] >= min(waiting)[0] + horizon):
                due = min(waiting)
                rank = due[2], due
                near = [w for w in waiting if w[2] >= due[2] - horizon]
                early = [due] if order == "log" else [w for w in near if (w[2], w) <= rank]
                for each in sorted(early, key=lambda each: (each[2], each)):
                    waiting.remove(each)
                    left.append((due[0] + horizon, stream, len(left), each[2], each[1]))
            if arrival is not None:
                waiting.append(arrival)
    return [(stream, stamp, number) for _, stream, _, stamp, number in sorted(left)]


messages_of_streams = st.lists(
    st.tuples(st.sampled_from(["a", "B", "C"]), st.integers(0, 4000), st.integers(0, 4000)),
    max_size=40,
)


def of(stream: str, messages: Sequence[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    return [message for message in messages if message[0] == stream]


@given(messages=messages_of_streams, order=st.sampled_from(["stamp", "log"]))
def test_streams_leave_in_the_order_of_a_naive_reference(
    messages: list[Message], order: Order
) -> None:
    expected = naive(messages, order)
    found = list(feed(messages, order=order))
    for stream in "aBC":
        assert of(stream, found) == of(stream, expected)
    assert [m for m in found if m[0] != "a"] == [m for m in expected if m[0] != "a"]


@given(messages=messages_of_streams, data=st.data(), order=st.sampled_from(["stamp", "log"]))
def test_the_order_does_not_depend_on_how_messages_arrive(
    messages: list[Message], data: st.DataObject, order: Order
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(messages)), max_size=6).map(sorted))
    assert list(feed(messages, cuts, order)) == list(feed(messages, order=order))


@given(messages=messages_of_streams)
def test_what_else_is_selected_does_not_change_a_stream(messages: list[Message]) -> None:
    found = [stamp for _, stamp, _ in of("a", list(feed(messages)))]
    alone = [message for message in messages if message[0] == "a"]
    assert [stamp for _, stamp, _ in feed(alone)] == found


def test_overtaken_messages_are_put_in_their_place() -> None:
    messages = [("a", log, stamp) for log, stamp in [(10, 3), (20, 1), (30, 2), (5000, 4)]]
    assert [stamp for _, stamp, _ in feed(messages)] == [1, 2, 3, 4]


def test_a_clock_that_is_set_back_is_set_back_once() -> None:
    before = [("a", log, 100_000 + log) for log in range(0, 3000, 10)]
    behind = [("a", log, log) for log in range(3000, 6000, 10)]
    assert [stamp for _, stamp, _ in feed(before + behind)] == [m[2] for m in before + behind]


def test_a_message_later_than_the_horizon_comes_late() -> None:
    messages = [("a", 0, 10), ("a", 999, 5), ("a", 1000, 4)]
    assert [stamp for _, stamp, _ in feed(messages)] == [5, 10, 4]


def test_equal_receive_times_come_by_name_then_by_arrival() -> None:
    messages = [("b", 1, 5), ("A", 1, 9), ("A", 1, 7), ("C", 1, 0), ("A", 0, 0)]
    assert [(name, number) for name, _, number in feed(messages, order="log")] == [
        ("A", 4),
        ("A", 1),
        ("A", 2),
        ("C", 3),
        ("b", 0),
    ]


def test_readings_that_leave_before_a_frame_are_given_before_it() -> None:
    messages = [("a", 0, 0), ("a", 10, 10), ("B", 15, 15), ("a", 20, 20), ("B", 20, 20)]
    assert [(name, stamp) for name, stamp, _ in feed(messages, order="log")] == [
        ("a", 0),
        ("a", 10),
        ("B", 15),
        ("B", 20),
        ("a", 20),
    ]


def test_streams_of_other_clocks_do_not_disturb_each_other() -> None:
    slow = [("slow", 100 * k, k) for k in range(50)]
    fast = [("fast", 100 * k + 1, 10**12 + (k ^ 1)) for k in range(50)]
    merged = list(feed(sorted(slow + fast, key=lambda message: message[1])))
    assert [stamp for _, stamp, _ in of("slow", merged)] == list(range(50))
    assert [stamp for _, stamp, _ in of("fast", merged)] == [10**12 + k for k in range(50)]
    places = [place for place, message in enumerate(merged) if message[0] == "slow"]
    assert all(abs(place - 2 * k) <= 4 for k, place in enumerate(places))


def frames(count: int, *, log_ns: int, step_ns: int = 0, size: int = 1000) -> Pieces:
    logs = np.array([log_ns + k * step_ns for k in range(count)], np.int64)
    blocks = [FrameBlock("A", k, Frame(bytes(size), "rgb8")) for k in range(count)]
    return Pieces(logs, np.arange(count), list(blocks))


def test_no_more_than_the_horizon_and_a_tick_is_held() -> None:
    sequencer = Sequencer("stamp")
    sequencer.add("A", frames(400, log_ns=0, step_ns=10 * MS))
    given_out = len(list(sequencer.release(4000 * MS)))
    assert given_out == 400 - (HORIZON_NS + TICK_NS) // (10 * MS) + TICK_NS // (10 * MS)


@pytest.mark.parametrize("order", ["stamp", "log"])
def test_receive_times_that_stand_still_hold_a_bounded_amount(
    monkeypatch: pytest.MonkeyPatch, order: Order
) -> None:
    monkeypatch.setattr(ordering, "HELD_BYTES", 20_000)
    sequencer = Sequencer(order)
    given_out: list[int] = []
    for _ in range(5):
        sequencer.add("A", frames(100, log_ns=0))
        given_out += [b.stamp_ns for b in sequencer.release(0) if isinstance(b, FrameBlock)]
    assert 470 <= len(given_out) <= 480
    given_out += [b.stamp_ns for b in sequencer.release() if isinstance(b, FrameBlock)]
    assert len(given_out) == 500


def test_many_readings_at_one_time_are_held_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "HELD_MESSAGES", 100)
    sequencer = Sequencer("stamp")
    rows = np.arange(1000.0).reshape(-1, 1)
    sequencer.add("a", Readings(np.zeros(1000, np.int64), np.arange(1000), rows))
    blocks = [block for block in sequencer.release(0) if isinstance(block, SampleBlock)]
    assert sum(len(block.values) for block in blocks) == 900
    assert np.concatenate([b.values for b in blocks])[:, 0].tolist() == list(range(900))


def test_times_at_the_ends_of_int64() -> None:
    logs = np.array([-(2**63), 0, 2**63 - 1], np.int64)
    for order in ("stamp", "log"):
        sequencer = Sequencer(order)
        sequencer.add("a", Readings(logs, np.arange(3), np.zeros((3, 1))))
        blocks = [block for block in sequencer.release() if isinstance(block, SampleBlock)]
        assert np.concatenate([block.stamps_ns for block in blocks]).tolist() == [0, 1, 2]
