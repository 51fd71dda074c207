# SPDX-License-Identifier: Apache-2.0
"""Levels of a recorded sound: its quiet and its loud parts, offset and clipping.

The recording is cut into windows of 0.1 s. The calmest fifth of them tells what quiet is: windows
within 6 dB of their median are quiet, windows 10 dB above the quiet ones' mean are loud. Windows
without any change are digital silence, in which a driver has put nothing, and count for neither.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t

from sensebind.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]
    Values = NDArray[np.float64]
    Chosen = NDArray[np.bool_]
    Range = tuple[float, float]

WINDOW_S = 0.1
FEWEST_QUIET = 10
FEWEST_LOUD = 5
_CALM_SHARE = 0.2
_QUIET_FACTOR = 4.0  # 6 dB
_LOUD_FACTOR = 10.0  # 10 dB
_BATCHES = 20
_MOST_SILENCE = 0.5
_LARGEST_SAMPLE = 1.5  # files of floats may exceed the full scale a little
_LOUDEST_FLOOR_DBFS = -15.0
_STEP = 1 / 32768
_CLIPPED_LEAST = 10
_CLIPPED_FROM = 0.05
MOST_CLIPPED = 1e-3
_QUANTILE = 1.96  # of a normal distribution: standard errors to either end of 95 %


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """The standard error with which a normal distribution has that interval."""
        return (self.high - self.low) / 2 / _QUANTILE


@dataclass(frozen=True, slots=True)
class Levels:
    """What a sound is like. Powers are means of squares about the offset.

    Attributes:
        offset: mean of the quiet samples.
        floor: power of the quiet windows.
        signal: power of the loud windows less the floor; None if there are too few.
        peak: largest magnitude.
        clipped: share of the samples that stand at the end of the scale.
        silence: share of the windows that are digital silence.
        quiet, loud: bool (windows,).
        window: samples of a window.
    """

    offset: Mean
    floor: Mean
    signal: Mean | None
    peak: float
    clipped: float
    silence: float
    quiet: Chosen
    loud: Chosen
    window: int


def measure_levels(samples: Samples, rate_hz: float) -> Levels:
    """Levels of samples float32 (n,), full scale ±1.

    Raises:
        InputError: if they are no sound of a microphone that works, telling why and what to do.
    """
    window = max(1, round(WINDOW_S * rate_hz))
    count = len(samples) // window
    if count < 2 * FEWEST_QUIET:
        raise InputError(
            f"the sound is {len(samples) / rate_hz:.2f} s long, expected at least "
            f"{2 * FEWEST_QUIET * WINDOW_S:g} s: ten seconds of silence and ten of sound do"
        )
    peak = float(np.abs(samples).max())
    _check_scale(samples, peak)
    windows = samples[: count * window].reshape(count, window)
    means = windows.mean(axis=1, dtype=np.float64)
    powers = np.einsum("ij,ij->i", windows, windows, dtype=np.float64) / window - means**2
    alive = np.ptp(windows, axis=1) > 0
    silence = 1 - float(alive.mean())
    if silence > _MOST_SILENCE:
        raise InputError(
            f"{silence:.0%} of the sound is digital silence (samples that stand at "
            f"{float(np.median(samples)):g}): the microphone is muted, unplugged, or a noise gate "
            "closes it; unmute it, switch noise suppression off, and record again"
        )
    calm = np.sort(powers[alive])[: max(1, round(_CALM_SHARE * alive.sum()))]
    quiet = alive & (powers <= _QUIET_FACTOR * float(np.median(calm)))
    if quiet.sum() < FEWEST_QUIET:
        raise InputError(
            f"only {quiet.sum() * WINDOW_S:.1f} s of the sound are quiet, expected at least "
            f"{FEWEST_QUIET * WINDOW_S:g} s; be silent for ten seconds of the recording"
        )
    floor = batch_mean(powers[quiet])
    _check_floor(floor.value)
    loud = alive & (powers > _LOUD_FACTOR * floor.value)
    signal = None
    if loud.sum() >= FEWEST_LOUD:
        mean = batch_mean(powers[loud])
        signal = Mean(*(value - floor.value for value in (mean.value, mean.low, mean.high)))
    offset = batch_mean(means[quiet])
    return Levels(offset, floor, signal, peak, clipped(samples), silence, quiet, loud, window)


def dbfs(power: float) -> float:
    """Level of a mean square in dBFS: a sine of full scale, whose mean square is 1/2, has 0."""
    return 10 * math.log10(2 * power)


def batch_mean(values: Values) -> Mean:
    """Mean of values that follow each other in time; neighbours may depend on each other."""
    batches = min(_BATCHES, len(values))
    means = np.array([part.mean() for part in np.array_split(values, batches)])
    half = float(t.ppf(0.975, batches - 1) * means.std(ddof=1) / math.sqrt(batches))
    mean = float(values.mean())
    return Mean(mean, mean - half, mean + half)


def clipped(samples: Samples) -> float:
    """Share of the samples that stand at the end of the scale.

    Sound that was cut off stands at its extreme for samples on end, and far more often than just
    below; other sound, a sine's turning points too, does not.
    """
    if float(np.abs(samples).max()) < _CLIPPED_FROM:
        return 0.0
    at_end = 0
    for signed in (samples, -samples):
        end = signed.max()
        standing = signed == end
        there, on_end = (int(np.count_nonzero(s)) for s in (standing, standing[1:] & standing[:-1]))
        below = int(np.count_nonzero((signed > end - 10 * _STEP) & (signed < end)))
        if on_end >= _CLIPPED_LEAST and there > 2 * below:
            at_end += there
    return at_end / len(samples)


def _check_scale(samples: Samples, peak: float) -> None:
    if not np.isfinite(peak):
        raise InputError(
            "the sound holds samples that are no numbers; its sample format is declared wrong: "
            "give --stream TOPIC=audio,format=…"
        )
    if peak > _LARGEST_SAMPLE:
        raise InputError(
            f"the samples reach {peak:.4g}, expected -1 to 1; they are not scaled (16-bit samples "
            "are divided by 32768) or their format is declared wrong: write the file as PCM, or "
            "give --stream TOPIC=audio,format=…"
        )
    if (share := clipped(samples)) > MOST_CLIPPED:
        raise InputError(
            f"{share:.1%} of the samples stand at the end of the scale ({peak:.3f}), expected at "
            f"most {MOST_CLIPPED:.1%}: the sound is clipped; turn the input gain down "
            "(alsamixer, pavucontrol) or make less noise, and record again"
        )


def _check_floor(power: float) -> None:
    if dbfs(power) > _LOUDEST_FLOOR_DBFS:
        raise InputError(
            f"the quietest part of the sound has {dbfs(power):.1f} dBFS, expected less than "
            f"{_LOUDEST_FLOOR_DBFS:g}: it is never quiet, or its bytes are read in the wrong order "
            "or format; record ten seconds of silence, too, or give --stream TOPIC=audio,format=…"
        )
