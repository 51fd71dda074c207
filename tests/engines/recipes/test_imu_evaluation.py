# SPDX-License-Identifier: Apache-2.0
"""Scores of predictions that are known, and the text written from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="evaluation needs the train extra")
pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

from sensebind_engines.recipes import imu_evaluation as evaluation
from sensebind_engines.recipes.imu_encoder import Prompts
from sensebind_engines.recipes.imu_evaluation import BORDERLINE
from sensebind_engines.recipes.imu_report import evaluation_text
from sensebind_engines.recipes.simulation.labels import CLASSES, UNSEEN_CLASS
from sensebind_engines.recipes.simulation.windows import INPUT_RATES_HZ, WindowSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NAMES = (*CLASSES, UNSEEN_CLASS, BORDERLINE)


def _texts(use: str) -> dict[str, list[str]]:
    return {label: [f"{use} {label}", f"{use} {label} again"] for label in CLASSES}


PROMPTS = Prompts(
    train=_texts("a"),
    dev=_texts("b"),
    test=_texts("c"),
    demo=_texts("d"),
    unseen={UNSEEN_CLASS: ["e shaken"]},
)


def _windows() -> WindowSet:
    """Two windows of every label and split; channel 0 says the label, channel 1 the window."""
    rows = [
        (number, label, split)
        for split in evaluation.EVALUATED_SPLITS
        for number, label in enumerate(NAMES)
        for _ in range(2)
    ]
    features = np.zeros((len(rows), len(INPUT_RATES_HZ), 6, 4), np.float32)
    features[:, :, 0] = np.array([number for number, _, _ in rows])[:, None, None]
    return WindowSet(
        features,
        np.array([label for _, label, _ in rows]),
        np.array([split for _, _, split in rows]),
        np.arange(len(rows)) // 2,
    )


def _embed_texts(texts: Sequence[str]) -> NDArray[np.float32]:
    """One axis per class; the unseen class has its own."""
    return np.stack([np.eye(9, dtype=np.float32)[NAMES.index(text.split()[1])] for text in texts])


def _embed(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Right for all classes but the last, which looks like the first; unseen looks like bump."""
    number = features[:, 0].mean(axis=1).round().astype(int)
    number[number == len(CLASSES) - 1] = 0
    number[number == NAMES.index(UNSEEN_CLASS)] = CLASSES.index("bump")
    number[number == NAMES.index(BORDERLINE)] = CLASSES.index("smooth")
    vectors: NDArray[np.float32] = np.eye(9, dtype=np.float32)[number]
    return vectors


@pytest.fixture(scope="module")
def figures() -> evaluation.Figures:
    windows = _windows()
    seeds = [evaluation.measure_seed(s, windows, _embed, PROMPTS, _embed_texts) for s in range(3)]
    return {
        "seeds": seeds,
        "baseline": {split: seeds[0]["splits"][split] for split in evaluation.EVALUATED_SPLITS},
        "dropped": dict.fromkeys(evaluation.EVALUATED_SPLITS, 4),
        "borderline": evaluation.count_windows(windows, BORDERLINE),
        "unseen": evaluation.count_windows(windows, UNSEEN_CLASS),
    }


def test_scores_count_windows_episodes_and_recalls(figures: evaluation.Figures) -> None:
    score = figures["seeds"][0]["splits"]["test"]
    assert (score["windows"], score["episodes"]) == (14, 7)
    assert score["accuracy"] == pytest.approx(6 / 7)
    assert score["balanced"] == pytest.approx(6 / 7)
    assert score["recall"] == dict.fromkeys(CLASSES[:-1], 1.0) | {CLASSES[-1]: 0.0}


def test_balanced_accuracy_weighs_classes_not_windows() -> None:
    labels = np.array(["still"] * 9 + ["spin"])
    windows = WindowSet(np.zeros((10, 1, 6, 1), np.float32), labels, labels, np.arange(10))
    score = evaluation.score(np.zeros(10, np.int64), windows)
    assert score["accuracy"] == pytest.approx(0.9)
    assert score["balanced"] == pytest.approx(0.5)


def test_unseen_and_borderline_windows_are_told_apart(figures: evaluation.Figures) -> None:
    seed = figures["seeds"][0]
    assert seed["unseen_recall"] == {"test": 0.0, "shift": 0.0}
    assert seed["unseen_named"]["test"] == {"bump": 2}
    assert seed["borderline_smooth"] == {"test": 1.0, "shift": 1.0}
    assert figures["unseen"] == dict.fromkeys(evaluation.EVALUATED_SPLITS, 2)


def test_noise_of_a_poor_imu_is_added_to_every_channel() -> None:
    windows = _windows()
    noise = evaluation._noisy(windows) - windows.features[:, 0]
    assert noise[:, :3].std() == pytest.approx(evaluation.NOISY_M_S2, rel=0.1)
    assert noise[:, 3:].std() == pytest.approx(evaluation.NOISY_RAD_S, rel=0.1)


def test_report_tells_the_measured_numbers_and_what_they_are(figures: evaluation.Figures) -> None:
    text = evaluation_text(figures, {"vision_cosine_min": 0.99})
    assert "TEXT-BOUND, SIMULATED" in text
    assert "| test (unseen seeds, same ranges) | 14 | 7 | 0.857 (0.857 to 0.857) |" in text
    assert "Chance 0.143" in text
    assert "'shaken' offered as an eighth" in text
    assert "| vision cosine min | 0.990000 |" in text
    assert max(map(len, text.splitlines())) < 250
