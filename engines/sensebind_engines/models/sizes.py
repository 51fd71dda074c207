# SPDX-License-Identifier: Apache-2.0
"""Named sizes: ImageBind's own, and smaller ones of the same family.

Sizes "imagebind": Girdhar et al. 2023, "ImageBind: One Embedding Space To Bind Them All", the
encoders called "huge" in the authors' release. "base", "small" and "tiny" are this project's; all
modalities of one such size have the same trunk, so that they can share it. "conv-base",
"conv-small" and "conv-tiny" have about 0.6, 0.2 and 0.1 million parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sensebind.errors import ConfigError
from sensebind.specs import (
    DepthSpec,
    ImuSpec,
    LogMelSpec,
    ThermalSpec,
    VisionSpec,
    WindowSpec,
)
from sensebind.types import Modality
from sensebind_engines.models.config import Convolutional, EncoderConfig, Transformer

if TYPE_CHECKING:
    from sensebind.specs import Preprocess

IMAGEBIND_DIM = 1024

_VIT_B = Transformer(width=768, blocks=12, heads=12, patch=16)
_IMAGEBIND = {
    Modality.VISION: Transformer(
        width=1280, blocks=32, heads=16, patch=14, stem_norm="tokens", bias_key_value=False
    ),
    Modality.TEXT: Transformer(
        width=1024, blocks=24, heads=16, stem_norm="none", bias_key_value=False
    ),
    Modality.AUDIO: msgspec.structs.replace(_VIT_B, stride=10, drop_path=0.1),
    Modality.DEPTH: Transformer(width=384, blocks=12, heads=8, patch=16),
    Modality.THERMAL: _VIT_B,
    Modality.IMU: Transformer(
        width=512, blocks=6, heads=8, patch=8, drop_path=0.7, dropout=0.5, motion_scale="none"
    ),
}

_TRUNKS: dict[str, dict[str, Any]] = {
    "base": {"width": 512, "blocks": 8, "heads": 8, "drop_path": 0.1},
    "small": {"width": 256, "blocks": 6, "heads": 4, "drop_path": 0.05},
    "tiny": {"width": 128, "blocks": 4, "heads": 4},
}
_PICTURE_PATCH = {"base": 16, "small": 16, "tiny": 12}
_PICTURE_SIDE = {"imagebind": 224, "base": 224, "small": 160, "tiny": 96}
_CONV_SIDE = 112
_IMU_PATCH = 8

_CONVOLUTIONS = {
    "conv-base": Convolutional(widths=(32, 64, 96, 128, 192), kernels=(5, 3, 3, 3, 3), hidden=192),
    "conv-small": Convolutional(widths=(16, 32, 48, 64, 96), kernels=(5, 3, 3, 3, 3), hidden=128),
    "conv-tiny": Convolutional(widths=(12, 20, 32, 48, 64), kernels=(5, 3, 3, 3, 3), hidden=112),
}
_IMU_CONVOLUTIONS = {
    "conv-base": Convolutional(widths=(64, 96, 128, 192), kernels=(9, 7, 5, 5), hidden=320),
    "conv-small": Convolutional(widths=(32, 48, 64, 96), kernels=(9, 7, 5, 5), hidden=192),
    "conv-tiny": Convolutional(widths=(24, 32, 48, 64), kernels=(9, 7, 5, 5), hidden=144),
}

SIZES = ("imagebind", *_TRUNKS, *_CONVOLUTIONS)

_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Radford et al. 2021, the values of CLIP's release; ImageBind's image tower takes the same."""

_FRAME_WINDOW = WindowSpec(length_s=0.5, hop_s=0.5)
_IMAGEBIND_FRAMES = (0.0, 1.0)
"""A clip is its first and last frame; a picture is repeated."""


