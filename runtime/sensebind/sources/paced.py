# SPDX-License-Identifier: Apache-2.0
"""A recording played like a device: its blocks come when a device would have delivered them.

It stands for a robot in tests and measurements, with faults that real devices have.
"""

from __future__ import annotations

import heapq
import math
import random
import time
from dataclasses import asdict, dataclass, replace
from threading import Event, Thread, current_thread
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sensebind.errors import SourceError
from sensebind.grid import NS_PER_S, nanoseconds
from sensebind.sources.base import (
    REFERENCE_CLOCK,
    EndOfStream,
    LiveStreamInfo,
    SourceReport,
    without_breaks,
)
from sensebind.sources.looped import last_ns, shifted
from sensebind.types import SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sensebind.config import Order, StreamConfig
    from sensebind.sources.base import Source
    from sensebind.types import Block

_STOP_S = 5.0
"""Longest wait for the playing thread to end; it waits for nothing but its consumer."""


class Waiter(Protocol):
    """The time by which blocks are due; tests give one that does not take any."""

    def now_ns(self) -> int:
        """The time."""
        ...

    def wait_until(self, due_ns: int, stop: Event) -> None:
        """Return when it is `due_ns`, or soon after `stop` was set."""
        ...


class MonotonicWaiter:
    """Waits by the monotonic clock."""

    def now_ns(self) -> int:
        """The monotonic clock."""
        return time.monotonic_ns()

    def wait_until(self, due_ns: int, stop: Event) -> None:
        """See `Waiter`."""
        left_ns = due_ns - time.monotonic_ns()
        if left_ns > 0:
            stop.wait(left_ns / NS_PER_S)


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the device; times count in seconds of the recording.

    Attributes:
        jitter_s: each block is delivered late by up to this much, evenly spread; the blocks of a
            stream stay in order.
        loss: share of the blocks that are lost.
        drift_ppm: how much faster the device's clock runs than the true one.
        reset_at_s: when the device's clock jumps; None for never.
        reset_by_s: how far it jumps.
        fail_at_s: when the device fails; it can be started anew each time.
        seed: of what is random.
    """

    jitter_s: float = 0.0
    loss: float = 0.0
    drift_ppm: float = 0.0
    reset_at_s: float | None = None
    reset_by_s: float = -5.0
    fail_at_s: tuple[float, ...] = ()
    seed: int = 0


NO_FAULTS = Faults()


class PacedSource:
    """A recorded source as a live one: each block is delivered when its last sample was taken.

    After a stop it goes on where the device would be by then; what it would have delivered
    meanwhile is lost and counted.

    Attributes:
        name: of the recording.
        report: what was delivered, and what was not and why.
        behind_ns: how much later than due the newest block was delivered: what waiting is not
            exact, or reading too slow, by.
    """

    def __init__(
        self,
        recorded: Source,
        *,
        factor: float = 1.0,
        clock: str = REFERENCE_CLOCK,
        begin_ns: Callable[[], int] | None = None,
        block_s: float = 0.01,
        order: Order = "stamp",
        rates_hz: Mapping[str, float] | None = None,
        faults: Faults = NO_FAULTS,
        waiter: Waiter | None = None,
    ) -> None:
        """Play `recorded`.

        Args:
            recorded: where the blocks come from.
            factor: how much faster than real time; infinite for as fast as they are taken.
            clock: name of the device's clock; its stamps are those of the recording.
            begin_ns: asked when the source is first started for the stamp of the first sample, to
                which all stamps are moved; None keeps the recorded stamps.
            block_s: longest block of samples that is delivered at once; 0 for single ones.
            order: in which the recording is read.
            rates_hz: nominal rates to state by stream; 0 for those not named.
            faults: what is wrong with the device.
            waiter: the time; the monotonic clock if None.
        """
        if not factor > 0:
            raise SourceError(f"the factor is {factor}, expected more than 0; 1 is real time")
        self.name = recorded.name
        self.report = SourceReport(notes=recorded.report.notes)
        self.behind_ns = 0
        self._recorded = recorded
        self._pace = factor * (1 + faults.drift_ppm * 1e-6)
        self._clock = clock
        self._begin_ns = begin_ns
        self._block_ns = nanoseconds(block_s)
        self._order: Order = order
        self._rates_hz = rates_hz or {}
        self._faults = faults
        self._waiter = waiter or MonotonicWaiter()
        self._timeline: Iterator[tuple[int, Block]] | None = None
        self._failures = sorted(faults.fail_at_s)
        self._started_ns = 0
        self._first_ns: int | None = None
        self._stop = Event()
        self._thread: Thread | None = None

    def streams(self) -> list[LiveStreamInfo]:
        """The recording's streams; see `LiveSource.streams`."""
        return [
            LiveStreamInfo(
                **asdict(info), clock=self._clock, rate_hz=self._rates_hz.get(info.name, 0.0)
            )
            for info in self._recorded.streams()
        ]

    def start(
        self,
        selected: dict[str, StreamConfig],
        deliver: Callable[[Block], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """Play from the first block, or from where the device would be now."""
        now_ns = self._waiter.now_ns()
        if self._timeline is None:
            self._started_ns = now_ns
            # Asked at once: the recording is opened later, and its time goes by from now on.
            self._first_ns = self._begin_ns() if self._begin_ns else None
            self._timeline = self._due(selected)
        self._stop = Event()
        arguments = (self._timeline, now_ns, deliver, fail, self._stop)
        self._thread = Thread(
            target=self._play, args=arguments, name=f"paced {self.name}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Deliver nothing more; returns when the playing thread has ended."""
        self._stop.set()
        if self._thread is not None and self._thread is not current_thread():
            self._thread.join(_STOP_S)

    def _play(
        self,
        timeline: Iterator[tuple[int, Block]],
        begin_ns: int,
        deliver: Callable[[Block], None],
        fail: Callable[[Exception], None],
        stop: Event,
    ) -> None:
        """The playing thread."""
        try:
            for due_ns, block in timeline:
                if self._fails_before(due_ns):
                    self.report.skip(block.stream, "lost as the device failed", block.count)
                    fail(SourceError(f"{self.name}: the device failed, as its faults say"))
                    return
                self._waiter.wait_until(due_ns, stop)
                missed = due_ns < begin_ns and math.isfinite(self._pace)
                if stop.is_set() or missed:
                    self.report.skip(block.stream, "while the device was stopped", block.count)
                else:
                    self.report.count(block.stream, block.count)
                    self.behind_ns = self._waiter.now_ns() - due_ns
                    deliver(block)
                if stop.is_set():
                    return
            fail(EndOfStream())
        except Exception as error:  # noqa: BLE001 - whatever broke the recording ends the device
            fail(error)

    def _fails_before(self, due_ns: int) -> bool:
        if not self._failures or due_ns < self._at(nanoseconds(self._failures[0])):
            return False
        self._failures.pop(0)
        return True

    def _at(self, played_ns: int) -> int:
        """When this much of the recording has been played."""
        return self._started_ns + int(played_ns / self._pace)

    def _due(self, selected: dict[str, StreamConfig]) -> Iterator[tuple[int, Block]]:
        """Short blocks as the device gives them, and when, in order of time."""
        chance = random.Random(self._faults.seed)  # noqa: S311 - faults of a test
        waiting: list[tuple[int, int, Block]] = []
        latest: dict[str, int] = {}  # when the newest block of each stream is due
        number = 0
        for origin_ns, long in self._read(selected):
            # Whatever is read from now on is due later than this block's first sample.
            yield from _released(waiting, self._at(long.first_ns - origin_ns))
            for block in _pieces(long, self._block_ns):
                if chance.random() < self._faults.loss:
                    self.report.skip(block.stream, "lost, as the faults say", block.count)
                    continue
                played_ns = last_ns(block) - origin_ns
                late_ns = int(chance.random() * self._faults.jitter_s * NS_PER_S)
                due_ns = max(self._at(played_ns) + late_ns, latest.get(block.stream, 0))
                latest[block.stream] = due_ns
                heapq.heappush(waiting, (due_ns, number, self._stamped(block, played_ns)))
                number += 1
        yield from _released(waiting, None)

    def _read(self, selected: dict[str, StreamConfig]) -> Iterator[tuple[int, Block]]:
        """The recording's blocks, moved if asked, and the stamp at which the recording begins."""
        origin_ns: int | None = None
        shift_ns = 0
        for block in without_breaks(self._recorded.blocks(selected, self._order)):
            if block.count == 0:
                continue
            if origin_ns is None:
                origin_ns = block.first_ns
                shift_ns = 0 if self._first_ns is None else self._first_ns - origin_ns
            yield origin_ns + shift_ns, shifted(block, shift_ns) if shift_ns else block

    def _stamped(self, block: Block, played_ns: int) -> Block:
        """The block with the stamps of a device whose clock jumps."""
        reset_at_s = self._faults.reset_at_s
        if reset_at_s is None or played_ns < nanoseconds(reset_at_s):
            return block
        return shifted(block, nanoseconds(self._faults.reset_by_s))


def _released(
    waiting: list[tuple[int, int, Block]], until_ns: int | None
) -> Iterator[tuple[int, Block]]:
    """Take from a heap what is due until then; all if None."""
    while waiting and (until_ns is None or waiting[0][0] <= until_ns):
        due_ns, _, block = heapq.heappop(waiting)
        yield due_ns, block


def _pieces(block: Block, longest_ns: int) -> Iterator[Block]:
    """Cut a block of samples into stretches of at most `longest_ns`, each of at least one."""
    if isinstance(block, SampleBlock):
        stamps_ns = np.maximum.accumulate(block.stamps_ns)
        begin = 0
        while begin < len(stamps_ns):
            end = int(np.searchsorted(stamps_ns, stamps_ns[begin] + longest_ns))
            end = max(end, begin + 1)
            yield replace(
                block, stamps_ns=block.stamps_ns[begin:end], values=block.values[begin:end]
            )
            begin = end
    elif isinstance(block, UniformBlock):
        step = max(int(longest_ns * block.rate_hz / NS_PER_S), 1)
        for begin in range(0, len(block.values), step):
            stamp_ns = block.stamp_ns + round(begin * NS_PER_S / block.rate_hz)
            yield replace(block, stamp_ns=stamp_ns, values=block.values[begin : begin + step])
    else:
        yield block
