# SPDX-License-Identifier: Apache-2.0
"""What one would write without this project: full windows, torchaudio, torchvision, eager PyTorch.

It gets the samples of each window at hand, so it neither reads nor windows anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torchaudio.compliance import kaldi
from torchvision.transforms import functional

from benchmarks._imagebind import eager
from benchmarks.preprocess_rows.depth import BASELINE, FAR, NEAR, SIZE, SPEC
from sensebind.grid import grid_offsets_ns
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sensebind.types import Window

_AUDIO_HZ = 16_000
_MELS, _AUDIO_FRAMES = 128, 204
_IMU_HZ, _IMU_LENGTH_NS = 400.0, 5_000_000_000


class ByHand:
    """The same windows through PyTorch, one by one."""

    def __init__(
        self, windows: Sequence[tuple[str, Window]], modalities: Mapping[str, Modality]
    ) -> None:
        torch.set_num_threads(1)
        self._windows = [(modalities[name], window) for name, window in windows]
        self._encoders = {modality: eager(modality) for modality in set(modalities.values())}

    def run(self) -> int:
        """Encode every window; their number."""
        with torch.inference_mode():
            for modality, window in self._windows:
                self._encoders[modality](features=_FEATURES[modality](window)[None]).numpy()
        return len(self._windows)


def _audio(window: Window) -> Any:  # noqa: ANN401 - a tensor
    waveform = torch.from_numpy(np.array(window.values.T, np.float32))
    mel = kaldi.fbank(
        waveform - waveform.mean(),
        htk_compat=True,
        sample_frequency=_AUDIO_HZ,
        use_energy=False,
        window_type="hanning",
        num_mel_bins=_MELS,
        dither=0.0,
        frame_shift=10,
    ).T
    mel = torch.nn.functional.pad(mel, (0, _AUDIO_FRAMES - mel.shape[1]))
    return ((mel + 4.268) / 9.138)[None]


def _imu(window: Window) -> Any:  # noqa: ANN401 - a tensor
    grid_ns = window.end_ns - grid_offsets_ns(_IMU_LENGTH_NS, _IMU_HZ)
    points, stamps = (grid_ns - window.end_ns) / 1e9, (window.stamps_ns - window.end_ns) / 1e9
    rows = [np.interp(points, stamps, column) for column in window.values.T]
    return torch.from_numpy(np.stack(rows).astype(np.float32))


def _depth(window: Window) -> Any:  # noqa: ANN401 - a tensor
    frame = window.frames[-1]
    pixels = np.frombuffer(frame.data, np.uint16).reshape(frame.height, frame.width)
    metres = torch.from_numpy(pixels.astype(np.float32)).mul(0.001)[None]
    clipped = metres.clamp(float(NEAR), float(FAR))
    values = torch.where(metres > 0, float(BASELINE) / clipped, torch.zeros(()))
    values = functional.resize(values, [SIZE], antialias=True)
    return functional.normalize(functional.center_crop(values, [SIZE]), [SPEC.mean], [SPEC.std])


_FEATURES = {Modality.AUDIO: _audio, Modality.IMU: _imu, Modality.DEPTH: _depth}
