# SPDX-License-Identifier: Apache-2.0
"""Whether what a stream measures can be so: units, axes, depth, loudness.

Each check looks at the beginning of a stream and gives at most a few sentences with numbers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sensebind.sources.depth_samples import depth_samples
from sensebind.types import FrameBlock, Modality, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.types import Block

    Values = NDArray[np.float64]

_ROWS = 20_000  # looked at; 50 s at 400 Hz
_FEWEST_ROWS = 20
_GRAVITY = (8.3, 11.3)  # m/s²: 9.8 within 15 %
_IN_G = (0.85, 1.15)
_LEAST_UPRIGHT = 0.5  # cosine of the steepest mounting that is not remarked on, 60 degrees
_FASTEST_RAD_S = 35.0  # 2000 deg/s, full scale of nearly all MEMS gyroscopes
_LOOK_AHEAD_S = 0.5
_WRONG_TURN = 0.35  # distance of unit vectors 20 degrees apart
_CALM = 0.03  # share by which quiet accelerations differ from gravity
_FEWEST_PAIRS = 5
_FRAMES = 5
_FARTHEST_M = 100.0
_CLIPPED = 0.999
_CLIPPED_SHARE = 0.01
_FEWEST_BLOCKS = 10
_MOST_BLOCKS = 10_000
_SAME_RATE = 0.1  # share; sound cards are off by less than a thousandth
_NO_BURST_S = 2.0  # longer than any buffer of sound
_NO_RESET_S = -1.0
_FRAME_SHIFT_S = 0.01  # of the usual front end; windows bear half of it without jitter=
_FEWEST_SWINGS = 4  # losses only make later, and a drifting card is later or earlier for good
_LARGEST_JITTER_S = 1.0

_AXES = ("+x", "+y", "+z", "-x", "-y", "-z")
_FRAME_FOR_UP = {
    "-y": "frame=optical if these are a camera's axes",
    "-z": "frame=frd if z points down",
    "+x": "frame=0;0;-1;0;1;0;1;0;0 if z points back",
    "-x": "frame=0;0;1;0;1;0;-1;0;0 if z points forward",
    "+y": "frame=1;0;0;0;0;-1;0;1;0 if x points forward",
}


class Check(Protocol):
    """Looks at a stream's blocks and says what is wrong with them."""

    def add(self, block: Block) -> None:
        """Look at a block."""
        ...

    def findings(self) -> Iterator[str]:
        """Sentences on what was seen."""
        ...


def make_check(config: StreamConfig) -> Check | None:
    """The check of a stream; None for senses without one."""
    if config.modality is Modality.IMU:
        return ImuCheck(config)
    if config.modality is Modality.DEPTH:
        return DepthCheck(config)
    if config.modality is Modality.AUDIO:
        return AudioCheck(config)
    return None


class ImuCheck:
    """Gravity's size and direction, and the size of angular velocities."""

    def __init__(self, config: StreamConfig) -> None:
        self._rotation = np.reshape(config.rotation or np.eye(3), (3, 3))
        self._frame = config.frame
        self._stamps: list[NDArray[np.int64]] = []
        self._values: list[Values] = []
        self._rows = 0

    def add(self, block: Block) -> None:
        """Keep the block while there are too few rows."""
        if isinstance(block, SampleBlock) and self._rows < _ROWS:
            self._stamps.append(block.stamps_ns)
            self._values.append(block.values)
            self._rows += len(block.values)

    def findings(self) -> Iterator[str]:
        """Sentences on units and axes."""
        if self._rows < _FEWEST_ROWS:
            return
        stamps_ns, values = np.concatenate(self._stamps), np.concatenate(self._values)
        usable = np.isfinite(values).all(axis=1)
        stamps_s, values = (stamps_ns[usable] - stamps_ns[0]) / 1e9, values[usable]
        if len(values) < _FEWEST_ROWS:
            return
        accelerations = values[:, :3] @ self._rotation.T
        size = float(np.median(np.linalg.norm(accelerations, axis=1)))
        if _GRAVITY[0] <= size <= _GRAVITY[1]:
            yield from self._axes(accelerations.mean(axis=0), size)
        else:
            yield _odd_gravity(size)
        yield from _odd_rates(stamps_s, values)

    def _axes(self, mean: Values, size: float) -> Iterator[str]:
        """A sentence if gravity is not up; none of a sensor that tumbles or is thrown about."""
        upright = mean / size
        if np.linalg.norm(upright) < _LEAST_UPRIGHT or upright[2] >= _LEAST_UPRIGHT:
            return
        place = int(np.argmax(np.abs(upright)))
        axis = _AXES[place + (3 if mean[place] < 0 else 0)]
        fix = f"give {_FRAME_FOR_UP[axis]}" if axis in _FRAME_FOR_UP else "check how it is mounted"
        if self._frame is not None:
            fix = "check the frame that was given"
        yield (
            f"gravity is measured along {axis} (mean {mean[place]:.1f} m/s²), expected along +z "
            f"(x forward, y left, z up); {fix}"
        )


