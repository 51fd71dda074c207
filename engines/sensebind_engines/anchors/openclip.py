# SPDX-License-Identifier: Apache-2.0
"""OpenCLIP's image and text transformers: names, sizes read off shapes, and the encoders.

The layout is that of ``open_clip``'s and CLIP's state dicts. What a state dict does not tell is
taken as OpenCLIP's models have it: heads of 64 channels (16 heads in image towers 1280, 1408 or
1664 wide: ViT-H, ViT-g, ViT-bigG), LayerNorm with eps 1e-5, and exact GELU. OpenAI's own weights
use another activation ("QuickGELU"), which no name or shape shows: they give wrong vectors here.
Towers with other parts, such as attention pooling, are refused by the names of these.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import torch

from sensebind.errors import InputError
from sensebind.specs import VisionSpec
from sensebind.types import Modality
from sensebind_engines.models.build import build_empty
from sensebind_engines.models.config import EncoderConfig, Transformer
from sensebind_engines.models.sizes import default_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from sensebind_engines.models.encoder import Encoder

MARK = "visual.conv1.weight"
"""A name that every such state dict with an image transformer has."""

_HEAD_CHANNELS = 64
_WIDE_IMAGE_HEADS = {1280: 16, 1408: 16, 1664: 16}
_BLOCK_NAMES = {
    "attention.project.": "attn.in_proj_",
    "attention.mix.": "attn.out_proj.",
    "norm_1.": "ln_1.",
    "norm_2.": "ln_2.",
    "widen.": "mlp.c_fc.",
    "narrow.": "mlp.c_proj.",
}
_BLOCK = re.compile(r"network\.trunk\.blocks\.(\d+)\.(.*\.)(weight|bias)")
_NAMES = {
    Modality.VISION: {
        "network.stem.patches.weight": MARK,
        "network.stem.finish.first": "visual.class_embedding",
        "network.stem.finish.positions": "visual.positional_embedding",
        "network.stem.finish.norm.weight": "visual.ln_pre.weight",
        "network.stem.finish.norm.bias": "visual.ln_pre.bias",
        "network.head.norm.weight": "visual.ln_post.weight",
        "network.head.norm.bias": "visual.ln_post.bias",
        "network.head.project.weight": "visual.proj",
    },
    Modality.TEXT: {
        "network.stem.words.weight": "token_embedding.weight",
        "network.stem.positions": "positional_embedding",
        "network.head.norm.weight": "ln_final.weight",
        "network.head.norm.bias": "ln_final.bias",
        "network.head.project.weight": "text_projection",
        "log_scale": "logit_scale",
    },
}
_TRUNKS = {Modality.VISION: "visual.transformer", Modality.TEXT: "transformer"}
_IGNORED = {"attn_mask", "logit_bias"}


def openclip_tower(state: Mapping[str, Tensor], modality: Modality) -> Encoder:
    """Build one tower around a state dict's tensors, frozen.

    Args:
        state: names as in OpenCLIP, with or without "module." before them.
        modality: vision or text.

    Raises:
        InputError: it has no such tower, or one of another architecture, naming what differs.
    """
    if modality not in _NAMES:
        raise InputError(f"weights in OpenCLIP's layout have vision and text, not {modality.value}")
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    try:
        config = _vision(state) if modality is Modality.VISION else _text(state)
    except KeyError as error:
        raise InputError(
            f"the weights have no {error.args[0]!r}, which OpenCLIP's {modality.value} transformer "
            "has; only its plain ViT and text transformers can be used"
        ) from None
    encoder = build_empty(config)
    names = {ours: _their_name(ours, modality) for ours in _filled(encoder, modality)}
    _refuse_others(set(state), set(names.values()), modality)
    weights = {ours: _fitted(state, names[ours], ours, empty.shape)
               for ours, empty in encoder.state_dict().items() if ours in names}  # fmt: skip
    encoder.load_state_dict({"log_scale": torch.tensor(0.0), **weights}, assign=True)
    encoder.eval().requires_grad_(False)
    return encoder


def _filled(encoder: Encoder, modality: Modality) -> list[str]:
    """Names of ours that the state dict fills: all, but an image tower has no scale."""
    names = list(encoder.state_dict())
    return [n for n in names if n != "log_scale"] if modality is Modality.VISION else names


def _fitted(state: Mapping[str, Tensor], theirs: str, ours: str, shape: torch.Size) -> Tensor:
    if theirs not in state:
        raise InputError(
            f"the weights have no {theirs!r}; the file is damaged or of another architecture"
        )
    tensor = _to_ours(ours, state[theirs])
    if tensor.shape != shape:
        raise InputError(
            f"{theirs!r} has the shape {list(state[theirs].shape)}, which becomes "
            f"{list(tensor.shape)}, expected {list(shape)}: another architecture"
        )
    return tensor


def _vision(state: Mapping[str, Tensor]) -> EncoderConfig:
    width, _, patch, _ = state[MARK].shape
    side = round((state["visual.positional_embedding"].shape[0] - 1) ** 0.5)
    default = default_config(Modality.VISION, "imagebind")
    assert isinstance(default.preprocess, VisionSpec)
    front = msgspec.structs.replace(default.preprocess, size=side * patch, frame_positions=(1.0,))
    return EncoderConfig(
        modality=Modality.VISION,
        size="openclip",
        dim=state["visual.proj"].shape[1],
        network=Transformer(
            width=width,
            blocks=_blocks(state, "visual.transformer"),
            heads=_WIDE_IMAGE_HEADS.get(width, width // _HEAD_CHANNELS),
            patch=patch,
            stem_norm="tokens",
            bias_key_value=False,
            norm_eps=1e-5,
        ),
        preprocess=front,
        window=default.window,
    )


def _text(state: Mapping[str, Tensor]) -> EncoderConfig:
    vocabulary, width = state["token_embedding.weight"].shape
    return EncoderConfig(
        modality=Modality.TEXT,
        size="openclip",
        dim=state["text_projection"].shape[1],
        network=Transformer(
            width=width,
            blocks=_blocks(state, "transformer"),
            heads=width // _HEAD_CHANNELS,
            stem_norm="none",
            bias_key_value=False,
            norm_eps=1e-5,
            vocabulary=vocabulary,
            context=state["positional_embedding"].shape[0],
        ),
    )


def _blocks(state: Mapping[str, Tensor], trunk: str) -> int:
    pattern = re.compile(rf"{re.escape(trunk)}\.resblocks\.(\d+)\.")
    numbers = [int(found[1]) for name in state if (found := pattern.match(name))]
    if not numbers:
        raise KeyError(f"{trunk}.resblocks.0")
    return max(numbers) + 1


def _their_name(ours: str, modality: Modality) -> str:
    block = _BLOCK.fullmatch(ours)
    if block is None:
        return _NAMES[modality][ours]
    index, part, kind = block.groups()
    return f"{_TRUNKS[modality]}.resblocks.{index}.{_BLOCK_NAMES[part]}{kind}"


def _to_ours(ours: str, tensor: Tensor) -> Tensor:
    tensor = tensor.to(torch.float32)
    if ours == "network.head.project.weight":
        return tensor.T
    if ours == "network.stem.patches.weight":
        # Ours see two frames: half of the weights for each gives a picture what it had.
        return torch.cat([tensor / 2, tensor / 2], dim=1)
    if ours.endswith(("finish.first", "positions")):
        return tensor.reshape(1, -1, tensor.shape[-1])
    return tensor


def _refuse_others(names: set[str], used: set[str], modality: Modality) -> None:
    """A tensor that is not used means another network than ours."""
    of_vision = {name for name in names if name.startswith("visual.")}
    mine = of_vision if modality is Modality.VISION else names - of_vision - {"logit_scale"}
    if others := sorted(mine - used - _IGNORED):
        raise InputError(
            f"the {modality.value} weights have {others[0]!r} and {len(others) - 1} more that "
            "OpenCLIP's plain transformers do not have; another architecture cannot be used"
        )
