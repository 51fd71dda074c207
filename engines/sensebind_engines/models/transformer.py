# SPDX-License-Identifier: Apache-2.0
"""The trunk of every transformer encoder: pre-norm blocks of attention and a GELU network.

Vaswani et al. 2017 with the norms before (Xiong et al. 2020), exact GELU, and, as ImageBind's
encoders have it, optionally one learned key and value per block. Written so that it exports to few
nodes with a dynamic batch: the query is scaled first, and nothing depends on the batch's length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from sensebind_engines.models.config import Transformer

_WIDENING = 4
_HIDDEN = -1e4
"""Added to the score of a hidden token: its weight is exactly 0 in FP32, and FP16 can hold it."""


class Trunk(nn.Module):
    """Blocks in a row: float32 (batch, tokens, width) to the same shape."""

    def __init__(self, sizes: Transformer) -> None:
        super().__init__()
        last = max(sizes.blocks - 1, 1)
        self.blocks = nn.ModuleList(
            Block(sizes, sizes.drop_path * index / last) for index in range(sizes.blocks)
        )

    def forward(self, tokens: Tensor, *, causal: bool = False) -> Tensor:
        """Map tokens; if `causal`, each sees itself and those before it."""
        mask = causal_mask(tokens, bias=self.blocks[0].attention.has_bias) if causal else None
        for block in self.blocks:
            tokens = block(tokens, mask)
        return tokens


def causal_mask(tokens: Tensor, *, bias: bool) -> Tensor:
    """What to add to the scores, float32 (tokens, tokens [+ 1 for the learned key])."""
    count = tokens.shape[1]
    index = torch.arange(count, device=tokens.device)
    later = (index[None, :] > index[:, None]).to(tokens.dtype) * _HIDDEN
    return functional.pad(later, (0, 1)) if bias else later


class Block(nn.Module):
    """Attention and a GELU network, each behind a LayerNorm and added to its input."""

    def __init__(self, sizes: Transformer, drop_path: float) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(sizes.width, eps=sizes.norm_eps)
        self.attention = Attention(sizes.width, sizes.heads, bias=sizes.bias_key_value)
        self.norm_2 = nn.LayerNorm(sizes.width, eps=sizes.norm_eps)
        self.widen = _linear(sizes.width, _WIDENING * sizes.width)
        self.narrow = _linear(_WIDENING * sizes.width, sizes.width)
        self.drop_path = drop_path

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Map tokens (batch, tokens, width); `mask` is added to the attention's scores."""
        tokens = tokens + self._dropped(self.attention(self.norm_1(tokens), mask))
        update = self.narrow(functional.gelu(self.widen(self.norm_2(tokens))))
        return tokens + self._dropped(update)

    def _dropped(self, update: Tensor) -> Tensor:
        """Stochastic depth (Huang et al. 2016): in training, some rows skip the update."""
        if not self.training or self.drop_path == 0:
            return update
        kept = 1.0 - self.drop_path
        keep = torch.empty(update.shape[0], 1, 1, device=update.device, dtype=update.dtype)
        return update * keep.bernoulli_(kept) / kept


class Attention(nn.Module):
    """Multi-head self-attention, with a learned key and value if `bias`."""

    def __init__(self, width: int, heads: int, *, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.has_bias = bias
        self.project = _linear(width, 3 * width)
        self.mix = _linear(width, width)
        if bias:
            self.bias_key = nn.Parameter(torch.empty(1, 1, width))
            self.bias_value = nn.Parameter(torch.empty(1, 1, width))
            nn.init.xavier_normal_(self.bias_key)
            nn.init.xavier_normal_(self.bias_value)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Mix tokens (batch, tokens, width) by their scores plus `mask`."""
        query, key, value = self.project(tokens).chunk(3, dim=-1)
        if self.has_bias:
            key, value = _with(key, self.bias_key), _with(value, self.bias_value)
        query, key, value = (self._split(part) for part in (query, key, value))
        query = query * float(query.shape[-1]) ** -0.5
        return self.mix(_attend(query, key, value, mask).transpose(1, 2).flatten(2))

    def _split(self, part: Tensor) -> Tensor:
        return part.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Mix values by the softmax of query times key plus mask."""
    if not torch.compiler.is_exporting():
        return functional.scaled_dot_product_attention(query, key, value, mask, scale=1.0)
    # The same in plain operators: exported, the fused kernel becomes a longer chain of nodes.
    scores = query @ key.transpose(-1, -2)
    return (scores if mask is None else scores + mask).softmax(dim=-1) @ value


def _with(tokens: Tensor, learned: Tensor) -> Tensor:
    return torch.cat([tokens, learned.expand(tokens.shape[0], -1, -1)], dim=1)


def _linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