class DepthCheck:
    """Whether there are distances, and whether they are of this world."""

    def __init__(self, config: StreamConfig) -> None:
        self._config = config
        self._metres: list[Values] = []
        self._frames = 0

    def add(self, block: Block) -> None:
        """Look at the first few frames."""
        if not isinstance(block, FrameBlock) or self._frames >= _FRAMES:
            return
        metres = depth_samples(block.frame, self._config)
        if metres is not None:
            self._frames += 1
            self._metres.append(metres)

    def findings(self) -> Iterator[str]:
        """A sentence if nothing was measured, or if the unit looks wrong."""
        if not self._frames:
            return
        metres = np.concatenate(self._metres)
        measured = metres[np.isfinite(metres) & (metres > 0)]
        looked_at = f"the first {self._frames} frames" if self._frames > 1 else "the first frame"
        if not len(measured):
            yield f"depth is 0 or invalid in all pixels of {looked_at}; check the camera"
            return
        middle = float(np.median(measured))
        if middle > _FARTHEST_M:
            yield (
                f"the median depth of {looked_at} is {middle:.4g} m, more than any depth camera "
                "sees; are these millimetres? Give unit=mm, or scale= (metres per count)"
            )
            return
        far = float(np.mean(measured > _FARTHEST_M))
        if far > _CLIPPED_SHARE:
            yield (
                f"{far:.0%} of the depths of {looked_at} are more than {_FARTHEST_M:g} m, their "
                f"median is {middle:.3g} m; are metres and millimetres mixed?"
            )


class AudioCheck:
    """Whether there is sound, whether it is cut off, and whether its rate is that of its stamps."""

    def __init__(self, config: StreamConfig) -> None:
        self._jitter_s = config.jitter_s or _FRAME_SHIFT_S / 2
        self._lengths: list[int] = []
        self._stamps_ns: list[int] = []
        self._rate_hz = 0.0
        self._samples = 0
        self._clipped = 0
        self._peak = 0.0

    def add(self, block: Block) -> None:
        """Look at a block's stamp and loudness."""
        if isinstance(block, UniformBlock) and block.values.size:
            loudness = np.abs(block.values)
            if len(self._lengths) < _MOST_BLOCKS:
                self._lengths.append(len(block.values))
                self._stamps_ns.append(block.stamp_ns)
                self._rate_hz = block.rate_hz
            self._samples += block.values.size
            self._clipped += int(np.count_nonzero(loudness >= _CLIPPED))
            self._peak = max(self._peak, float(loudness.max()))

    def findings(self) -> Iterator[str]:
        """Sentences on rate, stamps and loudness."""
        if not self._samples:
            return
        yield from self._odd_stamps()
        if self._peak == 0:
            yield f"all {self._samples} audio samples are 0; check the microphone"
        elif self._clipped > _CLIPPED_SHARE * self._samples:
            share = self._clipped / self._samples
            yield (
                f"{share:.0%} of the audio samples are at full scale: clipped, or of another "
                "format (see format=)"
            )

    def _odd_stamps(self) -> Iterator[str]:
        """A sentence if the stamps tell another rate, or come in bursts.

        Bursts put off the rate of most blocks, pauses that of all; neither puts off both alike.
        Nothing but a wrong rate makes more samples than there was time for.
        """
        lengths, steps_s = np.array(self._lengths[:-1]), np.diff(self._stamps_ns) / 1e9
        if len(self._lengths) < _FEWEST_BLOCKS or steps_s.min() < _NO_RESET_S:
            return
        seconds = float(steps_s.sum())
        if seconds <= 0:
            return
        usual_hz = float(np.median(lengths / np.maximum(steps_s, 1e-9)))
        mean_hz = float(lengths.sum()) / seconds
        alike = abs(usual_hz / mean_hz - 1) < _SAME_RATE < abs(usual_hz / self._rate_hz - 1)
        too_many = seconds > _NO_BURST_S and mean_hz > (1 + _SAME_RATE) * self._rate_hz
        if alike or too_many:
            yield (
                f"its stamps tell about {mean_hz:.0f} samples per second, not {self._rate_hz:g}; "
                "check rate= and channels="
            )
            return
        late_s = np.cumsum(steps_s - lengths / self._rate_hz)
        off_s = float(np.ptp(late_s))
        if off_s < _LARGEST_JITTER_S and _swings(late_s, self._jitter_s) >= _FEWEST_SWINGS:
            yield (
                f"its stamps are uneven: they lie up to {off_s * 1e3:.0f} ms off the count of its "
                f"samples, so they look like losses and repeats; give jitter={_rounded_up(off_s)}"
            )


