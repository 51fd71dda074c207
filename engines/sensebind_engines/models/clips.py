# SPDX-License-Identifier: Apache-2.0
"""Vectors as ImageBind's own code returns them: scaled, and averaged over clips.

A generator that takes ImageBind's vectors takes these. For cosines and retrieval, use the
encoder's unit vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from sensebind_engines.models.encoder import Encoder


def encode_scaled(encoder: Encoder, *inputs: Tensor) -> Tensor:
    """Unit vectors times the encoder's scale: float32 (batch, dim)."""
    return encoder(*inputs) * encoder.scale


def encode_clips(encoder: Encoder, clips: Tensor) -> Tensor:
    """Mean over the clips of each item, after scaling and without bringing it back to length.

    Args:
        encoder: of audio or vision.
        clips: features with a clips' axis after the batch's, float32 (batch, clips, ...).

    Returns:
        float32 (batch, dim); shorter than the scale unless all clips agree.
    """
    scaled = encode_scaled(encoder, clips.flatten(0, 1))
    return scaled.unflatten(0, clips.shape[:2]).mean(dim=1)
