# SPDX-License-Identifier: Apache-2.0
"""One tower of a checkpoint as an encoder, its weights still in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sensebind.types import Modality
from sensebind_engines.imagebind.layout import imagebind_config, to_ours, tower_weights
from sensebind_engines.models.build import build_empty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from sensebind_engines.models.config import EncoderConfig
    from sensebind_engines.models.encoder import Encoder


def load_tower(
    state: Mapping[str, Tensor], modality: Modality, config: EncoderConfig | None = None
) -> Encoder:
    """Build ImageBind's encoder of `modality` around the checkpoint's tensors.

    Nothing is copied but what must change its shape or type: tensors mapped from a file stay
    there until they are used. The encoder is frozen and in evaluation mode.

    Args:
        state: a checkpoint that `require_towers` accepted.
        modality: which tower.
        config: ImageBind's own if None; its network and dim must be ImageBind's.
    """
    weights = {
        weight.ours: to_ours(weight, state[weight.theirs]).to(torch.float32)
        for weight in tower_weights(modality)
    }
    if modality is Modality.VISION:
        weights["log_scale"] = torch.tensor(0.0)
    encoder = build_empty(config or imagebind_config(modality))
    encoder.load_state_dict(weights, strict=True, assign=True)
    encoder.eval().requires_grad_(False)
    return encoder
