# SPDX-License-Identifier: Apache-2.0
"""The robot's microphone: itself, synthesised from what happened, and what sounds in the hall.

Contact force steps excite a bank of decaying modes (chassis, wheels); each gearbox whirs in
proportion to its wheel's speed. The levels are a plausible choice, not a calibrated acoustic model,
and the hall has no echo.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

from sensebind_engines.recipes.simulation.mjcf import PHYSICS_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind_engines.recipes.simulation.log import SimLog

RATE_HZ = 16_000
_UP = RATE_HZ // PHYSICS_HZ
FloatArray = NDArray[np.float64]


class Modes(NamedTuple):
    """A resonating body: mode frequencies in Hz, decay times in s, gains, level per newton."""

    frequencies_hz: tuple[float, ...]
    decays_s: tuple[float, ...]
    gains: tuple[float, ...]
    level_per_n: float


CHASSIS = Modes(
    (310.0, 545.0, 890.0, 1430.0, 2270.0, 3600.0),
    (0.09, 0.07, 0.05, 0.03, 0.02, 0.012),
    (1.0, 0.8, 0.7, 0.5, 0.35, 0.2),
    4e-4,
)
WHEELS = Modes(
    (120.0, 190.0, 410.0, 760.0), (0.03, 0.025, 0.015, 0.01), (1.0, 0.8, 0.4, 0.2), 1.2e-4
)
_GEAR_RATIO = 30.0
_GEAR_HARMONICS = ((1, 0.5), (2, 0.3), (8, 0.8), (16, 0.35), (24, 0.12))
_FORCE_FLOOR_N = 0.5


def synthesise(
    log: SimLog, heard: Sequence[tuple[float, FloatArray]], rng: np.random.Generator
) -> NDArray[np.int16]:
    """Sound of the run at 16 kHz, int16 [n].

    Args:
        log: the run.
        heard: what else sounds: when, in seconds, and its samples at 16 kHz; what lasts longer
            than the run is cut.
        rng: draws the noises.
    """
    count = len(log.contact_n) * _UP
    sound = _ring(_strikes(log.contact_n[:, 0]), CHASSIS)
    rolling = _strikes(log.contact_n[:, 1]) + _strikes(log.contact_n[:, 2])
    sound += _ring(rolling + 0.5 * _strikes(log.contact_n[:, 3]), WHEELS)
    for side in (0, 1):
        sound += _gearbox(log.wheel_rad_s[:, side], detune=1.0 + 0.003 * side, rng=rng)
    hiss = butter(1, 600.0, fs=RATE_HZ, output="sos")
    sound += 0.003 * sosfilt(hiss, rng.normal(size=count))
    for start_s, samples in heard:
        begin = round(start_s * RATE_HZ)
        kept = samples[: max(count - begin, 0)]
        sound[begin : begin + len(kept)] += kept
    return np.round(np.tanh(1.2 * sound) * 32767.0).astype(np.int16)


def _strikes(force_n: FloatArray) -> FloatArray:
    """Steps of a contact force as impulses at the audio rate, smoothed over 0.7 ms."""
    steps = np.diff(force_n, prepend=force_n[:1])
    steps[np.abs(steps) < _FORCE_FLOOR_N] = 0.0
    impulses = np.zeros(len(steps) * _UP)
    impulses[::_UP] = steps
    kernel = np.hanning(13)[1:-1]
    return np.convolve(impulses, kernel / kernel.sum(), "same")


def _ring(strikes: FloatArray, body: Modes) -> FloatArray:
    """Sum of two-pole resonators driven by the strikes."""
    out = np.zeros_like(strikes)
    for frequency_hz, decay_s, gain in zip(
        body.frequencies_hz, body.decays_s, body.gains, strict=True
    ):
        angle = 2.0 * math.pi * frequency_hz / RATE_HZ
        radius = math.exp(-1.0 / (decay_s * RATE_HZ))
        poles = [1.0, -2.0 * radius * math.cos(angle), radius**2]
        out += lfilter([gain * math.sin(angle)], poles, strikes)
    return out * body.level_per_n


def _gearbox(wheel_rad_s: FloatArray, *, detune: float, rng: np.random.Generator) -> FloatArray:
    """Whir of one motor: harmonics of the motor shaft and noise, both grow with speed."""
    at = np.arange(len(wheel_rad_s) * _UP) / _UP
    speed = np.abs(np.interp(at, np.arange(len(wheel_rad_s)), wheel_rad_s))
    speed = np.convolve(speed, np.full(160, 1.0 / 160.0), "same")
    level = np.clip(speed / 10.0, 0.0, 1.5)
    phase = np.cumsum(speed) * (_GEAR_RATIO * detune / RATE_HZ)
    tones = sum(gain * np.sin(order * phase + order) for order, gain in _GEAR_HARMONICS)
    band = butter(2, [300.0, 3000.0], "band", fs=RATE_HZ, output="sos")
    noise = sosfilt(band, rng.normal(size=len(at)))
    return np.asarray(level * (0.035 * tones + 0.012 * noise))
