# SPDX-License-Identifier: Apache-2.0
"""Audio windows at other levels, with other sounds in them; log-mel features with masks."""

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


def _stretch(length: int, widest: int, rng: np.random.Generator) -> tuple[int, int]:
    width = int(rng.integers(widest + 1))
    start = int(rng.integers(length - width + 1))
    return start, start + width


def _rms(values: NDArray[np.float32] | NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
