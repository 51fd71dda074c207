# SPDX-License-Identifier: Apache-2.0
"""Sounds from formulas: each function makes `SECONDS` at 16 kHz from one parameter and a generator.

All return float64 (n,) of unit peak. Every window of two seconds holds something of the event.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

from sensebind_engines.recipes.sounds.phrases import SECONDS
from sensebind_engines.recipes.sounds.renders import RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]
_COUNT = round(SECONDS * RATE_HZ)
_TIMES_S = np.arange(_COUNT) / RATE_HZ


def alarm(tone_hz: float, rng: np.random.Generator) -> Floats:
    """A beeper: a tone with some of its odd harmonics, on and off 1.5 to 6 times a second."""
    on = _gate(rng.uniform(1.5, 6.0), rng.uniform(0.35, 0.65), rng)
    phase = 2 * math.pi * tone_hz * _TIMES_S
    square = rng.uniform(0.0, 0.8)
    return _peak(on * ((1 - square) * np.sin(phase) + square * np.sign(np.sin(phase))))


def siren(centre_hz: float, rng: np.random.Generator) -> Floats:
    """A tone that goes up and down about its centre, smoothly or between two tones."""
    sway = np.sin(2 * math.pi * rng.uniform(0.25, 3.0) * _TIMES_S + rng.uniform(0, 2 * math.pi))
    if rng.random() < 0.4:
        sway = np.sign(sway)
    tone_hz = centre_hz * rng.uniform(1.2, 1.7) ** sway
    return _peak(_harmonics(tone_hz, (1.0, rng.uniform(0.1, 0.5), rng.uniform(0.05, 0.3))))


def telephone(bell_hz: float, rng: np.random.Generator) -> Floats:
    """A bell of two tones struck in turn some 20 times a second, ringing and pausing."""
    strikes_hz = rng.uniform(16.0, 25.0)
    high = np.sin(2 * math.pi * strikes_hz * _TIMES_S) > 0
    tones = np.where(high, *(_bell(ratio * bell_hz, rng) for ratio in (1.0, 1.25)))
    tremble = 0.5 + 0.5 * np.abs(np.sin(2 * math.pi * strikes_hz * _TIMES_S))
    return _peak(tones * tremble * _gate(rng.uniform(0.5, 0.8), rng.uniform(0.5, 0.7), rng))


def electric_motor(shaft_hz: float, rng: np.random.Generator) -> Floats:
    """Harmonics of a shaft and of the gear's teeth, with a noise that swells with the speed."""
    speed = _drifting(1.0, rng.uniform(0.05, 0.3), 0.5, rng)
    teeth = int(rng.integers(8, 20))
    gains = np.zeros(2 * teeth)
    gains[[0, 1, teeth - 1, 2 * teeth - 1]] = rng.uniform(0.1, 1.0, 4) * (0.5, 0.3, 1.0, 0.5)
    noise = _band(rng.normal(size=_COUNT), 300.0, 3000.0)
    return _peak(speed * (_harmonics(shaft_hz * speed, gains) + rng.uniform(0.1, 0.4) * noise))


def engine(firing_hz: float, rng: np.random.Generator) -> Floats:
    """Pulses of unequal strength through a resonance of the exhaust, and mechanical noise."""
    speed = firing_hz * _drifting(1.0, rng.uniform(0.03, 0.35), 0.4, rng)
    fired = np.diff(np.floor(np.cumsum(speed) / RATE_HZ), prepend=0.0) > 0
    pulses = fired * rng.uniform(0.6, 1.0, _COUNT)
    sound = _ring(pulses, (rng.uniform(60, 110), rng.uniform(150, 320)), (0.02, 0.012), (1.0, 0.6))
    rattle = (
        _band(rng.normal(size=_COUNT), 200.0, 1500.0)
        * np.convolve(pulses, np.exp(-np.arange(800) / 200.0))[:_COUNT]
    )
    return _peak(_peak(sound) + rng.uniform(0.1, 0.4) * _peak(rattle))


def drill(spindle_hz: float, rng: np.random.Generator) -> Floats:
    """A whine with strong harmonics that slows under load, and the noise of cutting."""
    load = np.clip(_drifting(0.5, 0.5, 0.6, rng), 0.0, 1.0)
    whine = _harmonics(spindle_hz * (1 - 0.15 * load), 1.0 / np.arange(1.0, 9.0))
    cutting = _band(rng.normal(size=_COUNT), 1000.0, 6000.0) * load
    return _peak(whine + rng.uniform(0.3, 1.0) * cutting)


