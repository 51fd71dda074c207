# SPDX-License-Identifier: Apache-2.0
"""When something begins in a stream: knocks and jolts, sounds, things that start to move.

An event is a sudden rise: a level several times as high as all of the last third of a second. It
began where the level first passes a tenth of its peak, as soon as it is told from what was before.
Of IMUs and cameras, whose level tells what changed since the reading or frame before, that is
between the two; nothing tells where, so the instant is off by up to half a period to either side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image
from scipy.ndimage import maximum_filter1d

from sensebind.errors import InputError
from sensebind.grid import NS_PER_S
from sensebind.preprocess.grey_frames import grey_pixels, holds_counts
from sensebind.preprocess.pictures import decode_frame
from sensebind.types import FrameBlock, SampleBlock, UniformBlock
from sensebind_calibration.recording import rises

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.types import Block, Frame

    Times = NDArray[np.int64]
    Values = NDArray[np.float64]

_RISE = 2.5
_BEGIN = 0.1
_BEFORE_S = 0.35
_ATTACK_S = 0.05  # from an event's begin to its peak
_PAUSE_S = 0.25  # shortest between two events
_HOP_S = 0.001  # of the level of sound
_PICTURE = (64, 48)


@dataclass(frozen=True, slots=True)
class Activity:
    """How much happens in a stream.

    Attributes:
        stamps_ns: int64 (n,), rising.
        level: float64 (n,), not negative.
        period_s: usual distance of the stamps.
        between: whether a level tells what happened since the stamp before; else it is that of a
            stretch about its stamp.
    """

    stamps_ns: Times
    level: Values
    period_s: float
    between: bool = False


@dataclass(frozen=True, slots=True)
class Events:
    """When events began, int64 (n,) rising, and to how many seconds that is known."""

    stamps_ns: Times
    resolution_s: float


class Listener(Protocol):
    """Makes the activity of a stream of its blocks."""

    def add(self, block: Block) -> None:
        """Take the next block."""
        ...

    def activity(self) -> Activity:
        """How much happened."""
        ...


def find_events(activity: Activity) -> Events:
    """The events of a stream."""
    stamps_ns, level = activity.stamps_ns, activity.level
    before = max(2, round(_BEFORE_S / activity.period_s))
    attack = max(1, round(_ATTACK_S / activity.period_s))
    if len(level) <= before + 2:
        return Events(np.empty(0, np.int64), activity.period_s)
    # The greatest of the `before` levels that end just before each one.
    greatest = maximum_filter1d(level, before, mode="nearest", origin=(before - 1) // 2)
    recent = np.concatenate([greatest[:1], greatest[:-1]])
    rising = np.flatnonzero(level > np.maximum(_RISE * recent, np.finfo(np.float64).tiny))
    found: list[int] = []
    for place in rising[rising >= before].tolist():
        if not found or stamps_ns[place] - found[-1] > _PAUSE_S * NS_PER_S:
            found.append(_instant(activity, place, attack))
    return Events(np.array(found, np.int64), activity.period_s)


def _instant(activity: Activity, place: int, attack: int) -> int:
    """Where the level first passes a tenth of the peak of the event found at `place`."""
    stamps_ns, level = activity.stamps_ns, activity.level
    peak = float(level[place : place + attack + 1].max())
    at = place + int(np.argmax(level[place:] >= _BEGIN * peak))
    begin_ns, end_ns = int(stamps_ns[at - 1]), int(stamps_ns[at])
    return (begin_ns + end_ns) // 2 if activity.between else end_ns


def listener_of(block: Block) -> Listener:
    """What makes the activity of a stream of such blocks."""
    if isinstance(block, SampleBlock):
        return _Jolts()
    return _Sounds() if isinstance(block, UniformBlock) else _Motion()


class _Jolts:
    """An IMU: how its readings change, both sensors' in units of what is usual."""

    def __init__(self) -> None:
        self._stamps: list[Times] = []
        self._values: list[Values] = []

    def add(self, block: Block) -> None:
        assert isinstance(block, SampleBlock)
        finite = np.isfinite(block.values).all(axis=1)
        self._stamps.append(block.stamps_ns[finite])
        self._values.append(block.values[finite])

    def activity(self) -> Activity:
        stamps_ns, values = np.concatenate(self._stamps), np.concatenate(self._values)
        rising = rises(stamps_ns)
        stamps_ns, values = stamps_ns[rising], values[rising]
        period_s = _period_s(stamps_ns)
        steps = np.diff(values, axis=0)
        level = np.zeros(len(steps))
        for part in (steps[:, :3], steps[:, 3:]):
            size = np.linalg.norm(part, axis=1)
            usual = float(np.median(size))
            if usual > 0:
                level += (size / usual) ** 2
        return Activity(stamps_ns[1:], np.sqrt(level), period_s, between=True)


