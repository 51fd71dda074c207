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

from sensebind.encoder import Encoder, unit_rows
from sensebind.errors import ConfigError
from sensebind.specs import DepthSpec, ThermalSpec, VisionSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.specs import EncoderSpec
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
    return ClipEncoder(encoder, clip, length_s, tuple(positions))


def stream_encoder(encoder: Encoder, stream: StreamConfig) -> Encoder:
    """The encoder of a stream: its modality's, or one of clips of its frames, as configured.

    Raises:
        ConfigError: as `pooled`.
    """
    if stream.frame_pooling_s is None:
        return encoder
    return pooled(encoder, stream.frame_pooling_s)


class ClipEncoder(Encoder):
    """An encoder of clips: every frame alone through one of frames, the mean of what comes out."""

    def __init__(
        self, frames: Encoder, spec: EncoderSpec, length_s: float, positions: tuple[float, ...]
    ) -> None:
        """See `pooled`."""
        identity = [frames.encoder_id, "mean", positions, float(length_s)]
        encoder_id = hashlib.sha256(msgspec.json.encode(identity)).hexdigest()
        super().__init__(frames.modality, spec, encoder_id, frames.dim, frames._engine)  # noqa: SLF001
        self._frames = frames
        self._length_s = length_s
        self._positions = positions

    @property
    def backend(self) -> str:
        """See `Encoder.backend`."""
        return self._frames.backend

    @property
    def precision(self) -> str:
        """See `Encoder.precision`."""
        return self._frames.precision

    @property
    def has_offer(self) -> bool:
        """See `Encoder.has_offer`; it is the encoder of frames that is offered one."""
        return self._frames.has_offer

    def on(self, opened: Encoder) -> Encoder:
        """See `Encoder.on`; `opened` is one of frames."""
        return pooled(opened, self._length_s, self._positions)

    def take_offer(self) -> None:
        """See `Encoder.take_offer`."""
        self._frames.take_offer()

    def encode(self, batch: Sequence[Features]) -> NDArray[np.float32]:
        """See `Encoder.encode`; the features of a window are those of its frames, [F, …]."""
        vectors = [self._mean(features) for features in batch]
        return unit_rows(np.stack(vectors), self.modality) if vectors else super().encode(batch)

    def equal_batches(self, most: int) -> tuple[int, ...]:  # noqa: ARG002
        """1: frames are run one by one, so sharing a run would save nothing."""
        return (1,)

    def close(self) -> None:
        """Nothing to free: the engine is the encoder's of frames."""

    def _mean(self, features: Features) -> NDArray[np.float32]:
        count = len(next(iter(features.values())))
        frames = [{name: array[i] for name, array in features.items()} for i in range(count)]
        vectors = np.concatenate([self._frames.encode([frame]) for frame in frames])
        mean: NDArray[np.float32] = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        return mean