def mains_hum(tone_hz: float, rng: np.random.Generator) -> Floats:
    """A steady tone and its harmonics, and hardly anything else."""
    orders = np.arange(1, 13)
    gains = rng.uniform(0.3, 1.0, len(orders)) / orders ** rng.uniform(0.5, 1.3)
    sound = _peak(_harmonics(np.full(_COUNT, tone_hz), gains))
    return _peak(sound + rng.uniform(0.002, 0.02) * rng.normal(size=_COUNT))


def wind(edge_hz: float, rng: np.random.Generator) -> Floats:
    """Noise below an edge that moves with the gusts, and a faint howl."""
    gusts = np.clip(_drifting(0.6, 0.45, rng.uniform(0.2, 0.8), rng), 0.05, None)
    noise = rng.normal(size=_COUNT)
    low, high = (_peak(_low(noise, factor * edge_hz)) for factor in (0.6, 1.6))
    share = np.clip(gusts, 0, 1)
    howl = _peak(_band(rng.normal(size=_COUNT), 1.8 * edge_hz, 2.1 * edge_hz))
    return _peak(gusts * ((1 - share) * low + share * high) + 0.15 * gusts**2 * howl)


def hissing(edge_hz: float, rng: np.random.Generator) -> Floats:
    """Noise above an edge, nearly steady."""
    noise = sosfilt(butter(4, edge_hz, "high", fs=RATE_HZ, output="sos"), rng.normal(size=_COUNT))
    return _peak(noise * _drifting(1.0, rng.uniform(0.02, 0.25), 1.5, rng))


def dripping(tone_hz: float, rng: np.random.Generator) -> Floats:
    """Drops: short tones that rise while they fade, one or several a second."""
    sound = np.zeros(_COUNT)
    for start in _instants(rng.uniform(1.0, 5.0), 0.35, rng):
        times_s = np.arange(round(0.12 * RATE_HZ)) / RATE_HZ
        own_hz = tone_hz * rng.uniform(0.9, 1.1)
        phase = 2 * math.pi * own_hz * (times_s + rng.uniform(1.0, 4.0) * times_s**2)
        decay_s = rng.uniform(0.008, 0.03)
        _add(sound, start, rng.uniform(0.5, 1.0) * np.sin(phase) * np.exp(-times_s / decay_s))
    return _peak(sound)


def knock(mode_hz: float, rng: np.random.Generator) -> Floats:
    """Blows on a hollow body: a few low modes that fade within a tenth of a second."""
    ratios = np.array([1.0, 1.7, 2.6, 4.1]) * rng.uniform(0.95, 1.05, 4)
    decays_s = rng.uniform(0.02, 0.09) / np.sqrt(ratios)
    return _blows(mode_hz * ratios, decays_s, (1.0, 0.7, 0.5, 0.3), rng.uniform(1.0, 4.0), rng)


def clang(mode_hz: float, rng: np.random.Generator) -> Floats:
    """Blows on metal: modes like those of a free bar that ring on for most of a second."""
    # Euler-Bernoulli beam, free at both ends: frequencies relative to the first.
    ratios = np.array([1.0, 2.756, 5.404, 8.933]) * rng.uniform(0.97, 1.03, 4)
    kept = ratios * mode_hz < 0.47 * RATE_HZ
    decays_s = rng.uniform(0.2, 0.9) / np.sqrt(ratios)
    gains = rng.uniform(0.3, 1.0, 4)
    rate_hz = rng.uniform(0.8, 2.5)
    return _blows(mode_hz * ratios[kept], decays_s[kept], gains[kept], rate_hz, rng)


def footsteps(steps_hz: float, rng: np.random.Generator) -> Floats:
    """Heel and sole: a dull thud and a short scrape, left and right in turn."""
    sound = np.zeros(_COUNT)
    thud_hz, scrape_hz = rng.uniform(60, 130), rng.uniform(800, 2500)
    for start in _instants(steps_hz, 0.06, rng):
        times_s = np.arange(round(0.25 * RATE_HZ)) / RATE_HZ
        thud = np.sin(2 * math.pi * thud_hz * times_s) * np.exp(-times_s / 0.025)
        scrape = _band(rng.normal(size=len(times_s)), 0.6 * scrape_hz, 1.6 * scrape_hz)
        swell = np.exp(-(((times_s - 0.07) / 0.03) ** 2))
        _add(sound, start, rng.uniform(0.7, 1.0) * (thud + 0.25 * _peak(scrape * swell)))
    return _peak(sound)


