# SPDX-License-Identifier: Apache-2.0
"""What `sensebind replay` says of embeddings: labels as asked, joint vectors and changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.cli.settings import config_of_options
from sensebind.describing import LabelSettings
from sensebind.errors import ConfigError
from sensebind.fusion import FusionConfig, unit_mean
from sensebind.sinks.reading import open_records
from sensebind.storage import data_folder
from sensebind.types import Fused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]


def test_joint_vectors_are_written_beside_the_others(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drive.parquet"
    arguments = ["replay", recording, "--bundle", bundle_folder, "--out", out, "--joint",
                 "--prompts", "a cat,a dog", "--stream", "/imu=imu,min_coverage=0.3"]  # fmt: skip
    ran = run(*arguments, "--stream", "/camera=vision,max_age=2")
    assert ran.code == 0, ran.err
    records = list(open_records(out).records())
    joints = [r for r in records if r.embedding.modality is Fused.JOINT]
    assert f"joint: {len(joints)} embedding" in ran.out
    assert joints
    for joint in joints:
        assert joint.members == ("/camera", "/imu")
        assert joint.label in ("a cat", "a dog")
        parts = [
            r.embedding
            for r in records
            if r.embedding.grid_ns == joint.embedding.grid_ns and r is not joint
        ]
        weights = np.array([p.coverage * p.valid_fraction for p in parts])
        expected = unit_mean([p.vector for p in parts], weights)
        assert expected is not None
        np.testing.assert_allclose(joint.embedding.vector, expected, atol=1e-7)
    again = tmp_path / "again.parquet"
    run(*[again if a == out else a for a in arguments], "--stream", "/camera=vision,max_age=2")
    assert again.read_bytes() == out.read_bytes()


def test_labels_are_given_as_asked(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drive.jsonl"
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", out, "--json",
              "--prompts", "a cat,a dog", "--labels", "min_cosine=0.999,temperature=0.5",
              "--changes", tmp_path / "changes.jsonl")  # fmt: skip
    assert ran.code == 0, ran.err
    rows = [json.loads(line) for line in out.read_text().splitlines()][1:]
    assert {row["label"] for row in rows} == {"unknown"}
    assert ran.json["joint"] is None
    events = [json.loads(line) for line in (tmp_path / "changes.jsonl").read_text().splitlines()]
    assert ran.json["changes"] == len(events)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels", "margin=0.1"], "needs classes; give them with --prompts"),
        (
            ["--prompts", "a,b", "--labels", "colour=1"],
            "unknown option 'colour' in --labels; known",
        ),
        (
            ["--prompts", "a,b", "--labels", "margin=2"],
            "--labels margin=2: expected at least 0, at most 1",
        ),
        (
            ["--prompts", "a,b", "--labels", "temperature=x"],
            "--labels temperature=x: expected above 0",
        ),
        (["--changes", "/nowhere/changes.jsonl"], "no folder '/nowhere'"),
        (["--change", "threshold=1"], "--change 'threshold=1' needs a file; give it with --chan"),
        (
            ["--changes", "a.jsonl", "--change", "threshold=0.1,release=0.2"],
            "release=0.2 is above threshold=0.1",
        ),
        (["--fusion", "hop=0"], "--fusion hop_s=0: expected above 0, at most 3600"),
        (["--fusion", "hop"], "--fusion: 'hop' is not key=value"),
        (["--fusion", "confidence=audio:loud"], "confidence=audio:loud: expected name:value pairs"),
        (["--fusion", "confidence=audo:2"], "confidence names 'audo', expected modalities: visio"),
        (["--fusion", "streams=/lidar"], "streams to join: /lidar; the run has "),
    ],
)
def test_mistakes_are_named(
    run: Run,
    recording: Path,
    bundle_folder: Path,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    out = tmp_path / "drive.jsonl"
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", out, *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert not out.exists()


def test_options_of_labels_are_read() -> None:
    assert config_of_options("--labels", None, LabelSettings) == LabelSettings()
    text = "temperature=0.1,smoothing=majority,smoothing_s=3"
    expected = LabelSettings(temperature=0.1, smoothing="majority", smoothing_s=3.0)
    assert config_of_options("--labels", text, LabelSettings) == expected
    with pytest.raises(ConfigError, match=r"smoothing=median: expected one of .*majority"):
        config_of_options("--labels", "smoothing=median", LabelSettings)


def test_options_of_fusion_are_read() -> None:
    text = "streams=/a;/b,confidence=audio:2;imu:0.5,hop=0.5,wait=0,min_streams=1"
    assert config_of_options("--fusion", text, FusionConfig) == FusionConfig(
        streams=("/a", "/b"), confidence={"audio": 2.0, "imu": 0.5}, hop_s=0.5, wait_s=0.0,
        min_streams=1,
    )  # fmt: skip


def test_streams_are_joined_and_changes_told_as_asked(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out, changes = tmp_path / "drive.parquet", tmp_path / "changes.jsonl"
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", out, "--hop", "0.2",
              "--stream", "/imu=imu,min_coverage=0.3", "--fusion", "min_streams=1,hop=1",
              "--changes", changes, "--change", "threshold=0.001,refractory=0,release=0.001",
              "--json")  # fmt: skip
    assert ran.code == 0, ran.err
    joints = [e.embedding for e in open_records(out).records() if e.members]
    assert all(joint.grid_ns % 10**9 == 0 for joint in joints)
    assert ran.json["joint"]["fused"] == len(joints) > 0
    assert ran.json["changes"] == len(changes.read_text().splitlines()) > 0


def test_classes_that_vision_knows_nothing_like_are_told(run: Run, tmp_path: Path) -> None:
    sample = data_folder() / "sample" / "sample.mcap"
    out = tmp_path / "drive.parquet"
    arguments = ["replay", sample, "--to", "6", "--out", out, "--prompts", "a table,running away"]
    ran = run(*arguments, "--stream", "/camera/color/image_raw/compressed=vision")
    assert ran.code == 0, ran.err
    assert "vision learnt nothing near 'running away' (nearest: " in ran.err
    assert "near 'a table'" not in ran.err
