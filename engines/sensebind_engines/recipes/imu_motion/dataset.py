# SPDX-License-Identifier: Apache-2.0
"""The recipe: simulated episodes as IMU files, a manifest of their windows, and a configuration.

Splits are by episode, never by window: "train"; "dev" for choices; "test" with new episodes of the
training ranges; "shift" with robots, floors, mounts and IMUs outside them (`simulation.domains`).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import multiprocessing
import os
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from sensebind.storage import atomic_path
from sensebind_engines.recipes import simulation
from sensebind_engines.recipes.simulation.domains import SPLITS
from sensebind_engines.recipes.simulation.episodes import (
    WINDOW_S,
    WINDOW_STEP_S,
    Job,
    simulate_episode,
)
from sensebind_engines.recipes.simulation.labels import CLASSES, DRIVE, UNSEEN_CLASS
from sensebind_engines.recipes.simulation.scripts import INTENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

MANIFEST = "manifest.jsonl"
CONFIG = "imu_motion.toml"

EPISODES = {
    "train": {"each": 70, DRIVE: 220, "bump": 160},
    "dev": {"each": 16, DRIVE: 50, "bump": 44},
    "test": {"each": 30, DRIVE: 80, "bump": 64},
    "shift": {"each": 30, DRIVE: 80, "bump": 120},
}
"""Episodes of each intent. Drives give two classes; windows without a push are no bumps, and a box
that is pushed away is hit seldom."""

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
_CHUNK = 4


class Prompts(NamedTuple):
    """Texts by class, per use; no text is in two of them.

    Attributes:
        train: what the encoder is bound to.
        dev: for choices.
        test: for figures.
        demo: shipped with the bundle.
        unseen: of a class that is never trained.
    """

    train: dict[str, list[str]]
    dev: dict[str, list[str]]
    test: dict[str, list[str]]
    demo: dict[str, list[str]]
    unseen: dict[str, list[str]]


def load_prompts() -> Prompts:
    """The committed texts of the classes."""
    text = resources.files(__package__).joinpath("prompts.json").read_text(encoding="utf-8")
    return Prompts(**json.loads(text))


def build(out: Path, cache: Path, *, seed: int = 0) -> Path:
    """Simulate every episode that the cache lacks and write manifest, prompts and configuration.

    An interrupted build goes on where it was; the manifest comes last and only when all is there.

    Args:
        out: folder for `manifest.jsonl`, `prompts.json` and `imu_motion.toml`.
        cache: holds the episodes, in a folder named by a digest of all that decides them.
        seed: of the episodes.
    """
    return build_from(all_jobs(seed), out, cache)


def build_from(jobs: Sequence[Job], out: Path, cache: Path, processes: int | None = None) -> Path:
    """Build from some jobs, on all processors or `processes`; see `build`."""
    folder = cache / f"imu-motion-{_digest(jobs)}"
    folder.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    simulate(jobs, folder, processes)
    prompts = load_prompts()
    rows = [row for job in jobs for row in _rows(job, folder, out, prompts.train)]
    _write(out / "prompts.json", msgspec.json.format(msgspec.json.encode({"imu": prompts.demo})))
    _write(out / CONFIG, resources.files(__package__).joinpath(CONFIG).read_bytes())
    _write(out / MANIFEST, b"\n".join(map(msgspec.json.encode, rows)) + b"\n")
    return out


def all_jobs(seed: int) -> list[Job]:
    """Every episode of the set; the unseen class is in the test splits only."""
    return [
        Job(seed, split, intent, number)
        for split in SPLITS
        for intent in INTENTS
        if intent != UNSEEN_CLASS or split in ("test", "shift")
        for number in range(EPISODES[split].get(intent, EPISODES[split]["each"]))
    ]


def simulate(jobs: Sequence[Job], folder: Path, processes: int | None = None) -> None:
    """Write a file for every job that has none yet."""
    missing = [job for job in jobs if not _file(job, folder).exists()]
    processes = processes or os.cpu_count() or 1
    if processes == 1 or len(missing) < _CHUNK:
        for job in missing:
            _write_episode(folder, job)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for _ in pool.imap_unordered(partial(_write_episode, folder), missing, chunksize=_CHUNK):
            pass


def read_labels(path: Path) -> tuple[list[str], str]:
    """Classes of an episode's windows, '' for none, and its kind of floor."""
    with np.load(path) as arrays:
        return [str(label) for label in arrays["labels"]], str(arrays["floor"])


def _file(job: Job, folder: Path) -> Path:
    return folder / f"{job.name}.npz"


def _write_episode(folder: Path, job: Job) -> None:
    """Stamps and readings as training data are read, and what is known of the windows.

    Unstable physics leaves an episode without windows, so nothing refers to it.
    """
    episode = simulate_episode(job)
    content: dict[str, NDArray[Any]] = {"labels": np.array([], str), "floor": np.array("")}
    if episode is not None:
        content = {
            "t_ns": np.round(episode.imu.stamps_s * 1e9).astype(np.int64),
            "values": episode.imu.samples,
            "labels": np.array([window.label for window in episode.windows]),
            "floor": np.array(episode.floor),
        }
    with atomic_path(_file(job, folder)) as temporary, temporary.open("wb") as stream:
        # The stub takes any keyword for numpy 2.1's allow_pickle.
        np.savez(stream, **content)  # type: ignore[arg-type]


def _rows(
    job: Job, folder: Path, out: Path, prompts: dict[str, list[str]]
) -> Iterator[dict[str, object]]:
    """A row for every run of windows of one class; only training rows have texts."""
    path = _file(job, folder)
    labels, _ = read_labels(path)
    texts = prompts if job.split == "train" else {}
    for first, last in _runs(labels):
        label = labels[first]
        if label in (*CLASSES, UNSEEN_CLASS):
            yield {
                "imu": os.path.relpath(path, out),
                "start_ns": round(first * WINDOW_STEP_S * 1e9),
                "end_ns": round((last * WINDOW_STEP_S + WINDOW_S) * 1e9),
                "label": label,
                "key": label,
                "group": job.name,
                "split": job.split,
                **({"text": texts[label]} if label in texts else {}),
            }


def _runs(labels: Sequence[str]) -> Iterator[tuple[int, int]]:
    """First and last index of every run of equal labels."""
    begin = 0
    for index in range(1, len(labels) + 1):
        if index == len(labels) or labels[index] != labels[begin]:
            yield begin, index - 1
            begin = index


def _digest(jobs: Sequence[Job]) -> str:
    """Of the simulation's sources, the jobs, and the packages that could change a number."""
    digest = hashlib.sha256(repr(jobs).encode())
    for source in _SOURCES:
        digest.update((Path(simulation.__file__).parent / f"{source}.py").read_bytes())
    for package in _PACKAGES:
        digest.update(importlib.metadata.version(package).encode())
    return digest.hexdigest()[:16]


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
