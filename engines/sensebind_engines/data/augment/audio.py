# SPDX-License-Identifier: Apache-2.0
"""Audio windows at other levels, in rooms, with other sounds; log-mel features with masks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.specs import LogMelSpec
    from sensebind.types import Window
    from sensebind_engines.data.augment.config import AudioAugment

_MASKED = 0.0
"""Features are normalised, so 0 is the mean of the training data."""
_OCTAVES = 8
"""Points of a microphone's response; the lowest is at 1/128 of half the rate."""
_SHORTEST_REVERB = 0.3
"""Of the longest reverberation time, as a share."""
_REVERB_DB = (-12.0, 3.0)
"""Energy of the reverberation relative to the direct sound's: far from the source, or near it."""


def augment_audio(
    window: Window, amount: AudioAugment, rng: np.random.Generator, other: Window | None
) -> Window:
    """A changed copy of an audio window, samples (n, channels).

    Args:
        window: what is changed.
        amount: how far.
        rng: draws everything.
        other: what may be mixed in; nothing is where it is None or of another shape.
    """
    values = window.values.astype(np.float32)
    if amount.slow or amount.fast:
        values = _at_speed(values, amount.slow, amount.fast, rng)
    if amount.colour_db:
        values = _coloured(values, _rate_hz(window), amount.colour_db, rng)
    if amount.reverb and rng.random() < amount.reverb:
        values = _in_room(values, _rate_hz(window), amount.reverb_s, rng)
    level = _rms(values)
    if rng.random() < amount.mix and other is not None and other.values.shape == values.shape:
        gain = 10 ** (rng.uniform(amount.mix_db - 20, amount.mix_db) / 20)
        values = values + np.float32(gain * level / max(_rms(other.values), 1e-9)) * other.values
    if amount.noise_db is not None:
        gain = 10 ** (rng.uniform(amount.noise_db - 20, amount.noise_db) / 20)
        noise = rng.standard_normal(values.shape, dtype=np.float32)
        values = values + np.float32(gain * level) * noise
    if amount.gain_db:
        values = values * np.float32(10 ** (rng.uniform(-amount.gain_db, amount.gain_db) / 20))
    # Part of a segment no longer: its frames must not be taken from, or given to, its neighbours.
    return replace(window, values=np.ascontiguousarray(values, np.float32), segment=-1)


def mask_log_mel(
    features: NDArray[np.float32],
    spec: LogMelSpec,
    amount: AudioAugment,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """A copy of log-mel features (1, bins, frames) with masks of SpecAugment."""
    masked = np.array(features)
    _, bins, frames = features.shape
    widest = min(round(amount.time_mask_s / spec.frame_shift_s), frames)
    for _ in range(amount.time_masks):
        start, stop = _stretch(frames, widest, rng)
        masked[:, :, start:stop] = _MASKED
    for _ in range(amount.band_masks):
        start, stop = _stretch(bins, min(amount.band_mask_bins, bins), rng)
        masked[:, start:stop] = _MASKED
    return masked


def _at_speed(
    values: NDArray[np.float32], slow: float, fast: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The sound (n, channels) at another speed: a stretch of it, or all and its mirror image."""
    places = np.arange(len(values))
    played = 1.0 - rng.uniform(-fast, slow)
    heard = rng.uniform(0.0, max(1.0 - played, 0.0) * len(values)) + played * places
    if played > 1.0:
        heard = np.minimum(heard, 2 * (len(values) - 1) - heard)
    changed = [np.interp(heard, places, channel) for channel in values.T]
    return np.stack(changed, axis=1).astype(np.float32)


def _coloured(
    values: NDArray[np.float32], rate_hz: float, most_db: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The sound (n, channels) with a gain per octave, straight in dB between them.

    The window is taken as if it went round and round: what rings is far shorter than it.
    """
    octaves = -np.arange(_OCTAVES)[::-1]  # below half the rate, rising
    gains_db = rng.uniform(-most_db, most_db, _OCTAVES)
    spectrum = np.fft.rfft(values, axis=0)
    hertz = np.fft.rfftfreq(len(values), 1 / rate_hz)
    places = np.log2(np.maximum(hertz, 1.0) / (rate_hz / 2))
    gains = 10 ** (np.interp(places, octaves, gains_db) / 20)
    changed = np.fft.irfft(spectrum * gains[:, np.newaxis], len(values), axis=0)
    return np.asarray(changed, np.float32)


def _in_room(
    values: NDArray[np.float32], rate_hz: float, longest_s: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The sound (n, channels) and its reverberation, at the level it had.

    The room answers with white noise that fades exponentially. What sounded before the window is
    not known, so its reverberation is missing.
    """
    fade_s = rng.uniform(_SHORTEST_REVERB * longest_s, longest_s)
    count = max(round(fade_s * rate_hz), 1)
    fading = 10 ** (-3 * np.arange(count) / count)  # 60 dB
    room = rng.standard_normal(count) * fading
    room *= 10 ** (rng.uniform(*_REVERB_DB) / 20) / np.sqrt(np.sum(room**2))
    size = 1 << (len(values) + count - 1).bit_length()
    spectrum = np.fft.rfft(values, size, axis=0) * np.fft.rfft(room, size)[:, np.newaxis]
    wet = values + np.fft.irfft(spectrum, size, axis=0)[: len(values)]
    return np.asarray(wet * (_rms(values) / max(_rms(wet), 1e-9)), np.float32)


def _rate_hz(window: Window) -> float:
    return len(window.values) * 1e9 / max(window.end_ns - window.start_ns, 1)


def _stretch(length: int, widest: int, rng: np.random.Generator) -> tuple[int, int]:
    width = int(rng.integers(widest + 1))
    start = int(rng.integers(length - width + 1))
    return start, start + width


def _rms(values: NDArray[np.float32] | NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
