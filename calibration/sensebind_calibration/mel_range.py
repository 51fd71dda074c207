# SPDX-License-Identifier: Apache-2.0
"""What of a front end's mel range a microphone carries: its loud parts against its quiet ones.

The sound goes through the front end itself, and each filter's power is averaged over the frames of
the quiet and of the loud windows. A filter that is not 3 dB stronger where it is loud heard nothing
of what made the noise. Runs of them are told, if most of the range heard something: else the sound
was no wide one, and it tells nothing of the device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

from sensebind.preprocess.spectrogram import mel_centres_hz, plan_of
from sensebind_calibration.levels import WINDOW_S
from sensebind_calibration.sense_sections import MelBands, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.specs import LogMelSpec
    from sensebind_calibration.levels import Levels

    Samples = NDArray[np.float32]
    Values = NDArray[np.float64]

_LEAST_RISE = 2.0  # 3 dB
_LEAST_HEARD = 0.4
_SHORTEST_RUN = 3
_NOISE = 0.3
_FRAMES_AT_ONCE = 4096


def measure_mel_range(
    samples: Samples, rate_hz: float, levels: Levels, spec: LogMelSpec
) -> MelBands | None:
    """Compare the loud and the quiet windows of a sound, filter by filter.

    Args:
        samples: float32 (n,).
        rate_hz: of them.
        levels: which windows are quiet and loud.
        spec: the front end.

    Returns:
        None if there is nothing loud, or too little of the range was heard to tell.
    """
    if levels.signal is None:
        return None
    if rate_hz != spec.rate_hz:
        samples = soxr.resample(samples, rate_hz, spec.rate_hz)
    quiet, loud = _mean_powers(samples, spec, levels)
    heard = loud > _LEAST_RISE * quiet
    empty = _empty_filters(spec)
    if heard[~empty].mean() < _LEAST_HEARD:
        return None
    return MelBands(
        low_hz=spec.low_hz,
        high_hz=spec.high_hz,
        centres_hz=_numbers(mel_centres_hz(spec), 1),
        quiet_db=_numbers(10 * np.log10(quiet), 2),
        loud_db=_numbers(10 * np.log10(loud), 2),
        silent=_runs(~heard & ~empty, heard),
    )


def _mean_powers(samples: Samples, spec: LogMelSpec, levels: Levels) -> tuple[Values, Values]:
    """Mean power of each filter over the frames of the quiet and of the loud windows."""
    plan = plan_of(spec)
    shift, length = plan.frame_shift, plan.frame_length
    frames = plan.frame_count(len(samples))
    middles_s = (np.arange(frames) * shift + length / 2) / spec.rate_hz
    windows = np.minimum((middles_s / WINDOW_S).astype(np.int64), len(levels.quiet) - 1)
    sums = np.zeros((2, spec.mel_bins))
    for first in range(0, frames, _FRAMES_AT_ONCE):
        count = min(_FRAMES_AT_ONCE, frames - first)
        part = samples[first * shift : (first + count - 1) * shift + length]
        powers = _powers(np.ascontiguousarray(part), spec, count)
        of = windows[first : first + count]
        for row, chosen in enumerate((levels.quiet[of], levels.loud[of])):
            sums[row] += powers[:, chosen].sum(axis=1)
    quiet, loud = levels.quiet[windows].sum(), levels.loud[windows].sum()
    return sums[0] / max(int(quiet), 1), sums[1] / max(int(loud), 1)


def _powers(samples: Samples, spec: LogMelSpec, count: int) -> Values:
    """What the filters sum, float64 (mel_bins, count); never below the front end's floor."""
    features = np.empty((spec.mel_bins, count), np.float32)
    plan_of(spec).frames(samples, features)
    logs = features.astype(np.float64) * spec.std + spec.mean
    bases = {"natural": np.e, "log10": 10.0, "decibel": 10**0.1}
    powers: Values = bases[spec.logarithm] ** logs
    return powers if spec.spectrum == "power" else powers**2


def _empty_filters(spec: LogMelSpec) -> NDArray[np.bool_]:
    """Filters so narrow that they hold no frequency of the transform: none hears anything."""
    plan = plan_of(spec)
    noise = np.random.default_rng(0).uniform(-_NOISE, _NOISE, 4 * plan.frame_length)
    count = plan.frame_count(len(noise))
    powers = _powers(noise.astype(np.float32), spec, count)
    floor = spec.log_floor if spec.spectrum == "power" else spec.log_floor**2
    return np.asarray((powers < 1.01 * floor).all(axis=1))


def _runs(silent: NDArray[np.bool_], heard: NDArray[np.bool_]) -> tuple[Span, ...]:
    """First and last of each run without a heard filter that is long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (~heard).astype(np.int8), [0]])))
    return tuple(
        (int(first), int(end) - 1)
        for first, end in edges.reshape(-1, 2)
        if silent[first:end].sum() >= _SHORTEST_RUN
    )


def _numbers(values: Values, digits: int) -> tuple[float, ...]:
    return tuple(round(float(value), digits) for value in values)
