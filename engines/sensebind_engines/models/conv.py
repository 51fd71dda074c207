# SPDX-License-Identifier: Apache-2.0
"""Small convolutional encoders of pictures and spectrograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from sensebind_engines.models.config import Convolutional


class PictureConv(nn.Module):
    """Strided convolutions, pooled over the picture by mean and maximum, then two layers."""

    def __init__(self, sizes: Convolutional, channels: int, dim: int) -> None:
        super().__init__()
        self.convolutions = _convolutions(sizes, channels)
        self.head = _head(2 * sizes.widths[-1], sizes.hidden, dim)

    def forward(self, features: Tensor) -> Tensor:
        """Map float32 (batch, [frames,] channels, height, width) to (batch, dim)."""
        states = self.convolutions(features.flatten(1, -3))
        return self.head(torch.cat([states.mean((-2, -1)), states.amax((-2, -1))], dim=-1))


class SpectrogramConv(nn.Module):
    """Strided convolutions, pooled over time alone: a sound moved in pitch is another sound."""

    def __init__(self, sizes: Convolutional, mel_bins: int, dim: int) -> None:
        super().__init__()
        self.convolutions = _convolutions(sizes, 1)
        rows = mel_bins
        for _ in sizes.widths:
            rows = (rows + 1) // 2
        self.head = _head(2 * sizes.widths[-1] * rows, sizes.hidden, dim)

    def forward(self, features: Tensor) -> Tensor:
        """Map float32 (batch, 1, mel_bins, frames) to (batch, dim)."""
        states = self.convolutions(features)
        pooled = torch.cat([states.mean(-1), states.amax(-1)], dim=1)
        return self.head(pooled.flatten(1))


def _convolutions(sizes: Convolutional, channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width, kernel in zip(sizes.widths, sizes.kernels, strict=True):
        layers += [
            nn.Conv2d(channels, width, kernel, stride=2, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(width),
            nn.GELU(),
        ]
        channels = width
    return nn.Sequential(*layers)


def _head(inputs: int, hidden: int, dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, dim))
