# SPDX-License-Identifier: Apache-2.0
"""Fixed inputs on which the anchor's graphs are compared with their torch modules."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sensebind_engines.models.efficientnet_lite import imagenet_names

ByteArray: TypeAlias = NDArray[np.uint8]

_REPORT = (
    "At 14:05 the left camera lost the {}; the IMU shows a hard bump, the motor current rose to "
    "12.5 A for half a second, and the log says that the vehicle came to rest against something "
    "soft, probably the {} that had been standing near the charging station since the morning."
)
_FRAMES = (
    "{}",
    "a photo of a {}",
    "Is there a {} in front of the robot?",
    "the sound of a {} far away, with rain on the roof",
    "stop before the {}, wait ten seconds, then turn left and drive on slowly",
    "no {}",
    "{}, {}, {}!",
    "The wheels slip on wet grass while the arm reaches for a {}.",
    "a thermal image of a warm {} at night",
    _REPORT,
)
"""One text form per line: words, questions, commands, negation, lists, numbers, long sentences."""

_NAMES_APART = 40
_SIDE = 256


def sentences() -> list[str]:
    """Return 250 varied texts, from one word to about 80 tokens; neighbours differ in form."""
    names = imagenet_names()[::_NAMES_APART]
    return [frame.format(name, name, name) for name in names for frame in _FRAMES]


def pictures(count: int) -> ByteArray:
    """Return RGB pictures, uint8 (count, 256, 256, 3): a disc on a shaded ground, all different.

    They compress well and are made of integers only, so that every machine makes the same.
    """
    y, x = np.indices((_SIDE, _SIDE))
    made = []
    for index in range(count):
        ground = np.stack([x, y, np.full_like(x, 40 * index)], axis=-1) // 2
        row, column = 96 + 16 * (index % 3), 100 + 12 * (index % 5)
        disc = (y - row) ** 2 + (x - column) ** 2 < (30 + 8 * index) ** 2
        colour = np.array([200 - 24 * index, 60 + 16 * index, 30 + 28 * index])
        made.append(np.where(disc[..., None], colour, ground).astype(np.uint8))
    return np.stack(made)
