# SPDX-License-Identifier: Apache-2.0
"""A long recording at rest, summed up on disk while it is read.

Memory stays small however long the recording is: the cumulative sums of the six axes go to six
temporary files, which the estimators map, and of every second only means and deviations are kept.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind_calibration.recording import Gaps, Timing, usual_period_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

    from sensebind.types import SampleBlock

    Values = NDArray[np.float64]

_SENSORS = (
    "accelerometer",
    "accelerometer",
    "accelerometer",
    "gyroscope",
    "gyroscope",
    "gyroscope",
)
_FIRST_READINGS = 1000  # tell the rate
_CALM_FACTOR = 4.0
_MOST_LIVELY = 0.002
_MOST_TILT = 0.02  # rad, 1 degree
_FEWEST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class StaticReadings:
    """Readings of an IMU, ax ay az gx gy gz.

    Attributes:
        sums: of each axis the cumulative sums float64 (n + 1,), as `allan.cumulative` makes them.
        timing: rate and gaps.
        means, deviations: of each full second, float64 (seconds, 6).
    """

    sums: list[Values]
    timing: Timing
    means: Values
    deviations: Values

    def check_still(self) -> None:
        """Refuse what was not at rest, is too short, stuck or saturated.

        Raises:
            InputError: telling what was seen, where, and what to do.
        """
        seconds = len(self.means)
        if seconds < _FEWEST_SECONDS:
            raise InputError(
                f"the recording is {self.timing.duration_s:.1f} s long, expected at least "
                f"{_FEWEST_SECONDS} s at rest; hours tell the slow drifts, too"
            )
        spread = np.median(self.deviations, axis=0)
        self._check_alive(spread)
        lively = (self.deviations > _CALM_FACTOR * spread).any(axis=1)
        if lively.sum() > max(1, _MOST_LIVELY * seconds):
            at = ", ".join(f"{second} s" for second in np.flatnonzero(lively)[:5])
            raise InputError(
                f"the sensor was moved or knocked in {lively.sum()} of {seconds} seconds (at {at}"
                f"{', …' if lively.sum() > 5 else ''} its readings scatter more than "
                f"{_CALM_FACTOR:g} times as usual); record at rest, or cut it out by --from and "
                "--to"
            )
        self._check_tilt()

    def _check_alive(self, spread: Values) -> None:
        for axis, name in enumerate(_SENSORS):
            if not spread[axis] > 0:
                value = self.means[len(self.means) // 2, axis]
                raise InputError(
                    f"axis {'xyz'[axis % 3]} of the {name} stands at {value:.6g} without any "
                    "noise; it is saturated, stuck or rounded away: choose a larger full scale or "
                    "a finer output and record again"
                )

    def _check_tilt(self) -> None:
        gravity = self.means[:, :3] / np.linalg.norm(self.means[:, :3], axis=1, keepdims=True)
        tilt = np.linalg.norm(gravity - np.median(gravity, axis=0), axis=1)
        if (worst := float(tilt.max())) > _MOST_TILT:
            raise InputError(
                f"the sensor was turned: gravity's direction differs by {np.degrees(worst):.1f} "
                f"degrees at {int(tilt.argmax())} s, expected less than "
                f"{np.degrees(_MOST_TILT):.1f}; record it lying still, or cut by --from and --to"
            )


def read_static(blocks: Iterable[SampleBlock], folder: Path) -> StaticReadings:
    """Read a recording at rest.

    Args:
        blocks: of one IMU stream.
        folder: for the temporary files, 48 bytes per reading in all.

    Raises:
        InputError: if there are too few readings to tell a rate.
    """
    paths = [folder / f"axis{axis}" for axis in range(6)]
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("wb")) for path in paths]
        gaps: Gaps | None = None
        for stamps_ns, values in _rebatched(blocks):
            if gaps is None:
                period_ns = usual_period_ns(stamps_ns)
                gaps, seconds = Gaps(period_ns), _Seconds(max(2, round(1e9 / period_ns)))
                sums = _Sums(files, values[0])
            gaps.add(stamps_ns)
            seconds.add(values)
            sums.add(values)
    if gaps is None:
        raise InputError("the IMU stream has no usable readings; is the right topic chosen?")
    return StaticReadings(
        [np.memmap(path, np.float64, "r") for path in paths],
        gaps.timing(),
        np.array(seconds.means).reshape(-1, 6),
        np.array(seconds.deviations).reshape(-1, 6),
    )


def _rebatched(
    blocks: Iterable[SampleBlock],
) -> Iterator[tuple[NDArray[np.int64], Values]]:
    """Larger pieces: the first one tells the rate, and fewer cost less."""
    stamps: list[NDArray[np.int64]] = []
    values: list[Values] = []
    waiting = 0
    for block in blocks:
        stamps.append(block.stamps_ns)
        values.append(block.values)
        waiting += block.count
        if waiting >= _FIRST_READINGS:
            yield np.concatenate(stamps), np.concatenate(values)
            stamps, values, waiting = [], [], 0
    if waiting:
        yield np.concatenate(stamps), np.concatenate(values)


class _Sums:
    """Cumulative sums of each axis, less its first reading, appended to a file."""

    def __init__(self, files: Sequence[BinaryIO], first: Values) -> None:
        self._files = files
        self._first = first.copy()
        self._last = np.zeros(6)
        for file in files:
            file.write(np.zeros(1).tobytes())

    def add(self, values: Values) -> None:
        steps = values - self._first
        steps[0] += self._last
        sums = np.cumsum(steps, axis=0)
        self._last = sums[-1]
        for file, column in zip(self._files, sums.T, strict=True):
            file.write(column.tobytes())


class _Seconds:
    """Mean and standard deviation of every `length` readings."""

    def __init__(self, length: int) -> None:
        self.means: list[Values] = []
        self.deviations: list[Values] = []
        self._length = length
        self._rest = np.empty((0, 6))

    def add(self, values: Values) -> None:
        values = np.concatenate([self._rest, values])
        whole = len(values) // self._length * self._length
        self._rest = values[whole:]
        if whole:
            seconds = values[:whole].reshape(-1, self._length, 6)
            self.means += list(seconds.mean(axis=1))
            self.deviations += list(seconds.std(axis=1))
