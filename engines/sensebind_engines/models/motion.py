# SPDX-License-Identifier: Apache-2.0
"""IMU units brought to a network's range, inside the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

GRAVITY_M_S2 = 9.81
TURN_RAD_S = 2.0
COMPRESSION = 2.0


def motion_scale() -> Tensor:
    """Factor per channel, float32 (6, 1): ax ay az in m/s^2, gx gy gz in rad/s."""
    scale = [COMPRESSION / GRAVITY_M_S2] * 3 + [COMPRESSION / TURN_RAD_S] * 3
    return torch.tensor(scale)[:, None]


def compress(scaled: Tensor) -> Tensor:
    """Signed logarithm: shocks reach 30 times gravity, and quiet motion stays in one range."""
    return scaled.sign() * torch.log1p(scaled.abs())


def compress_motion(features: Tensor) -> Tensor:
    """Scale and compress float32 (batch, 6, points)."""
    return compress(features * motion_scale().to(features))
