# SPDX-License-Identifier: Apache-2.0
"""Which windows wait, which are dropped, and whose turn comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind import StreamConfig
from sensebind.flow.pending import Passage, Pending
from sensebind.metrics.times import WindowTimes
from sensebind.types import Modality

if TYPE_CHECKING:
    from sensebind.config import Policy
    from sensebind.stream_path import StreamPath
    from sensebind.types import Window


class Dropped:
    """Takes the place of a path: counts by cause."""

    def __init__(self) -> None:
        self.causes: dict[str, int] = {}

    def count_dropped(self, cause: str) -> None:
        self.causes[cause] = self.causes.get(cause, 0) + 1


def passage(path: Dropped, number: int) -> Passage:
    times = WindowTimes("s", Modality.IMU, number, number, received_ns=number)
    return Passage(cast("StreamPath", path), cast("Window", None), times)


def taken(pending: Pending) -> list[int]:
    return [pending.pop(0).times.grid_ns for _ in range(len(pending))]


@given(
    policy=st.sampled_from(["latest", "queue", "block"]),
    longest=st.integers(1, 5),
    windows=st.integers(0, 20),
)
def test_policies(policy: Policy, longest: int, windows: int) -> None:
    path = Dropped()
    pending = Pending(policy, longest)
    for number in range(windows):
        pending.add(passage(path, number))
    kept = {"latest": 1, "queue": longest, "block": windows}[policy]
    assert pending.has_room() == (policy != "block" or windows < longest)
    assert taken(pending) == list(range(windows))[-kept:]
    assert sum(path.causes.values()) == max(windows - kept, 0)
    assert set(path.causes) <= {policy}


def test_another_policy_holds_from_the_next_window_on() -> None:
    path = Dropped()
    pending = Pending("queue", 10)
    for number in range(10):
        pending.add(passage(path, number))
    pending.follow(StreamConfig(modality=Modality.IMU, policy="queue", queue=3, priority=7))
    assert len(pending) == 10
    pending.add(passage(path, 10))
    assert (len(pending), path.causes) == (3, {"queue": 8})
    assert pending.priority == 7
    pending.follow(StreamConfig(modality=Modality.IMU, deadline_s=1e-9))
    pending.expire(20)
    pending.add(passage(path, 11))
    assert taken(pending) == [11]
    assert path.causes == {"queue": 8, "deadline": 3}


def test_what_has_waited_too_long_is_dropped() -> None:
    path = Dropped()
    pending = Pending("queue", 10, deadline_ns=100)
    for number in (0, 50, 120):
        pending.add(passage(path, number))
    pending.expire(151)
    assert taken(pending) == [120]
    assert path.causes == {"deadline": 2}


def test_priority_comes_before_deadline_and_deadline_before_turn() -> None:
    path = Dropped()
    lanes = {
        "plain": Pending("queue", 2),
        "soon": Pending("queue", 2, deadline_ns=10),
        "late": Pending("queue", 2, deadline_ns=1000),
        "important": Pending("queue", 2, priority=1),
    }
    for pending in lanes.values():
        pending.add(passage(path, 5))
    assert sorted(lanes, key=lambda name: lanes[name].urgency()) == [
        "important", "soon", "late", "plain",
    ]  # fmt: skip


def test_equal_streams_take_turns() -> None:
    """Even where the windows of one are always a little older."""
    path = Dropped()
    lanes = [Pending("latest"), Pending("latest")]
    served = []
    for now_ns in range(6):
        lanes[0].add(passage(path, 10 * now_ns))
        lanes[1].add(passage(path, 10 * now_ns + 1))
        turn = min((0, 1), key=lambda each: lanes[each].urgency())
        lanes[turn].pop(now_ns + 1)
        served.append(turn)
    assert served == [0, 1] * 3


def test_streams_say_how_their_windows_wait() -> None:
    def of(**options: Any) -> Pending:
        return Pending.of(StreamConfig(modality=Modality.IMU, **options))

    path = Dropped()
    for options, kept in (({}, 1), ({"policy": "queue"}, 4), ({"policy": "queue", "queue": 2}, 2)):
        pending = of(**options)
        for number in range(10):
            pending.add(passage(path, number))
        assert len(pending) == kept
    late = of(priority=3, deadline_s=0.5)
    late.add(passage(path, 7))
    assert late.urgency() == (-3, 500_000_007, 0)


def test_nothing_becomes_of_what_is_dropped_at_the_end() -> None:
    path = Dropped()
    pending = Pending("block", 3)
    for number in range(3):
        pending.add(passage(path, number))
    pending.drop_all("stopped")
    assert len(pending) == 0
    assert path.causes == {"stopped": 3}


@pytest.mark.parametrize("policy", ["latest", "queue"])
def test_dropping_policies_always_have_room(policy: Policy) -> None:
    pending = Pending(policy, 1)
    pending.add(passage(Dropped(), 0))
    assert pending.has_room()
