# SPDX-License-Identifier: Apache-2.0
"""Motions that statistics tell apart, in the place of simulated episodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind_engines.recipes.imu_motion.dataset import build_from
from sensebind_engines.recipes.simulation.episodes import Episode, Job, WindowRow
from sensebind_engines.recipes.simulation.labels import CLASSES, UNSEEN_CLASS
from sensebind_engines.recipes.simulation.sensors import ImuRecording

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RATE_HZ = 100


def fake_episode(job: Job) -> Episode | None:
    """Five seconds of noise about a level on the channel of the intent; two windows."""
    rng = np.random.default_rng([job.number, len(job.split)])
    names = (*CLASSES, UNSEEN_CLASS)
    stamps_s = 0.25 + np.arange(5 * RATE_HZ) / RATE_HZ
    samples = rng.normal(0.0, 0.3, (len(stamps_s), 6))
    number = names.index(job.intent)
    samples[:, number % 6] += 8.0 * (1 + number // 6)
    windows = tuple(WindowRow(float(start), job.intent) for start in range(2))
    return Episode(job, "plane", ImuRecording(stamps_s, samples.astype(np.float32)), windows)


def build_fakes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipe's folder, of two such episodes per class and split."""
    monkeypatch.setattr(
        "sensebind_engines.recipes.imu_motion.dataset.simulate_episode", fake_episode
    )
    jobs = [
        Job(0, split, intent, number)
        for split in ("train", "dev", "test", "shift")
        for intent in (*CLASSES, UNSEEN_CLASS)
        for number in range(2)
        if intent != UNSEEN_CLASS or split in ("test", "shift")
    ]
    return build_from(jobs, folder / "data", folder / "cache", processes=1)
