# SPDX-License-Identifier: Apache-2.0
"""Log-mel features of a waveform, as a LogMelSpec says.

Definition (Kaldi's filter banks; L, S and N are the frame length, the frame shift and the FFT size
in samples, x the waveform):

1. Frame i is x[i·S … i·S + L - 1]; only whole frames count, so n samples have 1 + (n - L) // S.
2. Its mean is taken off it (`remove_dc`).
3. Pre-emphasis: y[j] = x[j] - p · x[j-1]; before the first sample lies the first sample itself.
4. The window; "hann" is 0.5 - 0.5 cos(2πj / (L - 1)), Kaldi's "hanning".
5. The power |FFT|² of N points, the frame first and zeros after it.
6. Filter m sums it under a triangle; corners are spaced evenly in mel from `low_hz` to `high_hz`.
7. The logarithm of the sum or of `log_floor`, whichever is more.
8. Missing frames are padded with 0, surplus ones cut: padding comes before normalisation, so a
   padded column holds (0 - mean) / std, which is not what silence gives.
9. (value - mean) / std.

Steps 1 to 7 and 9 of a frame depend on its L samples alone, to the last bit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind.preprocess._log_mel_kernels import Kernel, compiled
from sensebind.preprocess._log_mel_packed import pack
from sensebind.preprocess._log_mel_tables import mel_corners, tables_of
from sensebind.specs import LogMelSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_IMAGEBIND = LogMelSpec()


class LogMel:
    """Compiled plan of a LogMelSpec; immutable, to be shared by any number of threads.

    Attributes:
        spec: the specification.
        frame_length: samples of a frame.
        frame_shift: samples from one frame's start to the next one's.
        pad_value: what a column without a frame holds: (0 - mean) / std.
    """

    def __init__(self, spec: LogMelSpec, *, kernel: Kernel = "auto") -> None:
        """Compute the tables and compile the kernel, or load it from disk.

        Args:
            spec: the front end.
            kernel: "simd" or "portable" to choose; "auto" is the fastest that works here. Their
                features differ by rounding.

        Raises:
            InputError: if a constant is impossible, naming it; if the kernel asked for does not
                work on this machine.
        """
        self.spec = spec
        tables = tables_of(spec)
        self.frame_length = tables.window.size
        self.frame_shift = tables.shift
        self.pad_value = float(tables.offset)
        self._mel_bins = spec.mel_bins
        self._packed = pack(tables)
        self._kernel = compiled(kernel)

    def frame_count(self, samples: int) -> int:
        """Whole frames in so many samples."""
        beyond = samples - self.frame_length
        return beyond // self.frame_shift + 1 if beyond >= 0 else 0

    def frames(self, samples: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Fill `out` with the normalised features of all whole frames.

        Values are not checked: a NaN or an infinity makes the frames it lies in
        meaningless, and no others. The GIL is released meanwhile.

        Args:
            samples: contiguous float32 (n,), one channel at `spec.rate_hz`.
            out: float32 (mel_bins, frame_count(n)), columns side by side, rows any distance apart:
                columns of a larger array, for example.

        Raises:
            InputError: for another dtype, shape or memory layout.
        """
        count = self.frame_count(samples.size)
        # Once per hop of every stream: all else is left to the kernel, which takes one type only.
        if out.shape != (self._mel_bins, count) or (out.strides[1] != 4 and count > 1):
            raise self._refusal(samples, out)
        if count:
            try:
                self._kernel(samples, out, *self._packed)
            except TypeError:
                raise self._refusal(samples, out) from None

    def _refusal(self, samples: NDArray[np.float32], out: NDArray[np.float32]) -> InputError:
        expected = (self._mel_bins, self.frame_count(samples.size))
        return InputError(
            f"samples are {samples.dtype} {samples.shape} with strides {samples.strides}, expected "
            f"contiguous float32 (n,); out is {out.dtype} {out.shape} with strides "
            f"{out.strides}, expected writeable float32 {expected} with columns 4 bytes apart"
        )


def log_mel(
    waveform: NDArray[np.float32],
    spec: LogMelSpec = _IMAGEBIND,
    *,
    rate_hz: float | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Log-mel features of one clip, as this module's docstring defines; ImageBind's by default.

    Args:
        waveform: float32 (n,), one channel at `spec.rate_hz`, values -1 to 1; at least one frame.
        spec: the front end.
        rate_hz: rate of the waveform, to have it checked.
        out: C-contiguous float32 (1, mel_bins, spec.frames) to fill instead of a new array.

    Returns:
        float32 (1, mel_bins, spec.frames).

    Raises:
        InputError: for another rate, dtype or shape, less than one frame, values that are not
            finite, or a front end that is impossible.
    """
    plan = plan_of(spec)
    if rate_hz is not None and rate_hz != spec.rate_hz:
        raise InputError(
            f"rate_hz is {rate_hz:g}, the front end takes {spec.rate_hz:g}; resample with "
            "soxr.resample, or use Bundle.encode, which resamples"
        )
    _check(waveform, plan)
    shape = (1, spec.mel_bins, spec.frames)
    features = np.empty(shape, np.float32) if out is None else out
    if features.dtype != np.float32 or features.shape != shape or not features.flags.c_contiguous:
        raise InputError(
            f"out is {features.dtype} {features.shape}, expected C-contiguous float32 {shape}"
        )
    count = min(plan.frame_count(waveform.size), spec.frames)
    used = plan.frame_length + (count - 1) * plan.frame_shift
    plan.frames(np.require(waveform[:used], requirements=("C", "A")), features[0, :, :count])
    features[0, :, count:] = plan.pad_value
    return features


@lru_cache(maxsize=16)
def plan_of(spec: LogMelSpec) -> LogMel:
    """Plan of a specification, kept for the next caller.

    Raises:
        InputError: if a constant is impossible, naming it.
    """
    return LogMel(spec)


def mel_centres_hz(spec: LogMelSpec) -> NDArray[np.float64]:
    """The frequency at which each filter peaks, float64 (mel_bins,)."""
    return mel_corners(spec)[1][1:-1]


def _check(waveform: NDArray[np.float32], plan: LogMel) -> None:
    if not isinstance(waveform, np.ndarray) or waveform.dtype != np.float32:
        kind = getattr(waveform, "dtype", type(waveform).__name__)
        raise InputError(
            f"the waveform is {kind}, expected a float32 array, values -1 to 1 (16-bit samples are "
            "divided by 32768)"
        )
    if waveform.ndim != 1:
        raise InputError(
            f"the waveform has shape {waveform.shape}, expected (n,), one channel; choose one or "
            "take their mean first"
        )
    if waveform.size < plan.frame_length:
        raise InputError(
            f"the waveform has {waveform.size} samples, expected at least {plan.frame_length}: one "
            f"frame of {plan.spec.frame_length_s:g} s at {plan.spec.rate_hz:g} Hz"
        )
    finite = np.isfinite(waveform)
    if not finite.all():
        at = int(finite.argmin())
        raise InputError(
            f"sample {at} of the waveform is {waveform[at]}, expected finite numbers; cut it out "
            "or set it to 0"
        )
