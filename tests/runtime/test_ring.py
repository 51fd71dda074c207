# SPDX-License-Identifier: Apache-2.0
"""The ring: what goes in comes out, in bounded memory of its own; too much drops all that waits."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.errors import InputError
from sensebind.ring import StreamRing, check_block
from sensebind.types import (
    Block,
    Break,
    Delivery,
    Frame,
    FrameBlock,
    SampleBlock,
    UniformBlock,
)


def imu(first: int, count: int) -> SampleBlock:
    stamps = np.arange(first, first + count, dtype=np.int64)
    return SampleBlock("imu", stamps, np.repeat(stamps[:, np.newaxis], 6, axis=1) / 2)


def sound(first: int, count: int) -> UniformBlock:
    values = np.arange(first, first + count, dtype=np.float32)[:, np.newaxis]
    return UniformBlock("mic", first, 16_000.0, values, clock_rate_hz=15_999.5)


def content(delivery: Delivery) -> tuple[object, ...]:
    if isinstance(delivery, Break):
        return ("break", delivery.stream)
    if isinstance(delivery, SampleBlock):
        return ("imu", delivery.stamps_ns.tobytes(), delivery.values.tobytes())
    if isinstance(delivery, UniformBlock):
        rates = delivery.rate_hz, delivery.clock_rate_hz
        return ("mic", delivery.stamp_ns, rates, delivery.values.tobytes())
    return ("cam", delivery.stamp_ns, bytes(delivery.frame.data))


def emptied(ring: StreamRing) -> list[tuple[object, ...]]:
    found = []
    while (arrival := ring.take()) is not None:
        found.append(content(arrival.delivery))
    return found


def test_what_goes_in_comes_out_with_its_times() -> None:
    ring = StreamRing(10)
    blocks: list[Block] = [imu(0, 3), imu(3, 7)]
    for number, block in enumerate(blocks):
        ring.push(block, 1000 + number, 2000 + number)
    assert ring.waiting == 10
    for number, block in enumerate(blocks):
        arrival = ring.take()
        assert arrival is not None
        assert (arrival.receive_ns, arrival.monotonic_ns) == (1000 + number, 2000 + number)
        assert content(arrival.delivery) == content(block)
    assert ring.take() is None
    assert ring.waiting == 0


def test_the_device_may_use_its_memory_again() -> None:
    ring = StreamRing(10)
    block, pixels = imu(0, 3), bytearray(b"abcd")
    ring.push(block, 0, 0)
    expected = content(imu(0, 3))
    block.values[:] = -1
    block.stamps_ns[:] = -1
    assert emptied(ring) == [expected]
    frames = StreamRing(2)
    frames.push(FrameBlock("cam", 5, Frame(memoryview(pixels), "mono8", 2, 2)), 0, 0)
    pixels[:] = b"wxyz"
    assert emptied(frames) == [("cam", 5, b"abcd")]


def test_pictures_that_cannot_change_are_not_copied() -> None:
    ring = StreamRing(1)
    data = b"a whole picture"
    ring.push(FrameBlock("cam", 0, Frame(data, "jpeg")), 0, 0)
    arrival = ring.take()
    assert arrival is not None
    assert isinstance(arrival.delivery, FrameBlock)
    assert arrival.delivery.frame.data is data


def test_what_does_not_fit_drops_all_that_waits_and_puts_a_break() -> None:
    ring = StreamRing(10)
    ring.push(sound(0, 6), 1, 2)
    ring.push(sound(6, 4), 3, 4)
    pushed = ring.push(sound(10, 1), 5, 6)
    assert (pushed.dropped, pushed.kept) == (10, True)
    arrival = ring.take()
    assert arrival is not None
    assert arrival.delivery == Break("mic")
    assert (arrival.receive_ns, arrival.monotonic_ns) == (5, 6)
    assert emptied(ring) == [content(sound(10, 1))]


def test_a_block_larger_than_the_ring_is_dropped_itself() -> None:
    ring = StreamRing(4)
    ring.push(imu(0, 2), 0, 0)
    pushed = ring.push(imu(2, 5), 0, 0)
    assert (pushed.dropped, pushed.kept, ring.waiting) == (7, False, 0)
    ring.push(imu(7, 1), 0, 0)
    assert emptied(ring) == [("break", "imu"), content(imu(7, 1))]


def test_the_memory_is_allocated_once() -> None:
    ring = StreamRing(8)
    owners = set()
    for number in range(100):
        ring.push(imu(number, 5), 0, 0)
        arrival = ring.take()
        assert arrival is not None
        assert isinstance(arrival.delivery, SampleBlock)
        owners.add(id(arrival.delivery.values.base))
    assert len(owners) == 1


@pytest.mark.parametrize(
    ("block", "found"),
    [
        (
            SampleBlock("imu", np.zeros(3, np.int64), np.zeros((2, 6))),
            r"float64 \(2, 6\), expected",
        ),
        (
            SampleBlock("imu", np.zeros(2, np.int64), np.zeros((2, 3))),
            r"float64 \(2, 3\), expected",
        ),
        (SampleBlock("imu", np.zeros((), np.int64), np.zeros((2, 6))), r"int64 \(\) and float64"),
        (replace(sound(0, 1), values=[[1.0]]), "has list, expected float32"),  # type: ignore[arg-type]
        (replace(sound(0, 1), values=np.zeros((3, 0), np.float32)), r"\(3, 0\), expected float32"),
        (replace(sound(0, 1), values=np.zeros((3, 1))), r"float64 \(3, 1\), expected"),  # type: ignore[arg-type]
    ],
)
def test_arrays_of_another_form_are_refused(block: Block, found: str) -> None:
    with pytest.raises(InputError, match=found):
        check_block(block)


@pytest.mark.parametrize("block", [imu(0, 3), sound(0, 3), FrameBlock("cam", 0, Frame(b"", ""))])
def test_blocks_of_their_form_are_accepted(block: Block) -> None:
    check_block(block)


def test_a_ring_without_room_is_refused() -> None:
    with pytest.raises(InputError, match="capacity of a ring is 0 samples"):
        StreamRing(0)


@dataclass
class Model:
    """The same rule over a plain queue."""

    capacity: int
    dropped: int = 0

    def __post_init__(self) -> None:
        self.waiting: deque[tuple[tuple[object, ...], int]] = deque()

    def push(self, block: Block) -> None:
        if sum(count for _, count in self.waiting) + block.count > self.capacity:
            self.dropped += sum(count for _, count in self.waiting)
            self.waiting.clear()
            self.waiting.append((("break", block.stream), 0))
            if block.count > self.capacity:
                self.dropped += block.count
                return
        self.waiting.append((content(block), block.count))


@given(
    capacity=st.integers(1, 20),
    # Blocks of this many samples; 0 takes one out.
    steps=st.lists(st.integers(0, 25), max_size=80),
    channels=st.sampled_from([1, 2]),
)
def test_every_sample_comes_out_unchanged_or_is_counted(
    capacity: int, steps: list[int], channels: int
) -> None:
    ring, model = StreamRing(capacity), Model(capacity)
    pushed = taken = dropped = 0
    for step in steps:
        if step == 0:
            arrival = ring.take()
            expected = model.waiting.popleft() if model.waiting else None
            assert (arrival is None) == (expected is None)
            if arrival is not None and expected is not None:
                held, wanted = arrival.delivery, expected[0]
                assert content(held) == wanted
                taken += expected[1]
            continue
        # What was taken last stays as it is while others come.
        before = content(held) if taken else None
        block = replace(
            sound(pushed, step), values=np.full((step, channels), pushed, dtype=np.float32)
        )
        dropped += ring.push(block, 0, 0).dropped
        model.push(block)
        pushed += step
        if before is not None:
            assert content(held) == before
    assert ring.waiting == sum(count for _, count in model.waiting)
    assert dropped == model.dropped
    assert pushed == taken + dropped + ring.waiting
