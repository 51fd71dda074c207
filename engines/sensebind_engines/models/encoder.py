# SPDX-License-Identifier: Apache-2.0
"""Encoders as torch modules: a modality's features in, unit vectors out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from sensebind.types import Modality

if TYPE_CHECKING:
    from sensebind_engines.models.config import EncoderConfig, Transformer
    from sensebind_engines.models.stems import WordStem
    from sensebind_engines.models.transformer import Trunk

LARGEST_SCALE = 100.0
"""ImageBind clips its scales above this, as CLIP does (Radford et al. 2021, section 2.5)."""

IMAGEBIND_SCALES = {
    Modality.VISION: 1.0,
    Modality.TEXT: 1 / 0.07,
    Modality.AUDIO: 20.0,
    Modality.DEPTH: 5.0,
    Modality.THERMAL: 10.0,
    Modality.IMU: 5.0,
}
"""Norm of ImageBind's outputs; text's is learned and begins here."""


class Encoder(nn.Module):
    """Base of the encoders; a subclass defines `embed` and names its inputs in `forward`.

    `forward` takes the tensors of `input_specs(config)`, by position or by name, and returns
    float32 (batch, dim) of unit length; `embed` returns the same before that.

    Attributes:
        config: what it was built from.
        log_scale: logarithm of ImageBind's output scale, a scalar buffer; no part of `forward`.
    """

    log_scale: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        start = math.log(IMAGEBIND_SCALES[config.modality])
        self.register_buffer("log_scale", torch.tensor(start))

    @property
    def scale(self) -> Tensor:
        """Norm of the vectors that ImageBind's own code returns, a scalar, at most 100."""
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)


class FeatureEncoder(Encoder):
    """An encoder of dense features."""

    def __init__(self, config: EncoderConfig, network: nn.Module) -> None:
        """Join a configuration and a network that maps features to raw embeddings."""
        super().__init__(config)
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        """Embed float32 (batch, ...) features."""
        return functional.normalize(self.embed(features), dim=-1)

    def embed(self, features: Tensor) -> Tensor:
        """What `forward` returns, before it is brought to length 1."""
        return self.network(features)


class TextEncoder(Encoder):
    """An encoder of token ids; each token sees those before it, the last one is the text's."""

    def __init__(self, config: EncoderConfig, network: TextNetwork) -> None:
        super().__init__(config)
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Embed int64 (batch, tokens) ids; the mask is 1 for a token and 0 for padding after it."""
        return functional.normalize(self.embed(input_ids, attention_mask), dim=-1)

    def embed(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """What `forward` returns, before it is brought to length 1."""
        return self.network(input_ids, attention_mask)


class Head(nn.Module):
    """LayerNorm and a matrix, on the one token that stands for the input."""

    def __init__(self, sizes: Transformer, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(sizes.width, eps=sizes.norm_eps)
        self.dropout = nn.Dropout(sizes.dropout)
        self.project = nn.Linear(sizes.width, dim, bias=False)

    def forward(self, token: Tensor) -> Tensor:
        """Map (batch, width) to (batch, dim)."""
        return self.project(self.dropout(self.norm(token)))


class FeatureTransformer(nn.Module):
    """Stem, trunk and head; the class token stands for the input."""

    def __init__(self, stem: nn.Module, trunk: Trunk, head: Head) -> None:
        super().__init__()
        self.stem, self.trunk, self.head = stem, trunk, head

    def forward(self, features: Tensor) -> Tensor:
        """Map features to raw embeddings (batch, dim)."""
        return self.head(self.trunk(self.stem(features))[:, 0])


class TextNetwork(nn.Module):
    """Words, trunk and head; the last token (CLIP's end of text) stands for the text."""

    def __init__(self, stem: WordStem, trunk: Trunk, head: Head) -> None:
        super().__init__()
        self.stem, self.trunk, self.head = stem, trunk, head

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Map token ids to raw embeddings (batch, dim)."""
        tokens = self.trunk(self.stem(input_ids), causal=True)
        last = attention_mask.sum(dim=1, keepdim=True) - 1
        chosen = last[:, :, None].expand(-1, -1, tokens.shape[-1])
        return self.head(tokens.gather(1, chosen).squeeze(1))