def default_config(
    modality: Modality | str,
    size: str,
    dim: int = IMAGEBIND_DIM,
    overrides: Mapping[str, object] | None = None,
) -> EncoderConfig:
    """Return the declared configuration of a size, with some fields changed.

    Args:
        modality: the sense.
        size: one of `SIZES`; text has no convolutional ones.
        dim: length of the vectors.
        overrides: values by field as they stand in TOML, nested for "network", "preprocess" and
            "window": {"network": {"blocks": 2}}. A "type" or "family" that differs from the
            default's replaces that part whole.

    Raises:
        ConfigError: naming the size or field that is not known, or a value out of range.
    """
    modality = Modality(modality)
    config = EncoderConfig(
        modality=modality,
        size=size,
        dim=dim,
        network=_network(modality, size),
        preprocess=_front_end(modality, size),
        window=_window(modality, size),
    )
    if not overrides:
        return config
    merged = _merged(msgspec.to_builtins(config), overrides)
    try:
        return msgspec.convert(merged, EncoderConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the {modality} encoder's configuration: {error}") from None


def _network(modality: Modality, size: str) -> Transformer | Convolutional:
    if size == "imagebind":
        return _IMAGEBIND[modality]
    if size in _CONVOLUTIONS:
        return (_IMU_CONVOLUTIONS if modality is Modality.IMU else _CONVOLUTIONS)[size]
    if size not in _TRUNKS:
        raise ConfigError(f"there is no encoder size {size!r}; the sizes are: {', '.join(SIZES)}")
    if modality is Modality.TEXT:
        return Transformer(**_TRUNKS[size], stem_norm="none")
    patch = _IMU_PATCH if modality is Modality.IMU else 16
    if modality in (Modality.VISION, Modality.DEPTH, Modality.THERMAL):
        patch = _PICTURE_PATCH[size]
    return Transformer(**_TRUNKS[size], patch=patch)


def _front_end(modality: Modality, size: str) -> Preprocess | None:
    side = _PICTURE_SIDE.get(size, _CONV_SIDE)
    if modality is Modality.VISION:
        positions = _IMAGEBIND_FRAMES if size == "imagebind" else (1.0,)
        return VisionSpec(size=side, mean=_CLIP_MEAN, std=_CLIP_STD, frame_positions=positions)
    if modality is Modality.AUDIO:
        return LogMelSpec()
    if modality is Modality.DEPTH:
        # Statistics of SUN RGB-D's disparity in ImageBind's training, as its users report them;
        # depth out of range was clipped there.
        outside: Literal["clip", "hole"] = "clip" if size == "imagebind" else "hole"
        return DepthSpec(
            size=side,
            representation="disparity",
            mean=0.0418,
            std=0.0295,
            out_of_range=outside,
        )
    if modality is Modality.THERMAL:
        return ThermalSpec(size=side)
    if modality is Modality.IMU:
        return _imagebind_imu() if size == "imagebind" else ImuSpec(rate_hz=200.0)
    return None


def _imagebind_imu() -> ImuSpec:
    """2000 points are 5 s by the paper, hence 400 Hz; the rest its authors never published."""
    return ImuSpec(rate_hz=400.0, assumed=("rate_hz", "channels", "units", "frame"))


def _window(modality: Modality, size: str) -> WindowSpec | None:
    if modality is Modality.TEXT:
        return None
    if modality is Modality.AUDIO:
        return WindowSpec(length_s=2.0, hop_s=0.5)
    if modality is Modality.IMU:
        return WindowSpec(length_s=5.0 if size == "imagebind" else 2.0, hop_s=0.5)
    if modality is Modality.VISION and size == "imagebind":
        return WindowSpec(length_s=2.0, hop_s=0.5)
    return _FRAME_WINDOW


def _merged(base: Mapping[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        before = base.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            kinds = ("type", "family")
            kept = all(value.get(kind, before.get(kind)) == before.get(kind) for kind in kinds)
            merged[key] = _merged(before, value) if kept else dict(value)
        else:
            merged[key] = value
    return merged
