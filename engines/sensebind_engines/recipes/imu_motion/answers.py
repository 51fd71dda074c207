# SPDX-License-Identifier: Apache-2.0
"""What encoders and baselines say of windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind import Bundle
from sensebind.bundle_folder import open_bundle
from sensebind.types import Modality
from sensebind.zero_shot import ZeroShot
from sensebind_engines.export.check import run_graph
from sensebind_engines.recipes.imu_motion.baselines import NearestMean, Regression

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.specs import EncoderSpec
    from sensebind_engines.recipes.imu_motion.baselines import Baseline
    from sensebind_engines.recipes.imu_motion.windows import Windows

    Prompts = Mapping[str, Sequence[str]]
    Vectors = NDArray[np.float32]

_BATCH = 256


class Trained:
    """The exported encoders of several seeds, in one space.

    Attributes:
        seeds: of the encoders; the first is the one that is shipped.
        spec: of all of them.
        parameters: numbers in the first one's graph.
    """

    def __init__(self, bundles: Mapping[int, Path]) -> None:
        self.seeds = tuple(bundles)
        self._folders = [open_bundle(path) for path in bundles.values()]
        self.spec: EncoderSpec = self._folders[0].manifest.encoders[Modality.IMU]
        self._graphs = [(folder.path / self.spec.onnx).read_bytes() for folder in self._folders]

    @property
    def encoder_ids(self) -> list[str]:
        """Of every seed's encoder."""
        return [folder.manifest.encoder_id(Modality.IMU) for folder in self._folders]

    @property
    def training(self) -> dict[str, object]:
        """What the first one's run recorded of itself."""
        return dict(self._folders[0].manifest.training)

    def vectors(self, windows: Windows) -> list[Vectors]:
        """Embeddings (n, dim) by every seed's graph as it is shipped."""
        return [_embedded(graph, windows.features) for graph in self._graphs]

    def prototypes(self, prompts: Prompts) -> Vectors:
        """Mean text embedding of every class (classes, dim), text tower as shipped."""
        with Bundle.load(str(self._folders[0].path)) as bundle:
            return ZeroShot(bundle, prompts).prototypes


class Said(NamedTuple):
    """Answers of every seed.

    Attributes:
        cosines: of every seed (n, classes).
        labels: the classes.
    """

    cosines: tuple[NDArray[np.float32], ...]
    labels: tuple[str, ...]

    @property
    def names(self) -> list[NDArray[np.str_]]:
        """The nearest class of every window, by seed."""
        return [np.array(self.labels)[each.argmax(axis=1)] for each in self.cosines]

    def credit(self, windows: Windows) -> NDArray[np.bool_]:
        """Which windows every seed named rightly, (seeds, n)."""
        return np.stack([names == windows.labels for names in self.names])


def say(vectors: Sequence[Vectors], prototypes: Vectors, labels: tuple[str, ...]) -> Said:
    """Compare windows with classes."""
    return Said(tuple(each @ prototypes.T for each in vectors), labels)


def fit_baselines(windows: Windows, labels: tuple[str, ...]) -> dict[str, Baseline]:
    """Baselines by what they are called, on the training windows."""
    truth = windows.truth(labels)
    return {
        "logistic regression on 18 statistics": Regression(windows.features, truth),
        "nearest class mean of 18 statistics": NearestMean(windows.features, truth),
    }


def _embedded(graph: bytes, features: NDArray[np.float32]) -> Vectors:
    parts = [features[at : at + _BATCH] for at in range(0, len(features), _BATCH)]
    return np.concatenate([run_graph(graph, {"features": part}) for part in parts])
