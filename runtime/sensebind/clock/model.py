# SPDX-License-Identifier: Apache-2.0
"""One device's clock as it is seen from the reference clock: offset, drift and jumps.

Only arrivals are seen, and no message arrives before it was measured. A least delay that every
message has is not observable: it stays in the offset unless a calibration tells it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np

from sensebind.clock.envelope import Envelope, Slope
from sensebind.grid import NS_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

JUMP_NS = 100_000_000
"""A difference from all that was seen before that is no delay any more, if it lasts."""
CONFIRM_COUNT = 3
CONFIRM_NS = 10_000_000_000
"""How long all messages must be late before the clock is taken to have stepped back; a step that
their own stamps show is believed after `CONFIRM_COUNT` of them."""
_SETTLE_NS = 5_000_000_000
"""So long, the first messages may turn out to have been held up, without a jump of the clock."""
_LARGEST_DRIFT = 500e-6
_USUAL_DRIFT = 100e-6
"""What the quartz of a sound card or camera may be off; the estimate begins as 0 with this."""
_WANDER = 0.1e-6
"""What the drift itself is not steady by."""
_LEAST_COUNT = 3
"""Messages of a stream that tell the offset together; one alone may be wrong."""
_LEAST_REACH_NS = 2_000_000_000
"""The offset is that of the lowest messages at least this far back."""


@dataclass(frozen=True, slots=True)
class ClockCalibration:
    """What is known about a clock beforehand.

    Attributes:
        offset_ns: reference clock less device clock when the device's shows `at_ns`; None to
            estimate it.
        at_ns: stamp of the device at which `offset_ns` holds.
        drift_ppm: by how much the device's clock runs fast; None to estimate it.
        latency_ns: least time from measurement to arrival, which cannot be observed.
    """

    offset_ns: int | None = None
    at_ns: int = 0
    drift_ppm: float | None = None
    latency_ns: int = 0


@dataclass(frozen=True, slots=True)
class ClockFit:
    """A line from device stamps to the reference clock.

    Attributes:
        at_ns: a device stamp.
        to_ns: the same instant by the reference clock.
        slope: what the reference clock gains on the device's, per second.
        epoch: number of jumps before it; lines of different epochs have nothing in common.
    """

    at_ns: int
    to_ns: int
    slope: float
    epoch: int

    def reference_ns(self, device_ns: int) -> int:
        """A device stamp by the reference clock."""
        since_ns = device_ns - self.at_ns
        return self.to_ns + since_ns + round(self.slope * since_ns)

    def reference_stamps_ns(self, device_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Device stamps, int64 (n,), by the reference clock."""
        since_ns = device_ns - self.at_ns
        gained_ns = np.rint(self.slope * since_ns).astype(np.int64)
        mapped_ns: NDArray[np.int64] = self.to_ns + since_ns + gained_ns
        return mapped_ns


@dataclass(frozen=True, slots=True)
class ClockQuality:
    """How well a clock is known.

    Attributes:
        observations: messages it was learnt from since the last jump.
        span_s: time they span.
        spread_ns: how long messages typically wait beyond the least delay (of the lowest ones
            that the estimate stands on).
        drift_ppm: by how much the device's clock runs fast.
        drift_uncertainty_ppm: standard error of it.
        jumps: how often the clock was set.
        fixed: told by a calibration and not estimated.
    """

    observations: int
    span_s: float
    spread_ns: float
    drift_ppm: float
    drift_uncertainty_ppm: float
    jumps: int
    fixed: bool = False


class _Verdict(Enum):
    """What a message far from all earlier ones of its stream is taken for."""

    DELAYED = "its stamp may be right"
    IMPOSSIBLE = "its stamp is wrong"
    OTHER_WAY = "the stream has another least delay now; the clock is the same"
    JUMP = "the clock was set"


