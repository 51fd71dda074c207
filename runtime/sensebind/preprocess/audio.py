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
from sensebind.preprocess.spectrogram import plan_of
from sensebind.specs import LogMelSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
        self._ring = FrameRing(spec.mel_bins, _WINDOWS_HELD * spec.frames)

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


class FrameRing:
    """The newest frames of one segment as columns, in order."""

    def __init__(self, bins: int, capacity: int) -> None:
        """Hold up to `capacity` frames of `bins` numbers."""
        self._columns = np.empty((bins, capacity), dtype=np.float32)
        self._segment = -1
        self._origin = 0  # frame in the first column
        self._first = 0
        self._end = 0

    def begin_at(self, segment: int, first: int) -> int:
        """Forget the frames before `first` of a segment; how many from there on are held."""
        held = segment >= 0 and segment == self._segment and self._first <= first <= self._end
        if not held:
            self._origin = self._end = first
        self._segment, self._first = segment, first
        return self._end - first

    def extend(self, count: int) -> NDArray[np.float32]:
        """Columns (bins, count) to write the next frames into."""
        if self._end + count - self._origin > self._columns.shape[1]:
            kept = self.columns(self._end - self._first).copy()
            self._columns[:, : kept.shape[1]] = kept
            self._origin = self._first
        at = self._end - self._origin
        self._end += count
        return self._columns[:, at : at + count]

    def columns(self, count: int) -> NDArray[np.float32]:
        """The oldest `count` of the frames that are not forgotten (bins, count), in place."""
        at = self._first - self._origin
        return self._columns[:, at : at + count]


def make(spec: EncoderSpec, stream: StreamConfig | None) -> AudioPreprocessor:
    """Make the preprocessor of an audio encoder; rate and channels were settled in the window."""
    del stream
    assert isinstance(spec.preprocess, LogMelSpec)
    return AudioPreprocessor(spec.preprocess, input_name=spec.inputs[0].name)
