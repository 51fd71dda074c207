# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate` from a recording to the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sensebind.errors import InputError, SourceError
from sensebind_calibration.commands import app
from tests.support.imu_noise import at_rest, imu_table
from tests.support.toml import read_toml

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def still() -> NDArray[np.float64]:
    return at_rest(np.random.default_rng(0), 12_000)


@pytest.fixture
def recording(tmp_path: Path, still: NDArray[np.float64]) -> Path:
    return imu_table(tmp_path / "rest.parquet", still)


def test_allan_writes_section_card_and_picture(recording: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "calibration.toml", tmp_path / "allan.png"
    shown = run("allan", recording, "--out", out, "--plot", picture, "--serial", "A1")
    assert "gyroscope, deg/s" in shown
    section = read_toml(out)["allan"]["rest.parquet"]
    assert section["provenance"]["rate_hz"] == pytest.approx(100)
    assert section["provenance"]["readings"] == 12_000
    assert section["provenance"]["serial"] == "A1"
    assert len(section["provenance"]["sha256"]) == 64
    np.testing.assert_allclose(section["gyroscope"]["noise_density"], 1e-4, rtol=0.1)
    np.testing.assert_allclose(section["accelerometer"]["noise_density"], 2e-3, rtol=0.1)
    with Image.open(picture) as image:
        assert image.width > 1000
    assert "serial A1" in run("show", out)


def test_allan_as_json(recording: Path, tmp_path: Path) -> None:
    shown = run("allan", recording, "--out", tmp_path / "c.toml", "--json")
    line = next(line for line in shown.splitlines() if line.startswith("{"))
    assert json.loads(line)["allan"]["provenance"]["recording"] == "rest.parquet"


def test_units_are_applied(still: NDArray[np.float64], tmp_path: Path) -> None:
    rows = still / np.repeat((9.80665, np.pi / 180), 3)
    recording = imu_table(tmp_path / "g.parquet", rows)
    out = tmp_path / "c.toml"
    run("allan", recording, "--stream", "g.parquet=imu,unit=g;deg/s", "--out", out)
    section = read_toml(out)["allan"]["g.parquet"]
    np.testing.assert_allclose(section["gyroscope"]["noise_density"], 1e-4, rtol=0.1)


def test_nothing_is_overwritten_unasked_and_the_old_file_is_kept(
    recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "c.toml"
    out.write_text('format = 1\n\n[microphone."/audio"]\ngain_db = 3.5\n')
    first = out.read_text()
    run("allan", recording, "--out", out)
    assert (tmp_path / "c.toml.bak").read_text() == first
    assert read_toml(out)["microphone"] == {"/audio": {"gain_db": 3.5}}
    second = out.read_text()
    with pytest.raises(InputError, match=r"already has a section.*--force"):
        run("allan", recording, "--out", out)
    assert out.read_text() == second
    run("allan", recording, "--out", out, "--force")
    assert (tmp_path / "c.toml.bak2").read_text() == second


def test_a_place_that_cannot_be_written_is_refused_first(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*_given: object, **_more: object) -> None:
        raise AssertionError("it read for hours")

    monkeypatch.setattr("sensebind_calibration.imu_noise.measure_noise", measured)
    (tmp_path / "folder").mkdir()
    for name, told in (("none/c.toml", "there is no folder"), ("folder", "it is a folder")):
        with pytest.raises(InputError, match=told):
            run("allan", recording, "--out", tmp_path / name)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda rows: rows[:3000], "30.0 s long, expected at least 60 s"),
        (lambda rows: rows * (1, 1, 0, 1, 1, 1), "axis z of the accelerometer stands at 0"),
        (
            lambda rows: rows + 0.5 * np.sin(np.arange(len(rows)) / 9)[:, None] * (
                np.abs(np.arange(len(rows)) - 6000) < 500
            )[:, None],
            "moved or knocked in 1[01] of 120 seconds",
        ),
        (
            lambda rows: rows + np.outer(np.arange(len(rows)) > 6000, (3.0, 0, 0, 0, 0, 0)),
            "the sensor was turned: gravity's direction differs by",
        ),
    ],
    ids=["short", "dead", "moved", "turned"],
)  # fmt: skip
def test_allan_refuses_what_did_not_rest(
    spoil: object, told: str, still: NDArray[np.float64], tmp_path: Path
) -> None:
    recording = imu_table(tmp_path / "bad.parquet", spoil(still))  # type: ignore[operator]
    with pytest.raises(InputError, match=rf"^bad\.parquet: .*{told}"):
        run("allan", recording, "--out", tmp_path / "c.toml")
    assert not (tmp_path / "c.toml").exists()


def test_allan_refuses_holes(still: NDArray[np.float64], tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = imu_table(tmp_path / "holes.parquet", still)
    table = pq.read_table(path)
    pq.write_table(table.filter((np.arange(len(still)) // 50) % 20 != 3), path)
    with pytest.raises(InputError, match=r"5\.0% of the readings are missing"):
        run("allan", path, "--out", tmp_path / "c.toml")


def test_a_stream_that_is_not_there(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no stream '/imu'"):
        run("allan", recording, "--stream", "/imu", "--out", tmp_path / "c.toml")


def test_show_refuses_other_files(tmp_path: Path) -> None:
    other = tmp_path / "robot.toml"
    other.write_text("[streams]\n")
    with pytest.raises(InputError, match="format = None, expected 1"):
        run("show", other)
    with pytest.raises(InputError, match=r"none\.toml cannot be read"):
        run("show", tmp_path / "none.toml")
