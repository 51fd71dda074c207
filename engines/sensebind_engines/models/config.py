# SPDX-License-Identifier: Apache-2.0
"""What an encoder is: its features, its network and the length of its vectors, as plain values.

A configuration is decoded from TOML or JSON without torch. Its preprocessing and window are the
manifest's own types, so that training and serving see the same features.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sensebind.errors import ConfigError
from sensebind.specs import (
    SPEC_OF_MODALITY,
    Count,
    EncoderSpec,
    Positive,
    Preprocess,
    Strict,
    TensorSpec,
    TextSpec,
    WindowSpec,
    features_shape,
)
from sensebind.types import Modality

Probability = Annotated[float, Meta(ge=0, lt=1)]
StemNorm = Literal["none", "patches", "tokens"]
MotionScale = Literal["none", "log"]


class Transformer(Strict, frozen=True, tag="transformer", tag_field="family"):
    """Sizes of a transformer encoder.

    Attributes:
        width: length of a token.
        blocks: attention blocks of the trunk.
        heads: attention heads of a block; `width` is a multiple.
        patch: side of a patch in pixels or mel bins, for IMU its length in samples; unused by text.
        stride: from patch to patch; `patch` if None.
        stem_norm: LayerNorm of the patches, of all tokens with their positions, or none.
        bias_key_value: one learned key and value in every block, beside those of the tokens.
        drop_path: chance that a block is skipped, rising linearly to this at the last one.
        dropout: before the head's matrix.
        norm_eps: of every LayerNorm but that of the patches; 1e-6 is ImageBind's, 1e-5 CLIP's.
        motion_scale: "log" brings IMU features to a few units inside the graph; else as they come.
        vocabulary: tokens the text stem knows.
        context: most tokens of a text.
    """

    width: Count
    blocks: Count
    heads: Count
    patch: Count = 16
    stride: Count | None = None
    stem_norm: StemNorm = "patches"
    bias_key_value: bool = True
    drop_path: Probability = 0.0
    dropout: Probability = 0.0
    norm_eps: Positive = 1e-6
    motion_scale: MotionScale = "log"
    vocabulary: Count = 49408
    context: Count = 77

    def __post_init__(self) -> None:
        """Check what fields promise each other."""
        if self.width % self.heads:
            raise ConfigError(
                f"width is {self.width}, expected a multiple of heads, which is {self.heads}"
            )

    @property
    def trunk(self) -> tuple[int, int, int, bool, float, float]:
        """What two encoders must have in common to share a trunk."""
        return (
            self.width, self.blocks, self.heads, self.bias_key_value, self.drop_path, self.norm_eps
        )  # fmt: skip


class Convolutional(Strict, frozen=True, tag="conv", tag_field="family"):
    """Sizes of a convolutional encoder.

    Attributes:
        widths: channels of the convolutions; each halves every axis but the channels.
        kernels: their sides, odd, as many as widths.
        hidden: width of the layer between pooling and embedding.
    """

    widths: Annotated[tuple[Count, ...], Meta(min_length=1)]
    kernels: Annotated[tuple[Count, ...], Meta(min_length=1)]
    hidden: Count

    def __post_init__(self) -> None:
        """Check what fields promise each other."""
        if len(self.kernels) != len(self.widths):
            raise ConfigError(
                f"kernels has {len(self.kernels)} entries, expected one for each of the "
                f"{len(self.widths)} widths"
            )


class EncoderConfig(Strict, frozen=True):
    """One modality's encoder.

    Attributes:
        modality: the sense it encodes.
        size: name of the sizes it began as (see `sensebind_engines.models.sizes`).
        dim: length of its vectors.
        network: its sizes; "family" in it tells which kind.
        preprocess: the front end that makes its features; None for text until its tokenizer is
            chosen.
        window: of the features; None for text.
    """

    modality: Modality
    size: str
    dim: Count
    network: Transformer | Convolutional
    preprocess: Preprocess | None = None
    window: WindowSpec | None = None

    def __post_init__(self) -> None:
        """Check what fields promise each other."""
        expected, found = SPEC_OF_MODALITY[self.modality], type(self.preprocess)
        is_text = self.modality is Modality.TEXT
        if found is not expected and not (is_text and self.preprocess is None):
            raise ConfigError(
                f"the {self.modality} encoder's preprocess is {found.__name__}, "
                f"expected {expected.__name__}"
            )
        if (self.window is None) != is_text:
            raise ConfigError(
                f"the {self.modality} encoder's window is {self.window}; every modality but text "
                "has one"
            )
        if is_text and isinstance(self.network, Convolutional):
            raise ConfigError("there is no convolutional text encoder; use a transformer size")
        if isinstance(self.preprocess, TextSpec) and isinstance(self.network, Transformer):
            self._check_context(self.preprocess, self.network)

    def _check_context(self, text: TextSpec, network: Transformer) -> None:
        if text.max_tokens > network.context:
            raise ConfigError(
                f"the text encoder's max_tokens is {text.max_tokens}, expected at most its "
                f"context of {network.context}"
            )

    @property
    def family(self) -> str:
        """Kind of the network: "transformer" or "conv"."""
        return "transformer" if isinstance(self.network, Transformer) else "conv"


def input_specs(config: EncoderConfig) -> tuple[TensorSpec, ...]:
    """Names, dtypes and shapes of what the encoder takes; they are its graph's inputs too."""
    if config.modality is Modality.TEXT:
        return tuple(
            TensorSpec(name=name, dtype="int64", shape=("batch", "tokens"))
            for name in ("input_ids", "attention_mask")
        )
    return encoder_spec(config).inputs


def encoder_spec(config: EncoderConfig) -> EncoderSpec:
    """The manifest's entry of the encoder; its graph is called after its modality.

    Raises:
        ConfigError: for text without a tokenizer.
    """
    if config.preprocess is None:
        raise ConfigError(
            "the text encoder has no tokenizer yet; set its preprocess to the TextSpec of one"
        )
    is_text = config.modality is Modality.TEXT
    spec = EncoderSpec(
        onnx=f"{config.modality}.onnx",
        inputs=input_specs(config) if is_text else (_features("batch"),),
        output=TensorSpec(name="embedding", dtype="float32", shape=("batch", config.dim)),
        preprocess=config.preprocess,
        window=config.window,
    )
    if is_text:
        return spec
    return msgspec.structs.replace(spec, inputs=(_features("batch", *features_shape(spec)),))


def _features(*shape: int | str) -> TensorSpec:
    return TensorSpec(name="features", dtype="float32", shape=shape)
