# SPDX-License-Identifier: Apache-2.0
"""A file with sections of all kinds as text, picture and page."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from PIL import Image

from sensebind import storage
from sensebind.calibration import Calibration
from sensebind.errors import InputError, SinkError
from sensebind_calibration.drawings import DRAWINGS
from sensebind_calibration.file import add_section
from sensebind_calibration.recording import dated
from sensebind_calibration.score_windows import Windows
from sensebind_calibration.scores import calibrate_scores
from sensebind_calibration.sections import ClockSection, ImuSection
from tests.calibration.test_commands import run
from tests.calibration.test_scores import drawn
from tests.calibration.test_thermal import recorded
from tests.support.imu_noise import at_rest, imu_table
from tests.support.sounds import RATE_HZ, lowpassed, quiet_and_loud
from tests.support.walls import pictures, seen, wall

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_calibration.sense_sections import ScoresSection

ORIGIN = dated("drive.mcap", "a" * 64, rate_hz=100.0, readings=100, duration_s=60.0)
EYE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def scores_section(rng: np.random.Generator) -> ScoresSection:
    known, classes = drawn(rng, 200, 0.05)
    cosines = np.concatenate([known, rng.normal(0, 0.05, (60, 5))])
    classes = np.concatenate([classes, np.full(60, -1)])
    vectors = np.zeros((260, 8), np.float32)
    windows = Windows(vectors, classes, "/mic", "a" * 64, "b" * 64, 600.0, 0, 0)
    return calibrate_scores(windows, cosines, list("abcde"), "c" * 64, ORIGIN)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration file with a section of every kind that is drawn."""
    folder, rng = tmp_path_factory.mktemp("all"), np.random.default_rng(0)
    out = folder / "calibration.toml"
    sound = folder / "mic.wav"
    soundfile.write(sound, lowpassed(quiet_and_loud(rng), 4000), RATE_HZ, subtype="FLOAT")
    run("microphone", sound, "--target", -20, "--out", out)
    run("allan", imu_table(folder / "rest.parquet", at_rest(rng, 8000)), "--out", out)
    frames = seen(rng, wall(1.0), 12)
    for depth in frames:
        depth[:, :5] = np.nan
    stream = "wall=depth,focal_px=140"
    run("depth", pictures(folder / "wall", frames), "--distance", 1, "--stream", stream,
        "--out", out)  # fmt: skip
    things = [recorded(folder / "cold", 0), recorded(folder / "hot", 60)]
    run("thermal", *things, "--celsius", 0, "--celsius", 60, "--stream", "lwir=thermal",
        "--out", out)  # fmt: skip
    add_section(out, "scores", "/mic", scores_section(rng))
    imu = ImuSection(
        provenance=ORIGIN, accel_matrix=EYE, accel_matrix_interval=(1e-3,) * 9,
        accel_bias=(0.1, 0.0, 0.0), accel_bias_interval=(1e-2,) * 3, gyro_matrix=EYE,
        gyro_matrix_interval=(1e-3,) * 9, gyro_bias=(0.0, 0.01, 0.0),
        gyro_bias_interval=(1e-4,) * 3,
        determined=("accel scale and bias",), gravity_m_s2=9.8, rests=12, orientations=6,
        accel_residual_m_s2=0.01, raw_residual_m_s2=0.1,
    )  # fmt: skip
    add_section(out, "imu", "/imu", imu)
    clock = ClockSection(
        provenance=ORIGIN, reference="/imu", offset_ns=12_000_000, reference_ns=10**18,
        drift_ppm=20.0, offset_interval_ns=1e6, drift_interval_ppm=2.0, by="stamps",
        determined=("offset", "drift"), matched=40, scatter_ns=1e6,
    )  # fmt: skip
    add_section(out, "clock", "/mic", clock)
    return out


def test_every_kind_is_shown_drawn_and_paged(file: Path, tmp_path: Path) -> None:
    picture, page = tmp_path / "c.png", tmp_path / "c.html"
    shown = run("show", file, "--plot", picture, "--html", page)
    for told in ("noise at rest", "calibrated = matrix", "carry nothing",
                 "pixels never measured  600", "kelvin = scale", "calibration error"):  # fmt: skip
        assert told in shown
    with Image.open(picture) as image:
        assert image.height > len(DRAWINGS) * 300
    text = page.read_text()
    assert text.count("data:image/png;base64,") == len(DRAWINGS)
    assert "calibrated = scale · depth + offset" in text
    assert "http" not in text


def test_a_run_takes_the_whole_file(file: Path) -> None:
    loaded = Calibration.load(file)
    assert {kind for kind, _ in loaded.sections} == {
        "microphone", "depth", "thermal", "scores", "imu", "clock"
    }  # fmt: skip
    assert loaded.others == ("allan",)


def test_a_missing_map_is_named(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "calibration.toml"
    copy.write_text(file.read_text())
    with pytest.raises(InputError, match=r"map of invalid pixels, cannot be read"):
        run("show", copy, "--plot", tmp_path / "c.png")
    assert not (tmp_path / "c.png").exists()


def test_a_map_that_is_another_one_is_not_drawn(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "calibration.toml"
    copy.write_text(file.read_text())
    (name,) = (path.name for path in file.parent.glob("calibration.invalid-*.png"))
    Image.new("L", (160, 120)).save(tmp_path / name)
    with pytest.raises(InputError, match=rf"{name} is not the map that .*calibration\.toml was"):
        run("show", copy, "--html", tmp_path / "c.html")


def test_a_file_without_sections_and_bad_places_are_named(file: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.toml"
    empty.write_text("format = 1\n")
    with pytest.raises(InputError, match="holds no sections"):
        run("show", empty)
    with pytest.raises(InputError, match="there is no folder"):
        run("show", file, "--plot", tmp_path / "none" / "c.png")


@pytest.mark.parametrize(("option", "name"), [("--plot", "x.png"), ("--html", "x.html")])
def test_a_full_disk_is_named(
    option: str, name: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(storage, "_create", full)
    told = rf"cannot write '{tmp_path}/{name}': No space left on device; choose another place"
    with pytest.raises(SinkError, match=told):
        run("show", file, option, tmp_path / name)


def test_a_picture_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    place = tmp_path / "none" / "x.png"
    with pytest.raises(InputError, match=r"x\.png': there is no folder .*create it first"):
        run("allan", tmp_path / "none.parquet", "--plot", place)
