# SPDX-License-Identifier: Apache-2.0
"""From configurations to encoders, one modality at a time, or several around one trunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from sensebind.errors import ConfigError
from sensebind.types import Modality
from sensebind_engines.models.config import Convolutional, input_specs
from sensebind_engines.models.conv import PictureConv, SpectrogramConv
from sensebind_engines.models.encoder import (
    FeatureEncoder,
    FeatureTransformer,
    Head,
    TextEncoder,
    TextNetwork,
)
from sensebind_engines.models.imu_conv import ImuConv, ImuConvSize
from sensebind_engines.models.stems import FRAMES, FramesStem, MotionStem, PatchStem, WordStem
from sensebind_engines.models.transformer import Trunk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from sensebind_engines.models.config import EncoderConfig, Transformer
    from sensebind_engines.models.encoder import Encoder


def build_encoder(config: EncoderConfig, trunk: Trunk | None = None) -> Encoder:
    """Build one encoder with new weights, drawn from torch's global generator.

    Args:
        config: its modality, features and sizes.
        trunk: an existing one to use instead of its own (see `build_encoders`).

    Raises:
        ConfigError: the sizes do not fit the features.
    """
    network = config.network
    if isinstance(network, Convolutional):
        return FeatureEncoder(config, _convolutional(config, network))
    trunk = Trunk(network) if trunk is None else trunk
    head = Head(network, config.dim)
    if config.modality is Modality.TEXT:
        return TextEncoder(config, TextNetwork(WordStem(network), trunk, head))
    return FeatureEncoder(config, FeatureTransformer(_stem(config, network), trunk, head))


def build_encoders(
    configs: Mapping[Modality, EncoderConfig], trunk: Literal["separate", "shared"] = "separate"
) -> dict[Modality, Encoder]:
    """Build several encoders, each with a trunk of its own, or all around one.

    Raises:
        ConfigError: a shared trunk is asked for encoders that are no transformers of equal width,
            blocks, heads, bias_key_value, drop_path and norm_eps, naming the first that differs.
    """
    if trunk == "separate":
        return {modality: build_encoder(config) for modality, config in configs.items()}
    shared = Trunk(_common_trunk(configs))
    return {modality: build_encoder(config, shared) for modality, config in configs.items()}


def build_empty(config: EncoderConfig) -> Encoder:
    """Build a transformer encoder without memory for its weights, on torch's meta device.

    Fill it with `load_state_dict(state, assign=True)`; ImageBind's sizes are built in a blink.
    """
    with torch.device("meta"):
        return build_encoder(config)


def _common_trunk(configs: Mapping[Modality, EncoderConfig]) -> Transformer:
    first: Transformer | None = None
    for modality, config in configs.items():
        network = config.network
        if isinstance(network, Convolutional):
            raise ConfigError(
                f"the {modality} encoder is convolutional (size {config.size!r}) and has no trunk "
                "to share; give it a transformer size or set trunk to 'separate'"
            )
        first = first or network
        if network.trunk != first.trunk:
            raise ConfigError(
                f"the {modality} encoder's (width, blocks, heads, bias_key_value, drop_path, "
                f"norm_eps) are {network.trunk}, expected {first.trunk} as of the first encoder: "
                "a shared trunk has one size; set trunk to 'separate' or make the sizes equal"
            )
    if first is None:
        raise ConfigError("no encoders were given, expected at least one")
    return first


def _stem(config: EncoderConfig, network: Transformer) -> nn.Module:
    shape = _features_shape(config)
    if config.modality is Modality.IMU:
        return MotionStem(network, *shape)
    if config.modality is Modality.VISION:
        if len(shape) == 4 and shape[0] != FRAMES:
            raise ConfigError(
                f"frame_positions has {shape[0]} entries, expected 1 or {FRAMES}: what a "
                "transformer's patches reach through"
            )
        return FramesStem(network, shape[-1])
    return PatchStem(network, *shape)


def _convolutional(config: EncoderConfig, network: Convolutional) -> nn.Module:
    shape = _features_shape(config)
    if config.modality is Modality.IMU:
        sizes = ImuConvSize(network.widths, network.kernels, network.hidden, config.dim)
        return _ImuNetwork(sizes)
    if config.modality is Modality.AUDIO:
        return SpectrogramConv(network, shape[1], config.dim)
    channels = 1
    for count in shape[:-2]:
        channels *= count
    return PictureConv(network, channels, config.dim)


class _ImuNetwork(ImuConv):
    """The IMU network without its last step, which the encoder takes."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features to raw embeddings (batch, dim)."""
        return self.embed(features)


def _features_shape(config: EncoderConfig) -> tuple[int, ...]:
    (spec,) = input_specs(config)
    return tuple(axis for axis in spec.shape if isinstance(axis, int))
