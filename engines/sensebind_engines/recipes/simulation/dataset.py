# SPDX-License-Identifier: Apache-2.0
"""The set of all simulated episodes, built in parallel and kept in a cache folder."""

from __future__ import annotations

import hashlib
import importlib.metadata
import multiprocessing
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.storage import atomic_path
from sensebind_engines.recipes.simulation.domains import SPLITS
from sensebind_engines.recipes.simulation.episodes import (
    WINDOW_S,
    Episode,
    Job,
    simulate_episode,
)
from sensebind_engines.recipes.simulation.labels import DRIVE, UNSEEN_CLASS
from sensebind_engines.recipes.simulation.scripts import INTENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EPISODES = {"train": (60, 160), "dev": (10, 28), "test": (20, 56), "shift": (20, 56)}
"""Episodes per split: of each intent, and of driving and bumping.

Driving gives two classes and a border between them; bumping loses the windows without an impact.
"""

_MANY = (DRIVE, "bump")
_SOURCES = (
    "behaviours",
    "domains",
    "episodes",
    "floors",
    "ground",
    "labels",
    "log",
    "mjcf",
    "robot",
    "scripts",
    "sensors",
)

_PACKAGES = ("mujoco", "numpy", "scipy", "numba")


class EpisodeSet(NamedTuple):
    """All episodes, flat.

    Attributes:
        stamps_s: (samples,) float64, in each episode's own time.
        samples: (samples, 6) float32, as the IMU reported them.
        starts: (episodes + 1,) first sample of each episode, and the end.
        splits, intents, floors: (episodes,) str.
        window_episode: (windows,) index of the episode.
        window_end_s: (windows,) float64 end in the episode's time.
        window_label: (windows,) str class, 'borderline' or ''.
        unstable: () number of episodes dropped because the physics became unstable.
    """

    stamps_s: NDArray[np.float64]
    samples: NDArray[np.float32]
    starts: NDArray[np.int64]
    splits: NDArray[np.str_]
    intents: NDArray[np.str_]
    floors: NDArray[np.str_]
    window_episode: NDArray[np.int64]
    window_end_s: NDArray[np.float64]
    window_label: NDArray[np.str_]
    unstable: NDArray[np.int64]


def all_jobs(seed: int) -> list[Job]:
    """Every episode of the set; the unseen class is in the test splits only."""
    jobs = []
    for split in SPLITS:
        each, many = EPISODES[split]
        for intent in INTENTS:
            if intent == UNSEEN_CLASS and split in ("train", "dev"):
                continue
            count = many if intent in _MANY else each
            jobs += [Job(seed, split, intent, number) for number in range(count)]
    return jobs


def load_episodes(cache: Path, seed: int = 0) -> EpisodeSet:
    """The set of `all_jobs`, from the cache or simulated now (minutes) and cached.

    The cache's name holds a digest of the simulation's sources, the jobs and the versions of the
    packages that could change a number.
    """
    jobs = all_jobs(seed)
    path = cache / f"episodes-{_digest(jobs)}.npz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        episodes = simulate(jobs)
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **episodes._asdict())
    with np.load(path) as archive:
        return EpisodeSet(**{name: archive[name] for name in EpisodeSet._fields})


def simulate(jobs: Sequence[Job], processes: int | None = None) -> EpisodeSet:
    """Simulate jobs on all processors (or `processes`); the order of the result is the jobs'."""
    processes = processes or os.cpu_count() or 1
    if processes == 1:
        return _flatten([simulate_episode(job) for job in jobs])
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return _flatten(list(pool.imap(simulate_episode, jobs, chunksize=4)))


def _flatten(results: Sequence[Episode | None]) -> EpisodeSet:
    episodes = [episode for episode in results if episode is not None]
    windows = [
        (number, float(episode.imu.stamps_s[0]) + window.start_s + WINDOW_S, window.label)
        for number, episode in enumerate(episodes)
        for window in episode.windows
    ]
    lengths = [len(episode.imu.stamps_s) for episode in episodes]
    return EpisodeSet(
        stamps_s=np.concatenate([episode.imu.stamps_s for episode in episodes]),
        samples=np.concatenate([episode.imu.samples for episode in episodes]),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        splits=np.array([episode.job.split for episode in episodes]),
        intents=np.array([episode.job.intent for episode in episodes]),
        floors=np.array([episode.floor for episode in episodes]),
        window_episode=np.array([number for number, _, _ in windows], np.int64),
        window_end_s=np.array([end_s for _, end_s, _ in windows]),
        window_label=np.array([label for _, _, label in windows]),
        unstable=np.int64(len(results) - len(episodes)),
    )


def _digest(jobs: Sequence[Job]) -> str:
    digest = hashlib.sha256(repr(jobs).encode())
    for source in _SOURCES:
        digest.update(Path(__file__).with_name(f"{source}.py").read_bytes())
    for package in _PACKAGES:
        digest.update(importlib.metadata.version(package).encode())
    return digest.hexdigest()[:16]
