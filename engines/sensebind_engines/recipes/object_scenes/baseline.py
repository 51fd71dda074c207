# SPDX-License-Identifier: Apache-2.0
"""The nearest class mean on simple statistics of what an encoder gets: what it has to beat.

Unlike the encoders it is told the class of every training picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind_engines.data.config import DataConfig
from sensebind_engines.data.paired import ManifestData

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.specs import EncoderSpec
    from sensebind.types import Modality

    Floats = NDArray[np.float64]

BINS = 16
"""Of a picture's values, between the 1st and 99th percentile of all training pictures."""


def baseline_said(
    manifest: Path, modality: Modality, spec: EncoderSpec, split: str
) -> tuple[list[str], list[str]]:
    """Classes of a split's pictures, and what the nearest class mean says.

    Statistics are mean, deviation and histogram, each standardised by its training deviation.

    Args:
        manifest: the recipe's rows.
        modality: which picture.
        spec: the encoder's front end.
        split: what is named; the means are those of "train".

    Returns:
        the truth and the answers (n,), in the order of the manifest.
    """
    known, labels = _pictures(manifest, modality, spec, "train")
    asked, truth = _pictures(manifest, modality, spec, split)
    low, high = np.percentile(known, (1, 99))
    edges = np.linspace(low, high, BINS + 1)
    known_values, asked_values = _statistics(known, edges), _statistics(asked, edges)
    mean, deviation = known_values.mean(axis=0), known_values.std(axis=0) + 1e-9
    known_values, asked_values = (
        (values - mean) / deviation for values in (known_values, asked_values)
    )
    names = sorted(set(labels))
    own = np.array(labels)
    means = np.stack([known_values[own == name].mean(axis=0) for name in names])
    distance = ((asked_values[:, None] - means[None]) ** 2).sum(axis=-1)
    return truth, [names[place] for place in distance.argmin(axis=1)]


def _pictures(
    manifest: Path, modality: Modality, spec: EncoderSpec, split: str
) -> tuple[NDArray[np.float32], list[str]]:
    """Features of a split's pictures, float32 (n, side, side), and their classes."""
    config = DataConfig(manifest=manifest.name, split=split, windows="one")
    data = ManifestData(config, {modality: spec}, folder=manifest.parent)
    pictures: list[NDArray[np.float32]] = []
    labels: list[str] = []
    for index in range(len(data)):
        (features,) = data.batch(np.array([index]), None).features[modality].values()
        pictures.append(features.numpy()[0, 0])
        labels += data.item(index).entry.row.labels(modality)
    return np.stack(pictures), labels


def _statistics(pictures: NDArray[np.float32], edges: Floats) -> Floats:
    return np.stack([_statistics_of(picture, edges) for picture in pictures])


def _statistics_of(picture: NDArray[np.float32], edges: Floats) -> Floats:
    values = picture.astype(np.float64)
    counts, _ = np.histogram(values.clip(edges[0], edges[-1]), edges)
    return np.concatenate([[values.mean(), values.std()], counts / values.size])
