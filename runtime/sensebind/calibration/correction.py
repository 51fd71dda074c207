# SPDX-License-Identifier: Apache-2.0
"""Blocks of a stream with what its calibration says of their stamps and samples.

What depends on the front end (an IMU's matrices, depth, temperatures) is applied there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sensebind.calibration.applied import check_rate
from sensebind.clock.model import ClockFit
from sensebind.errors import CalibrationError
from sensebind.grid import MAX_STAMP_NS, NS_PER_S
from sensebind.types import FrameBlock, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.calibration.applied import StreamCalibration
    from sensebind.calibration.sections import ClockSection, MicrophoneSection
    from sensebind.types import Block

LARGEST_UNCERTAINTY_NS = 100_000_000
"""A clock that is known no better shifts windows by a good part of a usual hop."""
_RATE_READINGS = 50  # of an IMU at 100 Hz, half a second: less than a window


class Correction:
    """Corrects the blocks of one stream, and looks whether it is the one that was calibrated."""

    def __init__(self, calibration: StreamCalibration) -> None:
        """Begin a stream."""
        self._calibration = calibration
        clock = calibration.clock
        self._line = None if clock is None else _line(clock)
        self._clock_unchecked = clock is not None
        self._arrived: list[NDArray[np.int64]] = []
        self._rate_unchecked = calibration.imu is not None

    def apply(self, block: Block) -> Block:
        """The block as a calibrated sensor would have delivered it.

        Raises:
            CalibrationError: if the stream is not as it was when it was calibrated.
        """
        known = self._calibration
        if isinstance(block, UniformBlock) and known.microphone is not None:
            block = _heard(block, known.microphone)
        elif isinstance(block, SampleBlock) and self._rate_unchecked:
            self._check_rate(block)
        elif isinstance(block, FrameBlock) and known.depth is not None:
            self._check_size(block)
        return block if self._line is None else self._by_reference(block, self._line)

    def _by_reference(self, block: Block, line: ClockFit) -> Block:
        """The block with stamps of the reference; impossible stamps stay what they are."""
        if self._clock_unchecked:
            self._check_clock(block)
        if isinstance(block, SampleBlock):
            return replace(block, stamps_ns=_mapped(line, block.stamps_ns))
        stamp_ns = int(_mapped(line, np.array([block.stamp_ns], np.int64))[0])
        if isinstance(block, FrameBlock):
            return replace(block, stamp_ns=stamp_ns)
        rate_hz = (block.clock_rate_hz or block.rate_hz) / (1 + line.slope)
        return replace(block, stamp_ns=stamp_ns, clock_rate_hz=rate_hz)

    def _check_clock(self, block: Block) -> None:
        clock = self._calibration.clock
        stamps_ns = block.stamps_ns[:1] if isinstance(block, SampleBlock) else [block.stamp_ns]
        if clock is None or len(stamps_ns) == 0 or not _is_stamp(int(stamps_ns[0])):
            return
        uncertain_ns = clock.uncertainty_ns(int(stamps_ns[0]))
        if uncertain_ns > LARGEST_UNCERTAINTY_NS:
            away_s = abs(int(stamps_ns[0]) - clock.reference_ns) / NS_PER_S
            raise CalibrationError(
                f'the calibration [clock."{block.stream}"] tells a drift of {clock.drift_ppm:.3g} '
                f"± {clock.drift_interval_ppm:.2g} ppm at stamps {away_s:.0f} s away, so the "
                f"offset is only known to ± {uncertain_ns / 1e6:.0f} ms, expected "
                f"{LARGEST_UNCERTAINTY_NS / 1e6:.0f} ms at most; calibrate the clock from this "
                "recording, or let the clocks be synchronised"
            )
        self._clock_unchecked = False

    def _check_rate(self, block: SampleBlock) -> None:
        """Compare the rate of the first readings; they may come in bursts, or with gaps."""
        self._arrived.append(block.stamps_ns.copy())
        if sum(map(len, self._arrived)) < _RATE_READINGS:
            return
        self._rate_unchecked = False
        stamps_ns = np.concatenate(self._arrived)
        self._arrived.clear()
        steps = np.diff(stamps_ns)
        periods = [float(np.median(steps)), float(stamps_ns[-1] - stamps_ns[0]) / len(steps)]
        rates_hz = [NS_PER_S / period for period in periods if period > 0]
        imu = self._calibration.imu
        if not rates_hz or imu is None:  # windows count what is wrong with such stamps
            return
        calibrated_hz = imu.provenance.rate_hz
        nearest_hz = min(rates_hz, key=lambda rate_hz: abs(rate_hz - calibrated_hz))
        try:
            check_rate(imu.KIND, block.stream, calibrated_hz, nearest_hz)
        except CalibrationError:
            self._arrived.append(stamps_ns[-_RATE_READINGS:])
            self._rate_unchecked = True
            raise

    def _check_size(self, block: FrameBlock) -> None:
        """Compare a frame's size, where it is told, with that of the calibration."""
        depth = self._calibration.depth
        assert depth is not None
        size = (block.frame.width, block.frame.height)
        expected = (depth.width, depth.height)
        if depth.invalid is not None:
            expected = (depth.invalid.width, depth.invalid.height)
        if all(size) and all(expected) and size != expected:
            raise CalibrationError(
                f'the calibration [depth."{block.stream}"] is of frames of {expected[0]} x '
                f"{expected[1]} pixels, this one has {size[0]} x {size[1]}; set the camera to "
                "that size, or calibrate it at this one"
            )


def _heard(block: UniformBlock, microphone: MicrophoneSection) -> UniformBlock:
    """Sound without the sensor's offset, at its gain, placed by its true rate."""
    nominal_hz = microphone.provenance.rate_hz
    check_rate(microphone.KIND, block.stream, nominal_hz, block.rate_hz)
    values = block.values
    if microphone.dc_offset or microphone.gain != 1:
        values = (values - np.float32(microphone.dc_offset)) * np.float32(microphone.gain)
    clock_rate_hz = block.clock_rate_hz
    if microphone.true_rate_hz is not None and not clock_rate_hz:  # else it was measured just now
        clock_rate_hz = block.rate_hz * (microphone.true_rate_hz / nominal_hz)
    return replace(block, values=values, clock_rate_hz=clock_rate_hz)


def _line(clock: ClockSection) -> ClockFit:
    return ClockFit(clock.reference_ns, clock.reference_ns + clock.offset_ns, clock.slope, 0)


def _mapped(line: ClockFit, stamps_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    possible = (stamps_ns > 0) & (stamps_ns < MAX_STAMP_NS)
    mapped_ns = line.reference_stamps_ns(np.where(possible, stamps_ns, line.at_ns))
    return np.where(possible, mapped_ns, stamps_ns)


def _is_stamp(stamp_ns: int) -> bool:
    return 0 < stamp_ns < MAX_STAMP_NS
