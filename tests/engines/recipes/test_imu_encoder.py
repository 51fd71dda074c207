# SPDX-License-Identifier: Apache-2.0
"""Training of the IMU encoder on toy windows, its prompts, augmentation and baseline."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

import torch

from sensebind_engines.recipes import imu_encoder
from sensebind_engines.recipes.imu_augment import (
    ImuAugmentation,
    augment,
    mirror_left_right,
    rotation_matrices,
)
from sensebind_engines.recipes.imu_baseline import StatisticsBaseline
from sensebind_engines.recipes.simulation.labels import CLASSES
from sensebind_engines.recipes.simulation.windows import WindowSet
from sensebind_engines.training.loop import Schedule

SHORT = Schedule(steps=12, warmup_steps=3, learning_rate=3e-3)


def _toy_windows(per_class: int = 4) -> WindowSet:
    """Windows whose class is a level on one channel."""
    rng = np.random.default_rng(0)
    labels = np.repeat(CLASSES, per_class)
    features = rng.normal(0.0, 0.5, (len(labels), 2, 6, 400)).astype(np.float32)
    for row, label in enumerate(labels):
        features[row, :, CLASSES.index(label) % 6] += 5.0 if label != CLASSES[-1] else -5.0
    splits = np.full(len(labels), "train")
    return WindowSet(features, labels, splits, np.arange(len(labels)))


def _toy_texts() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    texts = np.random.default_rng(1).normal(size=(len(CLASSES), 3, 384))
    texts /= np.linalg.norm(texts, axis=2, keepdims=True)
    return texts.astype(np.float32)


def test_short_training_reduces_the_loss_and_repeats_bit_for_bit() -> None:
    windows, texts = _toy_windows(), _toy_texts()
    first, again = (
        imu_encoder.train_imu_encoder(windows, texts, seed=3, schedule=SHORT) for _ in range(2)
    )
    assert np.mean(first.losses[-3:]) < 0.8 * np.mean(first.losses[:3])
    assert first.losses == again.losses
    for name, weight in first.encoder.state_dict().items():
        assert torch.equal(weight, again.encoder.state_dict()[name]), name
    vectors = imu_encoder.embed_windows(first.encoder, windows.features[:, 0])
    assert vectors.shape == (len(windows.labels), 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-6)


def test_no_prompt_is_used_twice() -> None:
    prompts = imu_encoder.load_prompts()
    uses = (prompts.train, prompts.dev, prompts.test, prompts.demo, prompts.unseen)
    texts = [text.lower() for use in uses for texts in use.values() for text in texts]
    assert len(set(texts)) == len(texts)
    for use in uses[:4]:
        assert tuple(use) == CLASSES
    assert all(len(texts) >= 6 for texts in prompts.train.values())
    assert {len(texts) for texts in prompts.train.values()} == {8}


def test_rotations_are_rotations() -> None:
    quarter = rotation_matrices(torch.tensor([[0.0, 0.0, torch.pi / 2]]))[0]
    assert quarter.numpy() == pytest.approx(np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), abs=1e-6)


def test_mirror_keeps_forward_motion_and_reverses_turning() -> None:
    features = torch.arange(12.0).reshape(1, 6, 2) + 1.0
    mirrored = mirror_left_right(features)
    signs = (mirrored / features)[0, :, 0]
    assert signs.tolist() == [1.0, -1.0, 1.0, -1.0, 1.0, -1.0]
    assert torch.equal(mirror_left_right(mirrored), features)


def test_augmentation_without_amounts_changes_nothing() -> None:
    features = torch.randn(3, 6, 50, generator=torch.Generator().manual_seed(0))
    nothing = ImuAugmentation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    generator = torch.Generator().manual_seed(1)
    assert torch.allclose(augment(features, generator, nothing), features, atol=1e-6)
    changed = augment(features, generator, ImuAugmentation())
    assert not torch.allclose(changed, features, atol=1e-3)


def test_baseline_learns_levels_and_ignores_the_sense_of_turning() -> None:
    rng = np.random.default_rng(0)
    classes = np.arange(60) % 2
    features = rng.normal(0.0, 0.1, (60, 6, 50)).astype(np.float32)
    features[classes == 1, 5] += rng.choice([-2.0, 2.0], 30)[:, None]
    baseline = StatisticsBaseline(features[:40], classes[:40])
    assert (baseline.predict(features[40:]) == classes[40:]).all()
