# SPDX-License-Identifier: Apache-2.0
"""How well each window of test sounds fits each class: by an encoder, and by simple statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from sensebind import Bundle
from sensebind.specs import LogMelSpec
from sensebind.types import Modality
from sensebind.zero_shot import ZeroShot
from sensebind_engines.data.config import DataConfig
from sensebind_engines.data.paired import ManifestData
from sensebind_engines.evaluation.embedding import clusters, embed_entries
from sensebind_engines.evaluation.opening import open_entries
from sensebind_engines.evaluation.probe import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.specs import EncoderSpec
    from sensebind_engines.data.items import Item

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Prompts = Mapping[str, Sequence[str]]


class Scored(NamedTuple):
    """Windows, or clips, and how well each fits each class: float64 (n, classes)."""

    items: list[Item]
    labels: tuple[str, ...]
    scores: Floats

    @property
    def truth(self) -> Ints:
        """Number of each one's class."""
        return np.array([self.labels.index(label_of(item)) for item in self.items], np.int64)

    @property
    def groups(self) -> Ints:
        """Which of them are of one recording."""
        return np.asarray(clusters(self.items))

    @property
    def said(self) -> NDArray[np.str_]:
        """The class each fits best."""
        return np.array([self.labels[place] for place in self.scores.argmax(axis=1)], np.str_)

    @property
    def credit(self) -> Floats:
        """1 where the best class is the true one."""
        return np.asarray(self.scores.argmax(axis=1) == self.truth, np.float64)

    def among(self, labels: Collection[str]) -> Scored:
        """The same with fewer classes to choose from."""
        kept = [place for place, label in enumerate(self.labels) if label in labels]
        names = tuple(self.labels[place] for place in kept)
        return Scored(self.items, names, self.scores[:, kept])


def label_of(item: Item) -> str:
    """The class of a window's sound."""
    return item.entry.row.labels(Modality.AUDIO)[0]


def score_encoder(
    manifest: Path,
    bundle_name: str,
    prompts: Prompts,
    split: str,
    modality: Modality = Modality.AUDIO,
) -> Scored:
    """Cosines of the windows of a split with the mean prompt of every class.

    Args:
        manifest: the data.
        bundle_name: name or folder of the bundle that embeds them.
        prompts: wordings by class.
        split: of the manifest.
        modality: the sense whose windows are scored.

    Raises:
        InputError: naming the row and file that cannot be used.
    """
    entries, _ = open_entries(str(manifest), split)
    with Bundle.load(bundle_name) as bundle:
        found = embed_entries(bundle, entries)
        prototypes = ZeroShot(bundle, {k: list(v) for k, v in prompts.items()}).prototypes
    items = [found.items[number] for number in found.owners[modality]]
    scores = found.vectors[modality] @ prototypes.T.astype(np.float64)
    return Scored(items, tuple(prompts), scores)


class Statistics:
    """Logistic regression on standardised means and deviations of the log-mel bands.

    Args:
        manifest: trained on its split "train"; a file that several rows name is taken once.
        bundle_name: whose audio features are taken.

    Raises:
        InputError: naming the row and file that cannot be used.
    """

    def __init__(self, manifest: Path, bundle_name: str) -> None:
        with Bundle.load(bundle_name) as bundle:
            self._spec = _without_padding(bundle.manifest.encoders[Modality.AUDIO])
        self._manifest = manifest
        self._items, self._rows = self._read("train")

    def score(self, split: str, labels: Sequence[str]) -> Scored:
        """Logarithms of the classes' probabilities for the windows of a split.

        Args:
            split: what is scored; its classes are among `labels`.
            labels: the classes; training rows of others are left out.

        Raises:
            InputError: naming the row and file that cannot be used.
        """
        named = [label_of(item) for item in self._items]
        own = [place for place, label in enumerate(named) if label in labels]
        truth = np.array([labels.index(named[place]) for place in own], np.int64)
        known = self._rows[own]
        mean, deviation = known.mean(axis=0), known.std(axis=0) + 1e-9
        model = LogisticRegression((known - mean) / deviation, truth, len(labels))
        items, asked = self._read(split)
        logits = model.scores((asked - mean) / deviation)
        logits -= logits.max(axis=1, keepdims=True)
        likely = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return Scored(items, tuple(labels), likely)

    def _read(self, split: str) -> tuple[list[Item], Floats]:
        """Windows with the mean and standard deviation of each band: float64 (n, 2 bands)."""
        data = ManifestData(
            DataConfig(manifest=self._manifest.name, split=split),
            {Modality.AUDIO: self._spec},
            folder=self._manifest.parent,
        )
        items: list[Item] = []
        rows = []
        owner: dict[str, int] = {}
        for index in range(len(data)):
            item = data.item(index)
            (name,) = item.entry.names([Modality.AUDIO])
            if owner.setdefault(name, item.entry.number) != item.entry.number:
                continue
            (features,) = data.batch(np.array([index]), None).features[Modality.AUDIO].values()
            bands = features.numpy()[0, 0].astype(np.float64)
            items.append(item)
            rows.append(np.concatenate([bands.mean(axis=1), bands.std(axis=1)]))
        return items, np.stack(rows)


def by_clip(windows: Scored) -> Scored:
    """The mean of each clip's windows; for unit vectors the same order as their mean vector."""
    numbers = np.array([item.entry.number for item in windows.items])
    _, first, clip = np.unique(numbers, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), windows.scores.shape[1]))
    np.add.at(sums, clip, windows.scores)
    means = sums / np.bincount(clip)[:, np.newaxis]
    return Scored([windows.items[place] for place in first], windows.labels, means)


def _without_padding(spec: EncoderSpec) -> EncoderSpec:
    """The same features with as many columns as the window has frames."""
    front_end, window = spec.preprocess, spec.window
    assert isinstance(front_end, LogMelSpec)
    assert window is not None
    frames = 1 + round((window.length_s - front_end.frame_length_s) / front_end.frame_shift_s)
    return msgspec.structs.replace(
        spec, preprocess=msgspec.structs.replace(front_end, frames=frames)
    )
