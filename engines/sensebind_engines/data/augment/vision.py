# SPDX-License-Identifier: Apache-2.0
"""RandAugment-class changes of colour pictures, with Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensebind_engines.data.augment.config import VisionAugment

    Operation = Callable[[Image.Image, float], Image.Image]

_MOST_ENHANCED = 0.9
_MOST_DEGREES = 30.0
_MOST_SHEAR = 0.3
"""Ranges of the list that AutoAugment introduced (Cubuk et al. 2019) and RandAugment kept."""


def _enhance(kind: Callable[[Image.Image], ImageEnhance._Enhance]) -> Operation:
    return lambda image, strength: kind(image).enhance(1.0 + _MOST_ENHANCED * strength)


def _towards(change: Callable[[Image.Image], Image.Image]) -> Operation:
    """A change of fixed size, blended in by its strength."""
    return lambda image, strength: Image.blend(image, change(image), abs(strength))


def _posterize(image: Image.Image, strength: float) -> Image.Image:
    return ImageOps.posterize(image, 8 - round(4 * abs(strength)))


def _solarize(image: Image.Image, strength: float) -> Image.Image:
    return ImageOps.solarize(image, 256 - round(256 * abs(strength)))


def _rotate(image: Image.Image, strength: float) -> Image.Image:
    return image.rotate(_MOST_DEGREES * strength, Image.Resampling.BILINEAR)


def _shear(image: Image.Image, strength: float) -> Image.Image:
    slope = _MOST_SHEAR * strength
    matrix = (1.0, slope, -slope * image.height / 2, 0.0, 1.0, 0.0)
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


PHOTOMETRIC: tuple[Operation, ...] = (
    _enhance(ImageEnhance.Brightness),
    _enhance(ImageEnhance.Contrast),
    _enhance(ImageEnhance.Color),
    _enhance(ImageEnhance.Sharpness),
    _towards(ImageOps.autocontrast),
    _towards(ImageOps.equalize),
    _posterize,
    _solarize,
)
GEOMETRIC: tuple[Operation, ...] = (_rotate, _shear)


def augment_picture(
    picture: NDArray[np.uint8], amount: VisionAugment, rng: np.random.Generator, *, aligned: bool
) -> NDArray[np.uint8]:
    """A changed copy of RGB pixels uint8 (h, w, 3).

    Args:
        picture: what is changed.
        amount: how far.
        rng: draws everything.
        aligned: other frames of the item must go on showing the same view.
    """
    image = Image.fromarray(picture)
    choice = PHOTOMETRIC + (GEOMETRIC if amount.geometric and not aligned else ())
    for number in rng.integers(len(choice), size=amount.operations):
        sign = rng.choice((-1.0, 1.0))
        image = choice[number](image, sign * amount.magnitude)
    if rng.random() < amount.grey:
        image = image.convert("L").convert("RGB")
    return np.asarray(image)
