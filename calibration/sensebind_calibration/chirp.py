# SPDX-License-Identifier: Apache-2.0
"""Latency from a chirp that is played and recorded: sweeps, found again by their correlation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from sensebind.errors import InputError
from sensebind_calibration.levels import Mean, batch_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]
    Values = NDArray[np.float64]

COUNT = 6
LONGEST_S = 0.7
_SWEEP_S = 0.2
_PERIOD_S = _SWEEP_S + LONGEST_S
_FROM_HZ, _TO_HZ = 500.0, 7000.0
_AMPLITUDE = 0.5
_FADE_S = 0.01
_LEAST_PEAK = 10.0  # in typical magnitudes of the correlation
_LARGEST_SPREAD_S = 0.1
_FEWEST = 4


def chirps(rate_hz: float) -> Samples:
    """What is played: float32 (n,), silence and then a sweep, `COUNT` times, and silence."""
    sweep = _sweep(rate_hz)
    period = round(_PERIOD_S * rate_hz)
    sound = np.zeros(_lead(rate_hz) + COUNT * period, np.float32)
    for start in _starts(rate_hz):
        sound[start : start + len(sweep)] = sweep
    return sound


def latency_of(recorded: Samples, rate_hz: float) -> Mean:
    """How much later the sweeps were recorded than played, in seconds.

    Args:
        recorded: float32 (n,), begun with the first sample of `chirps`.
        rate_hz: of both.

    Raises:
        InputError: if the sweeps cannot be heard, or their delay is not steady.
    """
    sweep = _sweep(rate_hz).astype(np.float64)
    longest = round(LONGEST_S * rate_hz)
    lags_s = []
    for start in _starts(rate_hz):
        part = recorded[start : start + longest + len(sweep)].astype(np.float64)
        if len(part) > len(sweep) and (lag := _lag(part, sweep)) is not None:
            lags_s.append(lag / rate_hz)
    if len(lags_s) < _FEWEST:
        raise InputError(
            f"only {len(lags_s)} of {COUNT} sweeps were heard within {LONGEST_S:g} s, expected at "
            f"least {_FEWEST}; turn the speaker up, bring it near the microphone, and be silent "
            "meanwhile"
        )
    delays = np.array(lags_s)
    if np.ptp(delays) > _LARGEST_SPREAD_S:
        raise InputError(
            f"the sweeps were heard after {min(lags_s) * 1e3:.0f} to {max(lags_s) * 1e3:.0f} ms, "
            f"expected the same delay within {_LARGEST_SPREAD_S * 1e3:g} ms: speaker and "
            "microphone lose samples; use one device for both, and leave the machine alone "
            "meanwhile"
        )
    mean = batch_mean(delays)
    half = 0.25 / rate_hz  # lags that agree to the sample are no better known than that
    return Mean(mean.value, min(mean.low, mean.value - half), max(mean.high, mean.value + half))


def _lead(rate_hz: float) -> int:
    """Samples of silence before the first sweep, in which a device may still be starting."""
    return round(0.5 * rate_hz)


def _starts(rate_hz: float) -> list[int]:
    period = round(_PERIOD_S * rate_hz)
    return [_lead(rate_hz) + number * period for number in range(COUNT)]


def _sweep(rate_hz: float) -> Samples:
    """A linear sweep with soft ends."""
    times_s = np.arange(round(_SWEEP_S * rate_hz)) / rate_hz
    top_hz = min(_TO_HZ, 0.45 * rate_hz)
    phase = 2 * np.pi * (_FROM_HZ + (top_hz - _FROM_HZ) * times_s / (2 * _SWEEP_S)) * times_s
    fade = np.clip(np.minimum(times_s, times_s[::-1]) / _FADE_S, 0, 1)
    return (_AMPLITUDE * fade * np.sin(phase)).astype(np.float32)


def _lag(part: Values, sweep: Values) -> float | None:
    """Samples by which the sweep lies behind the beginning of a part, to a fraction of one."""
    size = next_fast_len(len(part) + len(sweep), real=True)
    matched = irfft(rfft(part, size) * np.conj(rfft(sweep, size)), size)
    matched = matched[: len(part) - len(sweep) + 1]
    best = int(np.abs(matched).argmax())
    if not np.abs(matched[best]) > _LEAST_PEAK * np.median(np.abs(matched)):
        return None
    if not 0 < best < len(matched) - 1:
        return float(best)
    before, at, after = np.abs(matched[best - 1 : best + 2])
    curve = before - 2 * at + after
    return best + (0.5 * float((before - after) / curve) if curve < 0 else 0.0)