class ClockModel:
    """Learns a clock online from pairs of device stamp and arrival, in fixed memory.

    Streams that share a clock have least delays of their own; the fastest one tells the offset, and
    all together the drift.

    Threads may share it.

    Attributes:
        jumps: how often the clock was set, forward or backward.
        epoch: changes whenever the offset is learnt anew.
    """

    def __init__(
        self, calibration: ClockCalibration | None = None, *, jump_ns: int = JUMP_NS
    ) -> None:
        """Begin without observations; `jump_ns` is the least jump that is noticed."""
        self.jumps = 0
        self.epoch = 0
        self._calibration = calibration or ClockCalibration()
        self._jump_ns = jump_ns
        ppm = self._calibration.drift_ppm
        self._slope = Slope(0.0, _USUAL_DRIFT) if ppm is None else Slope(_slope_of(ppm), 0.0)
        self._prior = self._slope
        self._streams: dict[str, Envelope] = {}
        self._origin: tuple[int, int] | None = None
        self._height = 0.0
        self._strange = 0
        self._stale = False
        self._fit: ClockFit | None = None
        self._lock = RLock()

    @property
    def fit(self) -> ClockFit | None:
        """The line as it is known now; None before the first observation."""
        known = self._calibration
        if known.offset_ns is not None:
            return ClockFit(known.at_ns, known.at_ns + known.offset_ns, self._slope.value, 0)
        with self._lock:
            if self._fit is None and self._origin is not None:
                if self._stale:
                    self._estimate()
                device_ns, offset_ns = self._origin
                to_ns = device_ns + offset_ns + round(self._height) - known.latency_ns
                self._fit = ClockFit(device_ns, to_ns, self._slope.value, self.epoch)
            return self._fit

    @property
    def quality(self) -> ClockQuality:
        """How well the clock is known."""
        with self._lock:
            return self._quality()

    def _quality(self) -> ClockQuality:
        envelopes = self._streams.values()
        fastest = min(envelopes, key=lambda envelope: envelope.above, default=None)
        slope, uncertainty = self._slope
        return ClockQuality(
            observations=sum(envelope.count for envelope in envelopes),
            span_s=max((envelope.span_ns for envelope in envelopes), default=0.0) / 1e9,
            spread_ns=fastest.spread(slope) if fastest else 0.0,
            drift_ppm=-slope / (1 + slope) * 1e6,
            drift_uncertainty_ppm=uncertainty * 1e6,
            jumps=self.jumps,
            fixed=self._calibration.offset_ns is not None,
        )

    def observe(self, device_ns: int, receive_ns: int, stream: str = "") -> bool:
        """Learn from one message; False if the clock as it is known cannot have stamped it.

        Args:
            device_ns: stamp of the device.
            receive_ns: when it arrived, by the reference clock.
            stream: what the message belongs to.
        """
        with self._lock:
            return self._observe(device_ns, receive_ns, stream)

    def restart(self) -> None:
        """Forget the offset; what is known of the drift stays."""
        with self._lock:
            self.epoch += 1
            self._prior, self._streams, self._origin = self._slope, {}, None
            self._height, self._strange, self._fit = 0.0, 0, None

    def _observe(self, device_ns: int, receive_ns: int, stream: str) -> bool:
        if self._origin is None:
            self._origin = device_ns, receive_ns - device_ns
        x = float(device_ns - self._origin[0])
        y = float(receive_ns - device_ns - self._origin[1])
        high = y - self._height - self._slope.value * x
        envelope = self._streams.get(stream) or self._add(stream, high, receive_ns)
        late = high - envelope.above
        if abs(late) > self._jump_ns:
            verdict = self._judge(envelope, x, late, receive_ns)
            if verdict is _Verdict.JUMP:
                self.jumps += 1
                self.restart()
                return self._observe(device_ns, receive_ns, stream)
            if verdict is not _Verdict.OTHER_WAY:
                return verdict is _Verdict.DELAYED
            envelope = self._add(stream, high, receive_ns)
        self._strange = 0
        envelope.inside_ns = receive_ns
        if envelope.add(x, y, self._slope.value):
            self._stale, self._fit = True, None
        elif high < 0 and envelope.count >= _LEAST_COUNT:
            self._height += high
            self._fit = None
        return True

    def _add(self, stream: str, high: float, receive_ns: int) -> Envelope:
        envelope = self._streams[stream] = Envelope(high, receive_ns)
        return envelope

    def _judge(self, envelope: Envelope, x: float, late: float, receive_ns: int) -> _Verdict:
        """What a message means that lies far from all earlier ones of its stream."""
        backward = x < envelope.newest - JUMP_NS
        if late < 0 or backward:
            self._strange += 1
            if self._strange >= CONFIRM_COUNT:
                held_up = late < 0 and envelope.span_ns < _SETTLE_NS  # the first ones were
                return _Verdict.OTHER_WAY if held_up else _Verdict.JUMP
            far = late < 0 or x < envelope.newest - NS_PER_S
            return _Verdict.IMPOSSIBLE if far else _Verdict.DELAYED
        if receive_ns - envelope.inside_ns < CONFIRM_NS:
            return _Verdict.DELAYED
        others = (other.inside_ns for other in self._streams.values())
        steady = receive_ns - max(others) < CONFIRM_NS
        return _Verdict.OTHER_WAY if steady else _Verdict.JUMP

    def _estimate(self) -> None:
        """Weigh the streams' drifts and what was known before, and find the line below all."""
        self._stale = False
        envelopes = list(self._streams.values())
        counted = [e for e in envelopes if e.count >= _LEAST_COUNT] or envelopes
        if self._prior.uncertainty > 0:
            slopes = [slope for e in counted if (slope := e.slope()) is not None]
            self._slope = _weighed([self._prior, *slopes])
        value, uncertainty = self._slope
        heights = {}
        for envelope in envelopes:
            # Further back the line would be off by more than delays scatter.
            reach_ns = envelope.spread(value) / uncertainty if uncertainty else float("inf")
            heights[envelope] = envelope.lowest(value, max(reach_ns, _LEAST_REACH_NS))
        self._height = min(heights[envelope] for envelope in counted)
        for envelope, height in heights.items():
            envelope.above = height - self._height


def _slope_of(drift_ppm: float) -> float:
    """What the reference clock gains on a device's that runs fast by `drift_ppm`."""
    return 1 / (1 + drift_ppm * 1e-6) - 1


def _weighed(slopes: list[Slope]) -> Slope:
    """Mean by inverse variance, within what a quartz can be off."""
    weights = [1 / max(slope.uncertainty, _WANDER) ** 2 for slope in slopes]
    mean = sum(w * slope.value for w, slope in zip(weights, slopes, strict=True)) / sum(weights)
    limited = min(max(mean, -_LARGEST_DRIFT), _LARGEST_DRIFT)
    return Slope(limited, sum(weights) ** -0.5)
