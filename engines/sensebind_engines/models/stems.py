# SPDX-License-Identifier: Apache-2.0
"""Stems: features of one modality to the tokens a trunk takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sensebind.errors import ConfigError
from sensebind_engines.models.motion import compress_motion

if TYPE_CHECKING:
    from sensebind_engines.models.config import Transformer

FRAMES = 2
"""Frames that a vision stem takes: a clip's, or one picture twice."""

_SMALL_STD = 0.01
_WORD_STD = 0.02


class PatchStem(nn.Module):
    """Patches of a picture or spectrogram, a class token before them, and learned positions."""

    def __init__(self, sizes: Transformer, channels: int, height: int, width: int) -> None:
        super().__init__()
        stride = sizes.stride or sizes.patch
        self.patches = nn.Conv2d(channels, sizes.width, sizes.patch, stride, bias=False)
        rows, columns = (_steps(side, sizes.patch, stride) for side in (height, width))
        self.finish = TokenFinish(sizes, rows * columns, std=sizes.width**-0.5)

    def forward(self, features: Tensor) -> Tensor:
        """Map float32 (batch, channels, height, width) to (batch, 1 + patches, width)."""
        return self.finish(self.patches(features).flatten(2).transpose(1, 2))


class FramesStem(PatchStem):
    """Patches that reach through two frames."""

    def __init__(self, sizes: Transformer, side: int) -> None:
        super().__init__(sizes, FRAMES * 3, side, side)

    def forward(self, features: Tensor) -> Tensor:
        """Map a clip (batch, 2, 3, side, side), or pictures without the frames' axis."""
        if features.ndim == 4:
            return super().forward(torch.cat([features] * FRAMES, dim=1))
        return super().forward(features.flatten(1, 2))


class MotionStem(nn.Module):
    """Stretches of an IMU window, each one token, channel by channel."""

    def __init__(self, sizes: Transformer, channels: int, points: int) -> None:
        super().__init__()
        if points % sizes.patch:
            raise ConfigError(
                f"an IMU window has {points} points, expected a multiple of patch, which is "
                f"{sizes.patch}; change the window's length, its rate or the patch"
            )
        self.steps, self.length = points // sizes.patch, sizes.patch
        self.compress = sizes.motion_scale == "log"
        self.patches = nn.Linear(channels * sizes.patch, sizes.width, bias=False)
        nn.init.xavier_uniform_(self.patches.weight)
        self.finish = TokenFinish(sizes, self.steps, std=_SMALL_STD)

    def forward(self, features: Tensor) -> Tensor:
        """Map float32 (batch, channels, points) to (batch, 1 + stretches, width)."""
        if self.compress:
            features = compress_motion(features)
        stretches = features.unflatten(-1, (self.steps, self.length))
        return self.finish(self.patches(stretches.transpose(1, 2).flatten(2)))


class WordStem(nn.Module):
    """Token ids to word vectors with learned positions."""

    def __init__(self, sizes: Transformer) -> None:
        super().__init__()
        self.words = nn.Embedding(sizes.vocabulary, sizes.width)
        self.positions = nn.Parameter(torch.empty(1, sizes.context, sizes.width))
        nn.init.normal_(self.words.weight, std=_WORD_STD)
        nn.init.normal_(self.positions, std=_SMALL_STD)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Map int64 (batch, tokens) to (batch, tokens, width)."""
        return self.words(input_ids) + self.positions[:, : input_ids.shape[1]]


class TokenFinish(nn.Module):
    """Norm, class token and positions, in the order that `stem_norm` tells."""

    def __init__(self, sizes: Transformer, patches: int, std: float) -> None:
        super().__init__()
        norms = {"none": None, "patches": nn.LayerNorm(sizes.width),
                 "tokens": nn.LayerNorm(sizes.width, eps=sizes.norm_eps)}  # fmt: skip
        self.norm = norms[sizes.stem_norm]
        self.norm_last = sizes.stem_norm == "tokens"
        self.first = nn.Parameter(torch.empty(1, 1, sizes.width))
        self.positions = nn.Parameter(torch.empty(1, 1 + patches, sizes.width))
        nn.init.normal_(self.first, std=sizes.width**-0.5)
        nn.init.normal_(self.positions, std=std)

    def forward(self, patches: Tensor) -> Tensor:
        """Map (batch, patches, width) to (batch, 1 + patches, width)."""
        if self.norm is not None and not self.norm_last:
            patches = self.norm(patches)
        first = self.first.expand(patches.shape[0], -1, -1)
        tokens = torch.cat([first, patches], dim=1) + self.positions
        return self.norm(tokens) if self.norm is not None and self.norm_last else tokens


def _steps(side: int, patch: int, stride: int) -> int:
    if side < patch:
        raise ConfigError(f"patch is {patch}, expected at most the features' side of {side}")
    return math.floor((side - patch) / stride) + 1
