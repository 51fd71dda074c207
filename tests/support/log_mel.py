# SPDX-License-Identifier: Apache-2.0
"""Test signals for log-mel features, and the features in float64, from the definition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensebind.specs import LogMelSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    F64 = NDArray[np.float64]

RATE_HZ = 16000
GOLDEN = Path(__file__).parents[1] / "runtime/preprocess/golden/torchaudio_fbank.npz"
"""What torchaudio 2.9.1 makes of the signals; `make_log_mel_golden.py` tells how."""


def signals(count: int = 8000) -> dict[str, NDArray[np.float32]]:
    """Float32 (count,) each, at 16 kHz, the same on every machine.

    Values are multiples of 2^-23, so that a last bit of a sine does not change them, and noise is
    of the generator whose stream NumPy has frozen.
    """
    t = np.arange(count) / RATE_HZ
    noise = 2 * np.random.RandomState(0).random_sample(count) - 1
    tone = np.sin(2 * np.pi * 440 * t)
    # Barks: harmonics that decay, three times, over faint noise.
    bark = sum(np.sin(2 * np.pi * 310 * k * t) / k for k in range(1, 12)) * np.exp(-30 * (t % 0.17))
    made = {
        "noise": 0.2 * noise,
        "noise at -60 dB": 0.001 * noise,
        "tone": 0.5 * tone,
        "chirp": 0.5 * np.sin(2 * np.pi * (100 * t + 6000 * t**2)),
        "silence": 0 * t,
        "clipped": np.clip(8 * tone + 0.01 * noise, -1, 1),
        "offset": 0.5 + 0.001 * noise,
        "barks": 0.3 * bark + 0.0005 * noise,
    }
    return {k: (np.round(v * 2.0**23) / 2.0**23).astype(np.float32) for k, v in made.items()}


def oracle(samples: NDArray[np.float32], spec: LogMelSpec) -> F64:
    """Normalised features of all whole frames, float64 (mel_bins, frames)."""
    length = round(spec.frame_length_s * spec.rate_hz)
    shift = round(spec.frame_shift_s * spec.rate_hz)
    filters, window = _filters(spec), _window(spec.window, length)
    unit = {"natural": 1.0, "log10": np.log(10), "decibel": np.log(10) / 10}[spec.logarithm]
    columns = []
    for start in range(0, samples.size - length + 1, shift):
        frame = samples[start : start + length].astype(np.float64)
        if spec.remove_dc:
            frame = frame - frame.mean()
        before = np.concatenate([frame[:1], frame[:-1]])
        spectrum = np.abs(np.fft.rfft((frame - spec.preemphasis * before) * window, spec.fft_size))
        energy = filters @ (spectrum**2 if spec.spectrum == "power" else spectrum)
        columns.append(np.log(np.maximum(energy, spec.log_floor)) / unit)
    features: F64 = (np.array(columns).T - spec.mean) / spec.std
    return features


def assert_as_exact_as_torchaudio(name: str, logarithms: NDArray[np.float32]) -> None:
    """At most twice torchaudio's error against float64, at worst and in the mean square.

    `logarithms` are the features of `signals()[name]` by ImageBind's front end, not normalised.
    """
    exact = oracle(signals()[name], LogMelSpec(mean=0, std=1))
    with np.load(GOLDEN) as golden:
        theirs = golden[name] - exact
    ours = logarithms - exact
    # A float32 near ln(2^-23) is exact to 1e-6 only.
    assert np.abs(ours).max() <= max(2 * np.abs(theirs).max(), 1e-6)
    assert np.square(ours).mean() <= max(4 * np.square(theirs).mean(), 1e-12)


def _window(name: str, length: int) -> F64:
    i = np.arange(length)
    if name == "hann_periodic":
        return np.sin(np.pi * i / length) ** 2
    hann: F64 = np.sin(np.pi * i / (length - 1)) ** 2
    return {
        "hann": hann,
        "povey": hann**0.85,
        "hamming": 0.08 + 0.92 * hann,
        "rectangular": np.ones(length),
    }[name]


def _filters(spec: LogMelSpec) -> F64:
    """Triangles one at a time, (mel_bins, fft_size / 2 + 1)."""
    hz = np.arange(spec.fft_size // 2 + 1) * spec.rate_hz / spec.fft_size
    mel_low, mel_high = _mel(spec.low_hz, spec.mel_scale), _mel(spec.high_hz, spec.mel_scale)
    filters = np.zeros((spec.mel_bins, hz.size))
    for m in range(spec.mel_bins):
        corners = [mel_low + (mel_high - mel_low) * (m + k) / (spec.mel_bins + 1) for k in range(3)]
        corners_hz = [_hz(corner, spec.mel_scale) for corner in corners]
        over_mel = spec.mel_slopes == "mel"
        at = [_mel(f, spec.mel_scale) for f in hz] if over_mel else list(hz)
        left, top, right = corners if over_mel else corners_hz
        for k, x in enumerate(at):
            if left < x < right:
                filters[m, k] = (
                    (x - left) / (top - left) if x <= top else (right - x) / (right - top)
                )
        if spec.mel_norm == "slaney":
            filters[m] *= 2 / (corners_hz[2] - corners_hz[0])
    return filters


def _mel(hz: float, scale: str) -> float:
    if scale == "htk":
        return float(2595 * np.log10(1 + hz / 700) * 1127 * np.log(10) / 2595)
    return 3 * hz / 200 if hz < 1000 else float(15 + 27 * np.log(hz / 1000) / np.log(6.4))


def _hz(mel: float, scale: str) -> float:
    if scale == "htk":
        return float(700 * (np.exp(mel / 1127) - 1))
    return 200 * mel / 3 if mel < 15 else float(1000 * 6.4 ** ((mel - 15) / 27))
