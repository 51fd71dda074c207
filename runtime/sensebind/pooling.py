# SPDX-License-Identifier: Apache-2.0
"""Clips of several frames by an encoder of single ones.

Each frame is encoded alone; the clip's vector is the mean of theirs, normalised. The clip keeps the
encoder's space and has an encoder_id of its own.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sensebind.encoder import Encoder
from sensebind.errors import ConfigError
from sensebind.specs import DepthSpec, ThermalSpec, VisionSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sensebind.types import Features

FIRST_AND_LAST = (0.0, 1.0)
"""Where ImageBind takes the two frames of a clip."""


def pooled(
    encoder: Encoder, length_s: float, positions: Sequence[float] = FIRST_AND_LAST
) -> Encoder:
    """An encoder of clips made of one of frames, which stays the owner of its engine.

    Its `spec` has the clip's length and positions, so windows are cut by them, and its preprocessor
    gives the features of all frames, [F, …].

    Args:
        encoder: of single pictures (vision, depth, thermal).
        length_s: of a clip.
        positions: where in it the frames are taken, 0 its start and 1 its end.

    Raises:
        ConfigError: the encoder reads no frames, or several already.
    """
    spec = encoder.spec
    front_end = spec.preprocess
    if (
        not isinstance(front_end, (VisionSpec, DepthSpec, ThermalSpec))
        or len(front_end.frame_positions) != 1
    ):
        raise ConfigError(
            f"frame_pooling does not apply to the bundle's {encoder.modality} encoder; it pools "
            "what encoders of single frames make"
        )
    assert spec.window is not None
    clip = msgspec.structs.replace(
        spec,
        window=msgspec.structs.replace(spec.window, length_s=length_s),
        preprocess=msgspec.structs.replace(front_end, frame_positions=tuple(positions)),
    )
    identity = [encoder.encoder_id, "mean", list(positions), length_s]
    encoder_id = hashlib.sha256(msgspec.json.encode(identity)).hexdigest()
    return Encoder(encoder.modality, clip, encoder_id, encoder.dim, _FrameByFrame(encoder))


class _FrameByFrame:
    """An engine of clips: every frame through the encoder, the mean of what comes out."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.backend = encoder.backend
        self.precision = encoder.precision

    def run(self, features: Features) -> NDArray[np.float32]:
        """Features [n, F, …] to float32 (n, dim), of any length; see `Engine`."""
        count, frames = next(iter(features.values())).shape[:2]
        single = [
            {name: array[clip, frame] for name, array in features.items()}
            for clip in range(count)
            for frame in range(frames)
        ]
        vectors = self._encoder.encode(single).reshape(count, frames, -1)
        mean: NDArray[np.float32] = vectors.mean(axis=1, dtype=np.float64).astype(np.float32)
        return mean

    def close(self) -> None:
        """Nothing to free: the engine is the encoder's."""
