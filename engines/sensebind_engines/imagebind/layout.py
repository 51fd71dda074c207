# SPDX-License-Identifier: Apache-2.0
"""ImageBind's checkpoint: which of its tensors is which of ours.

The names and shapes are those of ``imagebind_huge.pth``, 1311 tensors in six towers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sensebind.types import Modality
from sensebind_engines.models.build import build_empty
from sensebind_engines.models.sizes import IMAGEBIND_DIM, default_config

if TYPE_CHECKING:
    from torch import Tensor

    from sensebind_engines.models.config import EncoderConfig

_STEMS = {
    Modality.VISION: "rgbt_stem",
    Modality.AUDIO: "rgbt_stem",
    Modality.THERMAL: "rgbt_stem",
    Modality.DEPTH: "depth_stem",
    Modality.IMU: "imu_stem",
}
_BLOCK_NAMES = {
    "attention.project.": "attn.in_proj_",
    "attention.mix.": "attn.out_proj.",
    "attention.bias_key": "attn.bias_k",
    "attention.bias_value": "attn.bias_v",
    "norm_1.": "norm_1.",
    "norm_2.": "norm_2.",
    "widen.": "mlp.fc1.",
    "narrow.": "mlp.fc2.",
}
_BLOCK = re.compile(r"network\.trunk\.blocks\.(\d+)\.(.*?)(weight|bias|)$")
_FRAMES, _CHANNELS = 2, 3


class Weight(NamedTuple):
    """One tensor of a tower.

    Attributes:
        ours: its name in our encoder's state dict.
        theirs: its name in the checkpoint.
        shape: in the checkpoint.
    """

    ours: str
    theirs: str
    shape: tuple[int, ...]


def imagebind_config(modality: Modality) -> EncoderConfig:
    """The configuration of ImageBind's own tower."""
    return default_config(modality, "imagebind", IMAGEBIND_DIM)


def tower_weights(modality: Modality) -> list[Weight]:
    """Every tensor of a tower that holds a value of ours, in the order of our state dict."""
    state = build_empty(imagebind_config(modality)).state_dict()
    weights = []
    for ours, tensor in state.items():
        if modality is Modality.VISION and ours == "log_scale":
            continue  # its outputs have length 1
        shape = tuple(tensor.shape)
        if modality is Modality.VISION and ours == "network.stem.patches.weight":
            shape = (shape[0], _CHANNELS, _FRAMES, *shape[2:])
        weights.append(Weight(ours, _their_name(modality, ours), shape))
    return weights


def tower_extras(modality: Modality) -> dict[str, tuple[int, ...]]:
    """Names and shapes of tensors that a tower has beside its weights: text's causal mask."""
    if modality is Modality.TEXT:
        return {"modality_preprocessors.text.mask": (77, 77)}
    return {}


def modality_of(name: str) -> Modality | None:
    """The tower that a tensor of the checkpoint belongs to; None for a foreign name."""
    part, _, rest = name.partition(".")
    modality = rest.partition(".")[0]
    known = part in {f"modality_{kind}" for kind in _PARTS}
    return Modality(modality) if known and modality in set(Modality) else None


def to_ours(weight: Weight, tensor: Tensor) -> Tensor:
    """Bring a checkpoint's tensor to the shape of ours: frames before channels, in one axis."""
    if len(weight.shape) != 5:
        return tensor
    return tensor.transpose(1, 2).flatten(1, 2)


_PARTS = ("preprocessors", "trunks", "heads", "postprocessors")


def _their_name(modality: Modality, ours: str) -> str:
    block = _BLOCK.fullmatch(ours)
    if block:
        index, part, kind = block.groups()
        return f"modality_trunks.{modality}.blocks.{index}.{_BLOCK_NAMES[part]}{kind}"
    before, head = f"modality_preprocessors.{modality}", f"modality_heads.{modality}"
    stem = f"{before}.{_STEMS.get(modality, '')}"
    patches = "proj.1" if modality is Modality.VISION else "proj"
    norm = f"{stem}.norm_layer"
    if modality is Modality.VISION:
        norm = "modality_trunks.vision.pre_transformer_layer.0"
    head_norm, head_matrix = f"{head}.0", f"{head}.{3 if modality is Modality.IMU else 2}"
    if modality is Modality.TEXT:
        head_norm, head_matrix = f"{head}.proj.0", f"{head}.proj.1"
    simple = modality in (Modality.TEXT, Modality.IMU)
    positions = f"{before}.{'' if simple else 'pos_embedding_helper.'}pos_embed"
    return {
        "log_scale": f"modality_postprocessors.{modality}.1.log_logit_scale",
        "network.stem.words.weight": f"{before}.token_embedding.weight",
        "network.stem.positions": positions,
        "network.stem.finish.positions": positions,
        "network.stem.finish.first": f"{before}.cls_token",
        "network.stem.patches.weight": f"{stem}.{patches}.weight",
        "network.stem.finish.norm.weight": f"{norm}.weight",
        "network.stem.finish.norm.bias": f"{norm}.bias",
        "network.head.norm.weight": f"{head_norm}.weight",
        "network.head.norm.bias": f"{head_norm}.bias",
        "network.head.project.weight": f"{head_matrix}.weight",
    }[ours]