class _Sounds:
    """A microphone: the level of its first channel in short stretches."""

    def __init__(self) -> None:
        self._stamps: list[Times] = []
        self._levels: list[Values] = []
        self._rest: NDArray[np.float32] = np.empty(0, np.float32)
        self._rest_ns = 0

    def add(self, block: Block) -> None:
        assert isinstance(block, UniformBlock)
        rate_hz = block.clock_rate_hz or block.rate_hz
        hop = max(1, round(_HOP_S * block.rate_hz))
        follows = abs(self._rest_ns + len(self._rest) * NS_PER_S / rate_hz - block.stamp_ns)
        if len(self._rest) and follows < _HOP_S * NS_PER_S:
            samples = np.concatenate([self._rest, block.values[:, 0]])
            begin_ns = block.stamp_ns - round(len(self._rest) * NS_PER_S / rate_hz)
        else:
            samples, begin_ns = block.values[:, 0], block.stamp_ns
        count = len(samples) // hop
        used = np.nan_to_num(samples[: count * hop].astype(np.float64))
        # Differences leave out the offset and rumble.
        steps = np.diff(used, prepend=used[:1]).reshape(count, hop)
        self._levels.append(np.sqrt((steps**2).mean(axis=1)))
        middles = (np.arange(count) + 0.5) * (hop * NS_PER_S / rate_hz)
        self._stamps.append(begin_ns + np.rint(middles).astype(np.int64))
        self._rest = samples[count * hop :].astype(np.float32)
        self._rest_ns = begin_ns + round(count * hop * NS_PER_S / rate_hz)

    def activity(self) -> Activity:
        stamps_ns, level = np.concatenate(self._stamps), np.concatenate(self._levels)
        rising = rises(stamps_ns)
        return Activity(stamps_ns[rising], level[rising], _period_s(stamps_ns[rising]))


class _Motion:
    """A camera of any kind: how much its pictures change."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._levels: list[float] = []
        self._last: NDArray[np.float32] | None = None

    def add(self, block: Block) -> None:
        assert isinstance(block, FrameBlock)
        try:
            picture = _small(block.frame)
        except InputError:  # a damaged frame is no event
            return
        last, self._last = self._last, picture
        if self._stamps and block.stamp_ns <= self._stamps[-1]:
            return
        same = last is not None and last.shape == picture.shape
        self._stamps.append(block.stamp_ns)
        self._levels.append(_change(last, picture) if same and last is not None else 0.0)

    def activity(self) -> Activity:
        stamps_ns = np.array(self._stamps, np.int64)
        return Activity(stamps_ns, np.array(self._levels), _period_s(stamps_ns), between=True)


def _small(frame: Frame) -> NDArray[np.float32]:
    """A picture of few pixels; those without depth are 0."""
    if not holds_counts(frame):
        grey = decode_frame(frame).convert("L").resize(_PICTURE, Image.Resampling.BOX)
        return np.asarray(grey, dtype=np.float32)
    pixels = grey_pixels(frame)
    step = max(1, min(pixels.shape) // _PICTURE[1])
    few = pixels[::step, ::step].astype(np.float32)
    few[~(np.isfinite(few) & (few > 0))] = 0
    return few


def _change(last: NDArray[np.float32], picture: NDArray[np.float32]) -> float:
    """Mean change of the pixels that both pictures have, relative to their mean."""
    both = (last > 0) & (picture > 0)
    if not both.any():
        return 0.0
    usual = float(picture[both].mean())
    return float(np.abs(picture[both] - last[both]).mean()) / max(usual, 1e-9)


def _period_s(stamps_ns: Times) -> float:
    if len(stamps_ns) < 3:
        raise InputError(
            f"a stream has {len(stamps_ns)} usable stamps, expected at least 10 s of it; is the "
            "right one chosen?"
        )
    return max(float(np.median(np.diff(stamps_ns))) / NS_PER_S, 1e-6)
