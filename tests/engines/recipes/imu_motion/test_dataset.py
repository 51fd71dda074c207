# SPDX-License-Identifier: Apache-2.0
"""The recipe's files: what they say, that a build goes on, and that prompts are used once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

from sensebind_engines.data.manifest import read_manifest
from sensebind_engines.models.sizes import default_config
from sensebind_engines.recipes.imu_motion import dataset
from sensebind_engines.recipes.simulation.episodes import WINDOW_S, Job, simulate_episode
from sensebind_engines.recipes.simulation.labels import CLASSES, UNSEEN_CLASS
from sensebind_engines.recipes.simulation.scripts import INTENTS
from tests.engines.recipes.imu_motion.motions import build_fakes

if TYPE_CHECKING:
    from pathlib import Path


def test_the_unseen_class_is_never_in_training_or_dev() -> None:
    jobs = dataset.all_jobs(0)
    assert {job.split for job in jobs if job.intent == UNSEEN_CLASS} == {"test", "shift"}
    assert len({job.name for job in jobs}) == len(jobs)
    assert {job.intent for job in jobs} == set(INTENTS)
    assert UNSEEN_CLASS not in CLASSES


def test_no_prompt_is_used_twice() -> None:
    prompts = dataset.load_prompts()
    texts = [text.lower() for use in prompts for texts in use.values() for text in texts]
    assert len(set(texts)) == len(texts)
    for use in prompts[:4]:
        assert tuple(use) == CLASSES
    assert tuple(prompts.unseen) == (UNSEEN_CLASS,)


def test_rows_are_runs_of_one_class_with_texts_in_training_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = build_fakes(tmp_path, monkeypatch)
    rows = [entry.row for entry in read_manifest(data / dataset.MANIFEST)]
    assert {row.split for row in rows} == {"train", "dev", "test", "shift"}
    for row in rows:
        assert (row.start_ns, row.end_ns) == (0, 3_000_000_000)  # two windows
        assert row.label == row.key == str(row.group).split("-")[1]
        assert bool(row.texts()) == (row.split == "train")
    prompts = msgspec.json.decode((data / "prompts.json").read_bytes())
    assert tuple(prompts["imu"]) == CLASSES
    assert (data / dataset.CONFIG).is_file()


def test_a_build_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [Job(7, "train", "still", number) for number in range(2)]
    done: list[Job] = []

    def stop_at_the_second(job: Job) -> object:
        if done:
            raise KeyboardInterrupt
        done.append(job)
        return simulate_episode(job)

    monkeypatch.setattr(dataset, "simulate_episode", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        dataset.build_from(jobs, tmp_path / "out", tmp_path / "cache", processes=1)
    assert not (tmp_path / "out" / dataset.MANIFEST).exists()
    asked: list[Job] = []
    monkeypatch.setattr(dataset, "simulate_episode", asked.append)
    dataset.build_from(jobs, tmp_path / "out", tmp_path / "cache", processes=1)
    assert asked == jobs[1:]
    (entry,) = read_manifest(tmp_path / "out" / dataset.MANIFEST)  # the other was unstable
    assert entry.row.group == "train-still-000"
    assert entry.row.text == tuple(dataset.load_prompts().train["still"])


def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    jobs = [Job(7, "train", "still", number) for number in range(4)]
    for count in (1, 2):
        folder = tmp_path / str(count)
        folder.mkdir()
        dataset.simulate(jobs, folder, count)
    for job in jobs:
        one, two = (np.load(tmp_path / str(n) / f"{job.name}.npz") for n in (1, 2))
        for name in ("t_ns", "values", "labels", "floor"):
            assert np.array_equal(one[name], two[name]), name


def test_the_encoder_is_small() -> None:
    config = default_config("imu", "conv-small", 384)
    assert config.window is not None
    assert config.window.length_s == WINDOW_S
