# SPDX-License-Identifier: Apache-2.0
"""`--calibration` from the outside: what is applied, told, written and refused."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sensebind as sb
from sensebind.calibration import Calibration
from sensebind.zero_shot import prompts_sha256
from tests.support.calibrations import IDENTITY, write_calibration
from tests.support.imu_noise import imu_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]

IMU = {
    "accel_matrix": IDENTITY,
    "accel_bias": [1.0, -2.0, 0.5],
    "gyro_matrix": IDENTITY,
    "gyro_bias": [0.1, 0.0, 0.0],
}
PROMPTS = "a photo of a cat,a photo of a dog"


@pytest.fixture
def scores(bundle_folder: Path) -> dict[str, Any]:
    labels = PROMPTS.split(",")
    with sb.Bundle.load(bundle_folder) as bundle:
        return {
            "temperature": 0.5,
            "labels": labels,
            "space_id": bundle.space_id,
            "encoder_id": bundle.encoder(sb.Modality.IMU).encoder_id,
            "prompts_sha256": prompts_sha256({label: [label] for label in labels}),
        }


def test_a_replay_applies_tells_and_notes_it(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path, scores: dict[str, Any]
) -> None:
    path = write_calibration(
        tmp_path, imu={"/imu": IMU}, microphone={"/mic": {"gain": 2.0}}, scores={"/imu": scores}
    )
    plain, out = tmp_path / "plain.jsonl", tmp_path / "calibrated.jsonl"
    words = ("replay", recording, "--bundle", bundle_folder, "--prompts", PROMPTS)
    assert run(*words, "--out", plain).code == 0
    ran = run(*words, "--out", out, "--calibration", path)
    assert ran.code == 0, ran.err
    told = ran.out.replace("\n", "")
    assert f"calibrates /imu: imu, scores (of {path})" in told
    assert f'not used of {path}: [microphone."/mic"]' in told
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    metadata = lines[0]["metadata"]
    assert metadata["calibration"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert metadata["calibrated"] == {"/imu": ["imu", "scores"]}
    before = [json.loads(line) for line in plain.read_text().splitlines()]
    for raw, calibrated in zip(before[1:], lines[1:], strict=True):
        assert (raw["vector"] == calibrated["vector"]) == (raw["stream"] == "/camera")


def test_json_says_the_same(run: Run, recording: Path, bundle_folder: Path, tmp_path: Path) -> None:
    path = write_calibration(tmp_path, imu={"/imu": IMU})
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", tmp_path / "o.jsonl",
              "--calibration", path, "--json")  # fmt: skip
    told = json.loads(ran.out)["calibration"]
    assert told["applied"] == {"/imu": ["imu"]}
    assert told["unused"] == []
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_scores_of_other_prompts_are_refused(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path, scores: dict[str, Any]
) -> None:
    path = write_calibration(tmp_path, imu={"/imu": IMU}, scores={"/imu": scores})
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", tmp_path / "o.jsonl",
              "--calibration", path, "--prompts", "a bird,a fish")  # fmt: skip
    assert ran.code == 2
    assert "was found with other prompts (of the classes a photo of a cat" in ran.err
    assert not (tmp_path / "o.jsonl").exists()


@pytest.mark.parametrize("command", ["replay", "bench"])
def test_other_streams_are_refused(
    command: str, run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    path = write_calibration(tmp_path, imu={"/imu/data_raw": IMU})
    ran = run(command, recording, "--bundle", bundle_folder, "--out", tmp_path / "o.jsonl",
              "--calibration", path)  # fmt: skip
    assert ran.code == 2
    assert '[imu."/imu/data_raw"]; the run\'s streams: ' in ran.err.replace("\n", " ")
    assert "'/imu'" in ran.err


def test_a_file_that_is_none(
    run: Run, recording: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    ran = run("replay", recording, "--bundle", bundle_folder, "--out", tmp_path / "o.jsonl",
              "--calibration", tmp_path / "none.toml")  # fmt: skip
    assert ran.code == 2
    assert "none.toml cannot be read" in ran.err.replace("\n", "")


def test_files_are_embedded_as_those_of_the_calibrated_sensor(
    run: Run, bundle_folder: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(0, 1, (150, 6))
    raw = np.add(true, (*IMU["accel_bias"], *IMU["gyro_bias"]))
    table = imu_table(tmp_path / "drive.parquet", raw)
    path = write_calibration(tmp_path, imu={"/imu": IMU})
    ran = run("embed", table, "--bundle", bundle_folder, "--calibration", path, "--json")
    assert ran.code == 0, ran.err
    head, *records = [json.loads(line) for line in ran.out.splitlines()]
    assert head["metadata"]["calibrated"] == {str(table): ["imu"]}
    with sb.Bundle.load(bundle_folder) as bundle:
        expected = bundle.encode("imu", true, rate_hz=100)
        known = Calibration.load(path).of_sense(sb.Modality.IMU)
        found = bundle.encode("imu", raw, rate_hz=100, calibration=known)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose([row["vector"] for row in records], expected, atol=1e-5)
    two = write_calibration(tmp_path, imu={"/imu": IMU, "/other": IMU})
    ran = run("embed", table, "--bundle", bundle_folder, "--calibration", two)
    assert ran.code == 2
    assert "sections of several imu streams ('/imu', '/other')" in ran.err.replace("\n", " ")
