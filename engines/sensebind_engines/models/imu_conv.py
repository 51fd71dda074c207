# SPDX-License-Identifier: Apache-2.0
"""A small convolutional IMU encoder: six channels of body motion in, a unit vector out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sensebind_engines.models.motion import compress, motion_scale


@dataclass(frozen=True)
class ImuConvSize:
    """Sizes of the network; the defaults are the demo bundle's.

    Attributes:
        widths: channels of the convolutions; each halves the time axis.
        kernels: their lengths, as many as widths.
        hidden: width of the layer between pooling and embedding.
        dim: length of the embedding.
    """

    widths: tuple[int, ...] = (32, 48, 64, 96)
    kernels: tuple[int, ...] = (9, 7, 5, 5)
    hidden: int = 192
    dim: int = 384


class ImuConv(nn.Module):
    """Strided convolutions, pooled over time by mean and maximum, then two linear layers.

    Takes calibrated features as the runtime makes them, float32 (batch, 6, T): ax ay az in
    m/s^2, gx gy gz in rad/s; scaling and compression are part of the graph. Returns float32
    (batch, dim) of unit length.
    """

    scale: Tensor

    def __init__(self, size: ImuConvSize | None = None) -> None:
        super().__init__()
        size = size or ImuConvSize()
        self.register_buffer("scale", motion_scale(), persistent=False)
        layers: list[nn.Module] = []
        before = 6
        for width, kernel in zip(size.widths, size.kernels, strict=True):
            layers += [
                nn.Conv1d(before, width, kernel, stride=2, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(width),
                nn.GELU(),
            ]
            before = width
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Linear(2 * before, size.hidden), nn.GELU(), nn.Linear(size.hidden, size.dim)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Embed a batch of windows."""
        return functional.normalize(self.embed(features), dim=-1)

    def embed(self, features: Tensor) -> Tensor:
        """What `forward` returns, before it is brought to length 1."""
        states = self.convolutions(compress(features * self.scale))
        pooled = torch.cat([states.mean(-1), states.amax(-1)], -1)
        return self.head(pooled)
