# SPDX-License-Identifier: Apache-2.0
"""The queue holds what was put in it, in order, and never more than its memory."""

from __future__ import annotations

from collections import deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sensebind.sinks.raw.byte_queue import ByteQueue

sizes = st.lists(st.integers(0, 300), max_size=3)


@given(st.lists(sizes | st.none(), max_size=60))
def test_what_goes_in_comes_out(actions: list[list[int] | None]) -> None:
    """A list puts an entry of such parts, None takes one out."""
    queue: ByteQueue[int] = ByteQueue(1024)
    expected: deque[tuple[int, list[bytes]]] = deque()
    for number, action in enumerate(actions):
        if action is None:
            entry = queue.first()
            assert (entry is None) == (not expected)
            if entry is not None:
                label, parts = expected.popleft()
                assert entry.label == label
                found = queue.parts(entry, [len(part) for part in parts])
                assert [part.tobytes() for part in found] == parts
                queue.drop_first()
            continue
        parts = [bytes([number % 256]) * size for size in action]
        if queue.put(number, [np.frombuffer(part, np.uint8) for part in parts]):
            expected.append((number, parts))
        else:
            assert expected or sum(action) > 1024 - 3 * 64
        assert queue.used <= 1024
    assert (queue.used == 0) == (not expected)


def test_entries_without_bytes_take_room_too() -> None:
    queue: ByteQueue[int] = ByteQueue(1024)
    assert sum(queue.put(number, []) for number in range(100)) == 1024 // 64


def test_an_entry_that_is_being_copied_holds_up_those_behind_it() -> None:
    queue: ByteQueue[str] = ByteQueue(1024)
    octets = np.zeros(8, np.uint8)
    reserved = queue._reserved("first", 64)
    assert queue.put("second", [octets])
    assert queue.first() is None
    assert reserved is not None
    reserved.ready = True
    assert queue.first() is reserved
