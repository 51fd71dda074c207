# SPDX-License-Identifier: Apache-2.0
"""From the stamps of a device to the reference clock, one stream at a time."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sensebind.clock.counting import ARRIVAL_HOLE_NS, SampleCounter
from sensebind.clock.frozen import FrozenLine
from sensebind.clock.stamps import PEEKED_MESSAGES, stamp_fault
from sensebind.grid import MAX_STAMP_NS, NS_PER_S, nanoseconds
from sensebind.types import FrameBlock, UniformBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.clock.model import ClockModel
    from sensebind.types import Block

    Stamps = NDArray[np.int64]

SAMPLE_TOLERANCE_NS = 1_000_000
"""A line of samples or frames is held until it is off by this."""
AUDIO_TOLERANCE_NS = 5_000_000
"""One of sound: half a frame shift of the usual front end. A new line costs the windows over it."""


def audio_tolerance_ns(jitter_s: float | None) -> int:
    """Error of a line of sound that is borne; `jitter_s` is StreamConfig's."""
    return AUDIO_TOLERANCE_NS if jitter_s is None else nanoseconds(jitter_s)


class StampMapper:
    """Maps the blocks of one stream by a line that is held until it is off by too much.

    What it maps never runs backwards because of another line. A block whose stamp cannot be (it
    has none, it lies far behind, or would have arrived before it was measured) is placed by its
    arrival; so are all blocks of a stream whose stamps are no clock, which `note` tells.

    Attributes:
        by_arrival: blocks that were placed by their arrival.
        note: a sentence for the user about the stream's stamps, "" if there is nothing to say.
    """

    def __init__(
        self, model: ClockModel | None, tolerance_ns: int, *, stream: str = "", period_ns: int = 0
    ) -> None:
        """Begin a stream.

        Args:
            model: of the clock that stamps it; None for the reference clock itself.
            tolerance_ns: error of the line that is borne until it is drawn anew.
            stream: its name.
            period_ns: nominal distance of its samples, 0 if unknown.
        """
        self.by_arrival = 0
        self.note = ""
        self._model = model
        self._stream = stream
        self._period_ns = period_ns
        self._tolerance_ns = tolerance_ns
        self._line = FrozenLine(min(tolerance_ns, SAMPLE_TOLERANCE_NS))
        self._counter: SampleCounter | None = None
        self._first_stamps: list[int] = []
        self._newest_ns = 0
        self._arrived_ns = 0
        self._device_end_ns = 0

    @property
    def relocks(self) -> int:
        """How often the line was drawn anew."""
        return self._line.changes if self._counter is None else self._counter.relocks

    def map_block(self, block: Block, receive_ns: int) -> Block:
        """The block with stamps of the reference clock.

        A uniform block also gets the rate at which its samples come by that clock.

        Args:
            block: with stamps of the device.
            receive_ns: when it arrived, by the reference clock.
        """
        if isinstance(block, UniformBlock):
            sound = len(block.values) > 0 and 0 < block.rate_hz < math.inf
            return self._map_uniform(block, receive_ns) if sound else block
        if isinstance(block, FrameBlock):
            stamp_ns = int(self._map(np.array([block.stamp_ns], np.int64), 0, receive_ns)[0])
            return block if stamp_ns == block.stamp_ns else replace(block, stamp_ns=stamp_ns)
        if not len(block.stamps_ns):
            return block
        stamps_ns = self._map(block.stamps_ns, 0, receive_ns)
        return block if stamps_ns is block.stamps_ns else replace(block, stamps_ns=stamps_ns)

    def _map_uniform(self, block: UniformBlock, receive_ns: int) -> UniformBlock:
        if self._counter is None:
            self._counter = SampleCounter(self._tolerance_ns)
        count, by_arrival = len(block.values), self.by_arrival
        length_ns = round(count * NS_PER_S / block.rate_hz)
        stamp_ns = int(self._map(np.array([block.stamp_ns], np.int64), length_ns, receive_ns)[0])
        arrived = self.by_arrival > by_arrival
        hole_ns = ARRIVAL_HOLE_NS if arrived else self._tolerance_ns
        follows = not arrived and abs(block.stamp_ns - self._device_end_ns) <= hole_ns
        self._device_end_ns = block.stamp_ns + length_ns
        placed_ns = self._counter.place(stamp_ns, count, block.rate_hz, hole_ns, follows=follows)
        rate_hz = self._counter.clock_rate_hz
        if self._model is not None or arrived:
            return replace(block, stamp_ns=placed_ns, clock_rate_hz=rate_hz)
        return block if rate_hz == block.rate_hz else replace(block, clock_rate_hz=rate_hz)

    def _map(self, stamps_ns: Stamps, length_ns: int, receive_ns: int) -> Stamps:
        """Map the stamps of a block that ends `length_ns` behind the last of them."""
        mapped_ns = self._by_clock(stamps_ns, length_ns, receive_ns)
        if mapped_ns is None:
            self.by_arrival += 1
            mapped_ns = self._by_its_arrival(len(stamps_ns), length_ns, receive_ns)
        self._newest_ns = max(self._newest_ns, int(mapped_ns[-1]) + length_ns)
        self._arrived_ns = receive_ns
        return mapped_ns

    def _by_clock(self, stamps_ns: Stamps, length_ns: int, receive_ns: int) -> Stamps | None:
        """Map stamps by the clock's model; None if they cannot be."""
        if not self._is_stamped(int(stamps_ns[-1])):
            return None
        if self._model is None:
            return stamps_ns
        if not self._model.observe(int(stamps_ns[-1]) + length_ns, receive_ns, self._stream):
            return None
        fit = self._model.fit
        assert fit is not None
        if self._counter is not None:  # which holds a line of its own
            return fit.reference_stamps_ns(stamps_ns)
        self._line.update(fit, int(stamps_ns[0]), self._newest_ns)
        mapped_ns = self._line.reference_stamps_ns(stamps_ns)
        if len(stamps_ns) > 1:
            impossible = (stamps_ns <= 0) | (stamps_ns >= MAX_STAMP_NS)
            mapped_ns[impossible] = -1
        return mapped_ns

    def _is_stamped(self, stamp_ns: int) -> bool:
        """Whether a block's stamp is one; the first ones decide for the stream."""
        if len(self._first_stamps) < PEEKED_MESSAGES:
            self._first_stamps.append(stamp_ns)
            fault = stamp_fault(self._first_stamps)
            self.note = f"{fault}; receive times are used instead" if fault else ""
        return not self.note and 0 < stamp_ns < MAX_STAMP_NS

    def _by_its_arrival(self, count: int, length_ns: int, receive_ns: int) -> Stamps:
        """Stamps for a block that arrived now, spread over the time since the one before."""
        last_ns, end_ns = self._newest_ns, receive_ns
        if last_ns and not self.note:  # one wrong stamp: as late as the block before
            end_ns = min(receive_ns, last_ns + receive_ns - self._arrived_ns)
        since_ns = end_ns - last_ns
        step_ns = since_ns // count if 0 < since_ns < NS_PER_S else self._period_ns
        return end_ns - length_ns - step_ns * np.arange(count - 1, -1, -1, dtype=np.int64)
