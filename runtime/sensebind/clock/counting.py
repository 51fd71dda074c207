# SPDX-License-Identifier: Apache-2.0
"""The clock of a sound card: its samples are counted, and the count is a clock like any other.

Stamps of audio blocks come from one clock and the samples from another, the card's quartz. The rate
at which samples really come is what the stamps say over a long time.
"""

from __future__ import annotations

from sensebind.clock.model import ClockFit, ClockModel
from sensebind.grid import NS_PER_S

PAUSE_NS = NS_PER_S
ARRIVAL_HOLE_NS = NS_PER_S // 4
"""Blocks without stamps of their own wait in buffers; a shorter delay says nothing."""
_DIGITS = 6  # of a rate in hertz; 16 kHz to 1e-6 Hz is off by less than 1 µs in 4 hours


class SampleCounter:
    """Places the blocks of a uniform stream by the number of samples before them.

    Attributes:
        relocks: how often the line of the stamps was drawn anew without a hole.
        clock_rate_hz: samples per second by the clock of the stamps, as the line has it.
    """

    def __init__(self, tolerance_ns: int) -> None:
        """Begin a stream; a line off by over `tolerance_ns` is drawn anew."""
        self.relocks = 0
        self.clock_rate_hz = 0.0
        self._tolerance_ns = tolerance_ns
        self._rate_hz = 0.0
        self._count = 0
        self._line: ClockFit | None = None
        self._model = ClockModel(jump_ns=tolerance_ns)

    def place(
        self, start_ns: int, count: int, rate_hz: float, hole_ns: int, *, follows: bool = False
    ) -> int:
        """Stamp of a block's first sample by the line.

        Args:
            start_ns: its stamp as it came.
            count: samples in the block.
            rate_hz: nominal rate.
            hole_ns: a stamp this far from where the block should be means lost or repeated samples.
            follows: whether by the device's own stamps the block follows the one before; then such
                a step is news of the device's clock, and nothing was lost.
        """
        if rate_hz != self._rate_hz:
            self._rate_hz, self._count, self._line = rate_hz, 0, None
            self._model = ClockModel(jump_ns=self._tolerance_ns)
        at_ns = round(self._count * (NS_PER_S / rate_hz))
        self._count += count
        fit = self._model.fit
        step_ns = 0 if fit is None else start_ns - fit.reference_ns(at_ns)
        moved = follows and abs(step_ns) > hole_ns
        if abs(step_ns) > hole_ns:
            self._model.restart()
        self._model.observe(at_ns, start_ns)
        fit = self._model.fit
        assert fit is not None
        line = self._line
        if line is None or abs(step_ns) > max(hole_ns, PAUSE_NS):
            return self._draw(fit, at_ns)
        if moved:
            self.relocks += 1
            return self._draw(fit, at_ns)
        if abs(step_ns) > hole_ns:
            self._line = ClockFit(at_ns, start_ns, line.slope, fit.epoch)
            return start_ns
        if abs(fit.reference_ns(at_ns) - line.reference_ns(at_ns)) > self._tolerance_ns:
            self.relocks += 1
            return self._draw(fit, at_ns)
        return line.reference_ns(at_ns)

    def _draw(self, fit: ClockFit, at_ns: int) -> int:
        """Take another line; its rate differs from the last one's, which is how it is told."""
        rate_hz = round(self._rate_hz / (1 + fit.slope), _DIGITS)
        if self._line is not None and rate_hz == self.clock_rate_hz:
            rate_hz = round(rate_hz + 10**-_DIGITS, _DIGITS)
        self._line, self.clock_rate_hz = fit, rate_hz
        return fit.reference_ns(at_ns)
