# SPDX-License-Identifier: Apache-2.0
"""Closed windows that wait for their turn, and which of them are dropped if it does not come."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sensebind.config import Policy, StreamConfig
    from sensebind.metrics.times import WindowTimes
    from sensebind.preprocess.base import Prepared
    from sensebind.stream_path import StreamPath
    from sensebind.types import Window

Cause = Literal["latest", "queue", "deadline", "engine", "stopped"]


@dataclass(slots=True)
class Passage:
    """One window on its way through the run.

    Attributes:
        path: its stream.
        window: the window.
        times: when it passed which station.
        prepared: its features, once they are made.
        alone: whether its engine run is to be shared with no other, as a shared one failed.
    """

    path: StreamPath
    window: Window
    times: WindowTimes
    prepared: Prepared | None = None
    alone: bool = False

    def drop(self, cause: Cause) -> None:
        """Count that nothing became of it."""
        self.path.count_dropped(cause)


class Pending:
    """The waiting windows of one lane. The worker's alone.

    Attributes:
        priority: those of higher priority go first.
    """

    def __init__(
        self,
        policy: Policy,
        longest: int = 1,
        priority: int = 0,
        deadline_ns: int | None = None,
    ) -> None:
        """Start without windows.

        Args:
            policy: "latest" and "queue" drop what is too much, "block" has no room then.
            longest: windows that may wait.
            priority: of the stream.
            deadline_ns: a window that has waited longer is dropped; None for never.
        """
        self._obey(policy, longest, priority, deadline_ns)
        self._waiting: deque[Passage] = deque()
        self._served_ns = 0

    @classmethod
    def of(cls, stream: StreamConfig) -> Pending:
        """As a live stream is configured."""
        return cls(*_settings(stream))

    def follow(self, stream: StreamConfig) -> None:
        """Go on as a stream is configured now; for other threads."""
        self._obey(*_settings(stream))

    def __len__(self) -> int:
        return len(self._waiting)

    def has_room(self) -> bool:
        """Whether more may come; if not, blocks are to be left where they are."""
        return self._policy != "block" or len(self._waiting) < self._longest

    def add(self, passage: Passage) -> None:
        """Let a window wait; too much drops the oldest."""
        self._waiting.append(passage)
        while self._policy != "block" and len(self._waiting) > self._longest:
            self._waiting.popleft().drop("latest" if self._policy == "latest" else "queue")

    def expire(self, now_ns: int) -> None:
        """Drop the windows that have waited too long, at a time of the monotonic clock."""
        if self._deadline_ns is None:
            return
        while self._waiting and now_ns - self._waiting[0].times.received_ns > self._deadline_ns:
            self._waiting.popleft().drop("deadline")

    def urgency(self) -> tuple[int, float, int]:
        """What comes first is the smallest: by priority, deadline, and whose turn it is.

        The oldest window first would starve a stream whose newest one is always a little younger
        than another's. Some must wait.
        """
        due_ns = float("inf")
        if self._deadline_ns is not None:
            due_ns = self._waiting[0].times.received_ns + self._deadline_ns
        return -self.priority, due_ns, self._served_ns

    def pop(self, now_ns: int) -> Passage:
        """Take the oldest, at a time of the monotonic clock."""
        self._served_ns = now_ns
        return self._waiting.popleft()

    def drop_all(self, cause: Cause) -> None:
        """Nothing will become of those that wait."""
        while self._waiting:
            self._waiting.popleft().drop(cause)

    def _obey(self, policy: Policy, longest: int, priority: int, deadline_ns: int | None) -> None:
        self.priority = priority
        self._policy: Policy = policy
        self._longest = 1 if policy == "latest" else longest
        self._deadline_ns = deadline_ns


def _settings(stream: StreamConfig) -> tuple[Policy, int, int, int | None]:
    """Policy, length, priority and deadline in ns of a live stream."""
    deadline_ns = None if stream.deadline_s is None else round(stream.deadline_s * 1e9)
    return stream.policy or "latest", stream.queue, stream.priority, deadline_ns
