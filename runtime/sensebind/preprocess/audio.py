# SPDX-License-Identifier: Apache-2.0
"""Audio windows to log-mel features, each frame computed once.

Overlapping windows of one segment lie on one lattice of frames, and a frame depends on its own
samples alone. So only the frames that no earlier window had are computed; the features are the
same, bit for bit, as if each window were computed by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind.preprocess.base import Prepared
from sensebind.preprocess.column_ring import ColumnRing
from sensebind.preprocess.spectrogram import plan_of
from sensebind.specs import LogMelSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.calibration import StreamCalibration
    from sensebind.config import StreamConfig
    from sensebind.specs import EncoderSpec
    from sensebind.types import Window

_WINDOWS_HELD = 4
"""Room of the ring in windows: the more, the more seldom its frames are moved to the front."""


class AudioPreprocessor:
    """Makes the features of one stream's windows as a LogMelSpec says. One thread owns it."""

    def __init__(self, spec: LogMelSpec, *, input_name: str = "features") -> None:
        self._spec = spec
        self._input = input_name
        self._log_mel = plan_of(spec)
        self._ring = ColumnRing(spec.mel_bins, _WINDOWS_HELD * spec.frames)

    def prepare(self, window: Window) -> Prepared:
        """Features float32 [1, mel_bins, frames]; frames the window is too short for hold the pad.

        Raises:
            InputError: if the window holds no mono audio.
        """
        samples = np.asarray(window.values, dtype=np.float32)
        if samples.ndim != 2 or samples.shape[1] != 1:
            raise InputError(f"an audio window has values {samples.shape}, expected (n, 1)")
        features = np.empty((1, self._spec.mel_bins, self._spec.frames), dtype=np.float32)
        count = min(self._log_mel.frame_count(len(samples)), self._spec.frames)
        features[0, :, :count] = self._frames(window, samples[:, 0], count)
        features[0, :, count:] = self._log_mel.pad_value
        return Prepared({self._input: features})

    def _frames(
        self, window: Window, samples: NDArray[np.float32], count: int
    ) -> NDArray[np.float32]:
        shift, ring = self._log_mel.frame_shift, self._ring
        known = ring.begin_at(window.segment, window.start_index // shift)
        if known < count:
            part = samples[known * shift : (count - 1) * shift + self._log_mel.frame_length]
            self._log_mel.frames(np.ascontiguousarray(part), ring.extend(count - known))
        return ring.columns(count)


def make(
    spec: EncoderSpec, stream: StreamConfig | None, calibration: StreamCalibration
) -> AudioPreprocessor:
    """Make the preprocessor of an audio encoder; all else was settled in the window."""
    del stream, calibration
    assert isinstance(spec.preprocess, LogMelSpec)
    return AudioPreprocessor(spec.preprocess, input_name=spec.inputs[0].name)
