# SPDX-License-Identifier: Apache-2.0
"""Everything about a log-mel front end that does not depend on the samples.

Computed once per plan in float64 and rounded to float32 at the end.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensebind.specs import LogMelSpec

    F64 = NDArray[np.float64]

SMALLEST_FRAME = 16
"""Samples; the kernels load this many at a time. A frame of speech or sound has hundreds."""

_LOG_UNITS = {"natural": 1.0, "log10": 1 / math.log(10), "decibel": 10 / math.log(10)}


class Tables(NamedTuple):
    """What the kernels need to know beside the samples.

    Attributes:
        shift: samples from one frame's start to the next one's.
        window: float32 (frame length,).
        twiddles: float32 (n,); per stage of the transform, per butterfly, w, w² and w³ as
            cosine and sine (only w in a stage of radix 2, which has just the factor 1: none).
        halves: float32 (fft_size / 2, 2), cosine and sine that part the two real transforms a
            complex one of half the size holds.
        order: int64 (fft_size / 2,), where the transform leaves each frequency.
        filters: int64 (mel_bins, 3): first bin, first and last + 1 index into `weights`.
        weights: float32 (n,), the filters' values one after the other.
        preemphasis: as the specification has it.
        dc_share: what of a frame's sum is taken off each of its samples: 1 / length or 0.
        quiet: samples of less magnitude count as zero.
        floor: least sum of a filter.
        scale: what the natural logarithm is multiplied by.
        offset: what is added then.
        magnitude: whether the filters sum magnitudes instead of powers.
    """

    shift: int
    window: NDArray[np.float32]
    twiddles: NDArray[np.float32]
    halves: NDArray[np.float32]
    order: NDArray[np.int64]
    filters: NDArray[np.int64]
    weights: NDArray[np.float32]
    preemphasis: np.float32
    dc_share: np.float32
    quiet: np.float32
    floor: np.float32
    scale: np.float32
    offset: np.float32
    magnitude: bool


def tables_of(spec: LogMelSpec) -> Tables:
    """Check a specification and compute its tables.

    Raises:
        InputError: naming the constant that is impossible.
    """
    length = whole_samples("frame_length_s", spec.frame_length_s, spec.rate_hz)
    shift = whole_samples("frame_shift_s", spec.frame_shift_s, spec.rate_hz)
    _check(spec, length)
    window, (filters, weights) = _window(spec.window, length), _sparse(_mel_filters(spec))
    # The kernels leave out a factor 1/2 of each spectral value; the weights make up for it.
    magnitude = spec.spectrum == "magnitude"
    reach = max(float(weights[a:b].sum()) for _, a, b in filters)
    half = spec.fft_size // 2
    return Tables(
        shift=shift,
        window=window.astype(np.float32),
        twiddles=_twiddles(half).astype(np.float32),
        halves=_circle(np.arange(half), spec.fft_size).astype(np.float32),
        order=_order(half),
        filters=filters,
        weights=(weights * (0.5 if magnitude else 0.25)).astype(np.float32),
        preemphasis=np.float32(spec.preemphasis),
        dc_share=np.float32(1 / length if spec.remove_dc else 0),
        quiet=np.float32(_quiet(spec, length, reach)),
        floor=np.float32(spec.log_floor),
        scale=np.float32(_LOG_UNITS[spec.logarithm] / spec.std),
        offset=np.float32(-spec.mean / spec.std),
        magnitude=magnitude,
    )


def whole_samples(name: str, seconds: float, rate_hz: float) -> int:
    """Samples in `seconds`.

    Raises:
        InputError: if they are not a whole number, to a thousandth of a sample.
    """
    exact = seconds * rate_hz
    count = round(exact) if math.isfinite(exact) else 0
    if count < 1 or abs(exact - count) > 1e-3:
        raise InputError(
            f"{name} is {seconds} s, {exact:g} samples at {rate_hz:g} Hz; expected a whole number "
            f"of samples, at least 1, such as {max(count, 1) / rate_hz!r} s"
        )
    return count


def _check(spec: LogMelSpec, length: int) -> None:
    size, nyquist_hz = spec.fft_size, spec.rate_hz / 2
    if length < SMALLEST_FRAME:
        raise InputError(
            f"frame_length_s is {spec.frame_length_s} s, {length} samples at {spec.rate_hz:g} Hz; "
            f"expected at least {SMALLEST_FRAME} samples"
        )
    if size & (size - 1) or size < length:
        least = 1 << (length - 1).bit_length()
        raise InputError(
            f"fft_size is {size}, expected a power of two that holds the frame's {length} samples, "
            f"such as {least}"
        )
    if not spec.low_hz < spec.high_hz <= nyquist_hz:
        raise InputError(
            f"low_hz is {spec.low_hz:g} and high_hz is {spec.high_hz:g}, expected low_hz < high_hz "
            f"<= {nyquist_hz:g}, half of rate_hz"
        )
    if not (math.isfinite(spec.mean) and math.isfinite(spec.std)):
        raise InputError(f"mean is {spec.mean} and std is {spec.std}, expected finite numbers")


def _window(name: str, length: int) -> F64:
    turns = 2 * np.pi * np.arange(length) / (length if name == "hann_periodic" else length - 1)
    hann = 0.5 - 0.5 * np.cos(turns)
    shapes: dict[str, F64] = {
        "hann": hann,
        "hann_periodic": hann,
        "hamming": 0.54 - 0.46 * np.cos(turns),
        "povey": hann**0.85,
        "rectangular": np.ones(length),
    }
    return shapes[name]


def _circle(index: NDArray[np.int64], size: int) -> F64:
    """Cosine and sine of -2π index / size, (n, 2); exact zeros where they are zeros."""
    angles = -2 * np.pi * index / size
    values = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return np.where(np.abs(values) < 1e-12, 0.0, values)


def _twiddles(points: int) -> F64:
    """Factors of the radix-4 stages, largest first."""
    stages = [np.empty(0)]
    while points >= 4:
        index = np.arange(points // 4)[:, None] * np.array([1, 2, 3])
        stages.append(_circle(index, points).ravel())
        points //= 4
    return np.concatenate(stages)


def _order(points: int) -> NDArray[np.int64]:
    """Where decimation in frequency, in place, leaves each frequency."""
    if points == 1:
        return np.zeros(1, np.int64)
    radix = 4 if points >= 4 else 2
    inner = _order(points // radix)
    blocks = np.arange(radix, dtype=np.int64) * (points // radix)
    return (inner[:, None] + blocks).ravel()


def _mel_filters(spec: LogMelSpec) -> F64:
    """Weights (mel_bins, fft_size / 2) of the power at each frequency; the Nyquist one is 0."""
    to_mel, _ = _SCALES[spec.mel_scale]
    corners, corners_hz = mel_corners(spec)
    at: F64 = np.arange(spec.fft_size // 2, dtype=np.float64) * (spec.rate_hz / spec.fft_size)
    if spec.mel_slopes == "mel":
        at = to_mel(at)
    else:
        corners = corners_hz
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    weights: F64 = np.minimum((at - left) / (centre - left), (right - at) / (right - centre))
    weights = np.maximum(weights, 0)
    weights[:, 0] = 0  # at 0 Hz only a foot can lie; rounding must not make it more
    if spec.mel_norm == "slaney":
        weights *= 2 / (corners_hz[2:] - corners_hz[:-2])[:, None]
    if not weights.any():
        raise InputError(
            f"no mel filter between low_hz={spec.low_hz:g} and high_hz={spec.high_hz:g} holds a "
            f"frequency of the {spec.fft_size}-point transform; raise fft_size or widen the band"
        )
    return weights


def mel_corners(spec: LogMelSpec) -> tuple[F64, F64]:
    """Feet and peaks of the filters, (mel_bins + 2,) in mel and in Hz: filter m peaks at m + 1."""
    to_mel, to_hz = _SCALES[spec.mel_scale]
    low, high = to_mel(np.float64(spec.low_hz)), to_mel(np.float64(spec.high_hz))
    corners = np.linspace(low, high, spec.mel_bins + 2)
    return corners, to_hz(corners)


def _sparse(filters: F64) -> tuple[NDArray[np.int64], F64]:
    """First bin and range of weights per filter (mel_bins, 3), and the weights in a row."""
    spans, parts, taken = [], [np.empty(0)], 0
    for row in filters:
        held = np.flatnonzero(row)
        first, last = (int(held[0]), int(held[-1]) + 1) if held.size else (0, 0)
        spans.append((first, taken, taken + last - first))
        parts.append(row[first:last])
        taken += last - first
    return np.array(spans, np.int64), np.concatenate(parts)


def _quiet(spec: LogMelSpec, length: int, reach: float) -> float:
    """Magnitude of samples that no feature can show, even all together.

    A frame of them stays a millionth (in amplitude) below the floor. Taking them as zeros keeps
    subnormal numbers, which are slow on many processors, out of the whole computation.
    """
    loudest = spec.log_floor / reach
    amplitude = loudest if spec.spectrum == "magnitude" else math.sqrt(loudest)
    return 1e-6 * amplitude / length


def _htk_mel(hz: F64) -> F64:
    mel: F64 = 1127 * np.log1p(hz / 700)
    return mel


def _htk_hz(mel: F64) -> F64:
    hz: F64 = 700 * np.expm1(mel / 1127)
    return hz


# Slaney, Auditory Toolbox (1998): 3 mel per 200 Hz up to 1 kHz, then 27 per factor 6.4.
_KNEE_HZ, _KNEE_MEL, _MEL_PER_LOG = 1000.0, 15.0, 27 / math.log(6.4)


def _slaney_mel(hz: F64) -> F64:
    above = _KNEE_MEL + _MEL_PER_LOG * np.log(np.maximum(hz, _KNEE_HZ) / _KNEE_HZ)
    return np.where(hz < _KNEE_HZ, hz * (_KNEE_MEL / _KNEE_HZ), above)


def _slaney_hz(mel: F64) -> F64:
    above = _KNEE_HZ * np.exp((np.maximum(mel, _KNEE_MEL) - _KNEE_MEL) / _MEL_PER_LOG)
    return np.where(mel < _KNEE_MEL, mel * (_KNEE_HZ / _KNEE_MEL), above)


_SCALES: dict[str, tuple[Callable[[F64], F64], Callable[[F64], F64]]] = {
    "htk": (_htk_mel, _htk_hz),
    "slaney": (_slaney_mel, _slaney_hz),
}
