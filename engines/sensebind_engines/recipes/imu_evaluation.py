# SPDX-License-Identifier: Apache-2.0
"""How well text-bound IMU embeddings name simulated windows, measured, and told in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

from sensebind_engines.evaluation import metrics
from sensebind_engines.recipes.imu_baseline import StatisticsBaseline
from sensebind_engines.recipes.simulation.labels import CLASSES, UNSEEN_CLASS
from sensebind_engines.recipes.simulation.windows import INPUT_RATES_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sensebind_engines.recipes.imu_encoder import Prompts
    from sensebind_engines.recipes.simulation.windows import WindowSet

    Embed = Callable[[NDArray[np.float32]], NDArray[np.float32]]
    EmbedTexts = Callable[[Sequence[str]], NDArray[np.float32]]

BORDERLINE = "borderline"
EVALUATED_SPLITS = ("train", "dev", "test", "shift")
CHANCE = 1.0 / len(CLASSES)
NOISY_M_S2, NOISY_RAD_S = 0.07, 0.008
"""White noise per feature that stands for a poor IMU: 700 ug and 0.046 degrees/s per sqrt(Hz)."""


class Score(TypedDict):
    """Top-1 over `CLASSES`: counts, accuracy, mean recall over classes, recall per class."""

    windows: int
    episodes: int
    accuracy: float
    balanced: float
    recall: dict[str, float]


class SeedFigures(TypedDict):
    """Everything measured of one trained encoder."""

    seed: int
    splits: dict[str, Score]
    input_rates: dict[str, dict[str, float]]
    noisy_imu: dict[str, float]
    single_prompt: dict[str, list[float]]
    demo_prompts: dict[str, float]
    train_prompts: dict[str, float]
    unseen_recall: dict[str, float]
    unseen_named: dict[str, dict[str, int]]
    borderline_smooth: dict[str, float]


class Figures(TypedDict):
    """Everything EVALUATION.md tells of the IMU encoder."""

    seeds: list[SeedFigures]
    baseline: dict[str, Score]
    dropped: dict[str, int]
    borderline: dict[str, int]
    unseen: dict[str, int]


def prototypes(prompts: dict[str, list[str]], embed_texts: EmbedTexts) -> NDArray[np.float32]:
    """Mean unit text embedding of each class, (classes, dim), in the order of `prompts`."""
    rows = []
    for texts in prompts.values():
        mean = embed_texts(texts).mean(axis=0)
        rows.append(mean / np.linalg.norm(mean))
    return np.stack(rows)


def score(predicted: NDArray[np.int64], windows: WindowSet) -> Score:
    """Compare predicted class numbers with the labels of windows of `CLASSES`."""
    truth = np.array([CLASSES.index(label) for label in windows.labels])
    right = (predicted == truth).astype(np.float64)
    found = metrics.recalls(right, truth, len(CLASSES))
    recall = {
        label: float(value)
        for label, value in zip(CLASSES, found, strict=True)
        if np.isfinite(value)
    }
    return Score(
        windows=len(truth),
        episodes=len(np.unique(windows.episodes)),
        accuracy=float(right.mean()),
        balanced=metrics.balanced(right, truth, len(CLASSES)),
        recall=recall,
    )


def measure_seed(
    seed: int, windows: WindowSet, embed: Embed, prompts: Prompts, embed_texts: EmbedTexts
) -> SeedFigures:
    """Measure one encoder on all splits.

    Dev is scored with the dev paraphrases, everything else with the test paraphrases.

    Args:
        seed: of the encoder, for the record.
        windows: all windows, with the unseen class and the borderline ones.
        embed: features (n, 6, T) to embeddings (n, dim).
        prompts: the committed texts.
        embed_texts: the text tower as it is deployed.
    """
    use = {"dev": prompts.dev}
    tables = {
        split: prototypes(use.get(split, prompts.test), embed_texts) for split in EVALUATED_SPLITS
    }
    known = {split: _known(windows, split) for split in EVALUATED_SPLITS}
    vectors = {split: embed(known[split].features[:, 0]) for split in EVALUATED_SPLITS}

    def balanced(split: str, table: NDArray[np.float32]) -> float:
        return score(_nearest(vectors[split], table), known[split])["balanced"]

    return SeedFigures(
        seed=seed,
        splits={
            split: score(_nearest(vectors[split], tables[split]), known[split])
            for split in EVALUATED_SPLITS
        },
        input_rates=_by_input_rate(known, embed, tables),
        noisy_imu={
            split: score(_nearest(embed(_noisy(known[split])), tables[split]), known[split])[
                "balanced"
            ]
            for split in ("test", "shift")
        },
        single_prompt={
            split: [balanced(split, table) for table in _single_prompts(prompts.test, embed_texts)]
            for split in ("test", "shift")
        },
        demo_prompts={
            split: balanced(split, prototypes(prompts.demo, embed_texts))
            for split in ("test", "shift")
        },
        train_prompts={
            split: balanced(split, prototypes(prompts.train, embed_texts))
            for split in ("test", "shift")
        },
        **_beyond_the_classes(windows, embed, tables["test"], prompts, embed_texts),
    )


def measure_baseline(windows: WindowSet) -> dict[str, Score]:
    """Fit the statistics baseline on the training windows and score it on every split."""
    train = _known(windows, "train")
    classes = np.array([CLASSES.index(label) for label in train.labels])
    baseline = StatisticsBaseline(train.features[:, 0], classes)
    return {
        split: score(baseline.predict(known.features[:, 0]), known)
        for split in EVALUATED_SPLITS
        for known in [_known(windows, split)]
    }


def count_windows(windows: WindowSet, label: str) -> dict[str, int]:
    """Number of windows with a label in each split."""
    return {
        split: int(((windows.labels == label) & (windows.splits == split)).sum())
        for split in EVALUATED_SPLITS
    }


def _known(windows: WindowSet, split: str) -> WindowSet:
    return windows.select((windows.splits == split) & np.isin(windows.labels, CLASSES))


def _nearest(vectors: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.asarray((vectors @ table.T).argmax(axis=1))


def _noisy(windows: WindowSet) -> NDArray[np.float32]:
    """The features with the noise of a poor IMU added, the same every time."""
    sigma = np.repeat([NOISY_M_S2, NOISY_RAD_S], 3)[:, None]
    features = windows.features[:, 0]
    noise = sigma * np.random.default_rng(0).normal(size=features.shape)
    return np.asarray(features + noise, np.float32)


def _single_prompts(
    prompts: dict[str, list[str]], embed_texts: EmbedTexts
) -> list[NDArray[np.float32]]:
    """One table per place in the lists: the first text of every class, the second, ..."""
    count = min(len(texts) for texts in prompts.values())
    return [
        prototypes({label: [texts[place]] for label, texts in prompts.items()}, embed_texts)
        for place in range(count)
    ]


def _by_input_rate(
    known: dict[str, WindowSet], embed: Embed, tables: dict[str, NDArray[np.float32]]
) -> dict[str, dict[str, float]]:
    """Balanced accuracy per split for features made from slower IMUs."""
    return {
        split: {
            str(rate_hz): score(
                _nearest(embed(known[split].features[:, place]), tables[split]), known[split]
            )["balanced"]
            for place, rate_hz in enumerate(INPUT_RATES_HZ)
        }
        for split in ("test", "shift")
    }


class _Beyond(TypedDict):
    unseen_recall: dict[str, float]
    unseen_named: dict[str, dict[str, int]]
    borderline_smooth: dict[str, float]


def _beyond_the_classes(
    windows: WindowSet,
    embed: Embed,
    table: NDArray[np.float32],
    prompts: Prompts,
    embed_texts: EmbedTexts,
) -> _Beyond:
    """The unseen class offered as one more prompt, and rides between smooth and rough."""
    wider = np.concatenate([table, prototypes(prompts.unseen, embed_texts)])
    names = (*CLASSES, UNSEEN_CLASS)
    out = _Beyond(unseen_recall={}, unseen_named={}, borderline_smooth={})
    for split in ("test", "shift"):
        unseen = windows.select((windows.labels == UNSEEN_CLASS) & (windows.splits == split))
        named = _nearest(embed(unseen.features[:, 0]), wider)
        out["unseen_recall"][split] = float((named == len(CLASSES)).mean())
        counts = np.bincount(named, minlength=len(names))
        out["unseen_named"][split] = {
            name: int(n) for name, n in zip(names, counts, strict=True) if n
        }
        border = windows.select((windows.labels == BORDERLINE) & (windows.splits == split))
        named = _nearest(embed(border.features[:, 0]), table)
        out["borderline_smooth"][split] = float((named == CLASSES.index("smooth")).mean())
    return out