def _swings(values: Values, least: float) -> int:
    """How often values that rose turn to fall by more than `least`, and the other way."""
    swings, extreme, sign = 0, float(values[0]), 1.0
    for value in values.tolist():
        if sign * (value - extreme) >= 0:
            extreme = value
        elif sign * (extreme - value) > least:
            swings, extreme, sign = swings + 1, value, -sign
    return swings


def _rounded_up(seconds: float) -> float:
    """A little more than so many seconds, in hundredths."""
    return math.ceil(seconds * 100 + 1) / 100


def _odd_gravity(size: float) -> str:
    told = f"the median acceleration is {size:.4g} m/s², expected about 9.8"
    if _IN_G[0] <= size <= _IN_G[1]:
        return f"{told}; it looks like g: give unit=g"
    if 1000 * _IN_G[0] <= size <= 1000 * _IN_G[1]:
        return f"{told}; it looks like thousandths of g: give unit=mg"
    if size == 0:
        return f"{told}; check the sensor"
    if size < _GRAVITY[0] / 2:
        return f"{told}; is gravity taken off? The encoders expect it to be in"
    return f"{told}; neither m/s² nor g: check the driver, or give unit="


def _odd_rates(stamps_s: Values, values: Values) -> Iterator[str]:
    rates = np.linalg.norm(values[:, 3:], axis=1)
    fastest = float(np.percentile(rates, 99))
    if fastest > _FASTEST_RAD_S:
        yield (
            f"angular velocities reach {fastest:.4g} rad/s (99th percentile), gyroscopes "
            f"{_FASTEST_RAD_S:g}; they look like deg/s: give unit=deg/s"
        )
        return
    turned = _turn_errors(stamps_s, values)
    if turned and turned[0] > _WRONG_TURN and turned[0] > 4 * turned[1]:
        yield (
            f"the angular velocities (median {np.median(rates):.3g} rad/s) turn the direction of "
            "gravity far more than the accelerations show; they look like deg/s: give unit=deg/s"
        )


def _turn_errors(stamps_s: Values, values: Values) -> tuple[float, float] | None:
    """How far the gyroscope's account of half a second is from the accelerometer's.

    Gravity's direction in the sensor's axes turns against the sensor. Only instants with nothing
    but gravity count; thrust, for one, turns with a drone. Returns the median distance of unit
    vectors for rates in rad/s, and for the same numbers taken as deg/s.
    """
    period_s = float(np.median(np.diff(stamps_s)))
    ahead = round(_LOOK_AHEAD_S / period_s) if period_s > 0 else 0
    smooth = max(1, ahead // 4)
    if ahead < 4 or len(values) < 4 * ahead:
        return None
    box = np.full(smooth, 1 / smooth)
    gravity = np.stack([np.convolve(axis, box, "valid") for axis in values[:, :3].T], axis=1)
    sizes = np.linalg.norm(gravity, axis=1)
    gravity /= np.maximum(sizes, 1e-12)[:, np.newaxis]
    usual = np.median(sizes)  # whatever its unit
    calm = np.abs(sizes - usual) < _CALM * usual
    middles = np.arange(0, len(gravity) - ahead, ahead)
    turns = np.concatenate([np.zeros((1, 3)), np.cumsum(values[:, 3:], axis=0) * period_s])
    offset = smooth // 2
    turned = turns[middles + ahead + offset] - turns[middles + offset]
    usable = stamps_s[middles + ahead] - stamps_s[middles] < 1.5 * _LOOK_AHEAD_S
    usable &= calm[middles] & calm[middles + ahead]
    if np.count_nonzero(usable) < _FEWEST_PAIRS:
        return None
    before, after = gravity[middles][usable], gravity[middles + ahead][usable]
    errors = [
        float(np.median(np.linalg.norm(_turned(before, -factor * turned[usable]) - after, axis=1)))
        for factor in (1.0, np.pi / 180)
    ]
    return errors[0], errors[1]


def _turned(vectors: Values, turns: Values) -> Values:
    """Vectors turned by rotation vectors in rad (Rodrigues' formula), both (n, 3)."""
    angles = np.linalg.norm(turns, axis=1, keepdims=True)
    axes = turns / np.maximum(angles, 1e-12)
    along = np.sum(axes * vectors, axis=1, keepdims=True) * axes
    across = np.cross(axes, vectors)
    result: Values = along + (vectors - along) * np.cos(angles) + across * np.sin(angles)
    return result