def whistle(tone_hz: float, rng: np.random.Generator) -> Floats:
    """A nearly pure tone that wavers, slides a little and breathes."""
    waver = 1 + 0.01 * np.sin(2 * math.pi * rng.uniform(4, 7) * _TIMES_S)
    tone = _harmonics(
        tone_hz * waver * _drifting(1.0, rng.uniform(0.01, 0.08), 1.0, rng), (1.0, 0.05)
    )
    breath = _band(rng.normal(size=_COUNT), 0.8 * tone_hz, 1.5 * tone_hz)
    return _peak(_gate(rng.uniform(0.5, 1.2), 0.75, rng) * (tone + 0.05 * _peak(breath)))


def _peak(sound: Floats) -> Floats:
    return sound / max(float(np.abs(sound).max()), 1e-12)


def _gate(rate_hz: float, share: float, rng: np.random.Generator) -> Floats:
    """1 for a share of each period and 0 else, with edges of 5 ms."""
    on = ((_TIMES_S * rate_hz + rng.random()) % 1.0 < share).astype(np.float64)
    edge = np.hanning(round(0.01 * RATE_HZ))
    return np.convolve(on, edge / edge.sum(), "same")


def _drifting(mean: float, spread: float, rate_hz: float, rng: np.random.Generator) -> Floats:
    """A slow random course about a mean, changing some `rate_hz` times a second."""
    points = rng.uniform(-spread, spread, max(round(rate_hz * SECONDS), 1) + 2)
    places = np.linspace(0, SECONDS, len(points))
    return np.asarray(mean + np.interp(_TIMES_S, places, points))


def _harmonics(tone_hz: Floats, gains: Sequence[float] | Floats) -> Floats:
    """Sines at the multiples of a tone that moves; those the rate cannot hold are left out."""
    phase = 2 * math.pi * np.cumsum(tone_hz) / RATE_HZ
    highest = float(tone_hz.max())
    sound = np.zeros(_COUNT)
    for order, gain in enumerate(gains, start=1):
        if gain and order * highest < 0.48 * RATE_HZ:
            sound += gain * np.sin(order * phase + order)
    return sound


def _bell(tone_hz: float, rng: np.random.Generator) -> Floats:
    return _harmonics(np.full(_COUNT, tone_hz), (1.0, rng.uniform(0.2, 0.6), 0.3))


def _band(noise: Floats, low_hz: float, high_hz: float) -> Floats:
    return np.asarray(
        sosfilt(butter(2, [low_hz, high_hz], "band", fs=RATE_HZ, output="sos"), noise)
    )


def _low(noise: Floats, edge_hz: float) -> Floats:
    return np.asarray(sosfilt(butter(2, edge_hz, fs=RATE_HZ, output="sos"), noise))


def _instants(rate_hz: float, unevenness: float, rng: np.random.Generator) -> list[int]:
    """Samples at which something happens; pauses vary by a share of the period."""
    at_s, found = float(rng.uniform(0, 1 / rate_hz)), []
    while at_s < SECONDS:
        found.append(int(at_s * RATE_HZ))
        at_s += (1 + float(rng.uniform(-unevenness, unevenness))) / rate_hz
    return found


def _add(sound: Floats, start: int, piece: Floats) -> None:
    end = min(start + len(piece), len(sound))
    sound[start:end] += piece[: end - start]


def _blows(
    modes_hz: Sequence[float] | Floats,
    decays_s: Sequence[float] | Floats,
    gains: Sequence[float] | Floats,
    rate_hz: float,
    rng: np.random.Generator,
) -> Floats:
    strikes = np.zeros(_COUNT)
    for start in _instants(rate_hz, 0.4, rng):
        _add(strikes, start, rng.uniform(0.4, 1.0) * np.hanning(int(rng.integers(5, 25))))
    return _peak(_ring(strikes, modes_hz, decays_s, gains))


def _ring(
    strikes: Floats,
    modes_hz: Sequence[float] | Floats,
    decays_s: Sequence[float] | Floats,
    gains: Sequence[float] | Floats,
) -> Floats:
    """Decaying modes driven by strikes: a resonator of two poles for each."""
    sound = np.zeros_like(strikes)
    for mode_hz, decay_s, gain in zip(modes_hz, decays_s, gains, strict=True):
        angle = 2 * math.pi * mode_hz / RATE_HZ
        radius = math.exp(-1.0 / (decay_s * RATE_HZ))
        poles = [1.0, -2 * radius * math.cos(angle), radius**2]
        sound += lfilter([gain * math.sin(angle)], poles, strikes)
    return sound
