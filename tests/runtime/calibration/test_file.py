# SPDX-License-Identifier: Apache-2.0
"""Calibration files: what is read, and what is refused with which words."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from sensebind.calibration import Calibration
from sensebind.calibration.sections import ClockSection, Provenance
from sensebind.errors import CalibrationError, InputError
from sensebind.types import Modality
from tests.support.calibrations import IDENTITY, provenance, write_calibration

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def png(mode: str, width: int, height: int) -> bytes:
    written = io.BytesIO()
    Image.new(mode, (width, height)).save(written, "PNG")
    return written.getvalue()


IMU = {
    "accel_matrix": IDENTITY,
    "accel_bias": [0.1, 0.2, 0.3],
    "gyro_matrix": IDENTITY,
    "gyro_bias": [0.0, 0.0, 0.01],
}


def test_sections_of_a_stream(tmp_path: Path) -> None:
    path = write_calibration(
        tmp_path,
        imu={"/imu": {**IMU, "orientations": 12}},
        microphone={"/mic": {"gain": 2.0, "dc_offset": -0.01}},
        clock={"/imu": {"reference": "/mic", "offset_ns": 5_000_000, "reference_ns": 10**18}},
        allan={"/imu": {"anything": 1}},
        radar={"/r": {}},
    )
    calibration = Calibration.load(path)
    imu = calibration.of_stream("/imu", Modality.IMU)
    assert imu.kinds == ("imu", "clock")
    assert imu.imu is not None
    assert imu.imu.accel_bias == (0.1, 0.2, 0.3)
    assert imu.microphone is None
    assert calibration.of_stream("/other", Modality.IMU).kinds == ()
    assert calibration.unused({"/imu": ("imu", "clock")}) == ['[microphone."/mic"]', "[radar]"]
    assert calibration.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


CLOCK = {"reference": "/r", "offset_ns": 1, "reference_ns": 0}
SCORES = {"temperature": 1.0, "prompts_sha256": "", "space_id": "", "encoder_id": "", "labels": []}
MAP = {"file": "map.png", "sha256": "0" * 64, "width": 8, "height": 6}


@pytest.mark.parametrize(
    ("kind", "section", "told"),
    [
        ("imu", {**IMU, "accel_bias": [0.1, 0.2]}, r"bias = \[0.1, 0.2\]: .* of length 3"),
        ("imu", {"accel_matrix": IDENTITY}, "missing required field `accel_bias`"),
        ("microphone", {"gain": 0.0}, r"gain = 0.0: expected `float` > 0.0"),
        ("microphone", {"dc_offset": float("nan")}, "dc_offset = nan: expected"),
        ("microphone", {"latency_s": float("inf")}, "latency_s = inf: expected finite numbers"),
        ("microphone", {"true_rate_hz": 44e3}, "= 44000.0: expected a rate within 1 % of .* 100"),
        ("depth", {"scale": "1"}, "scale = '1': expected `float`, got `str`"),
        ("depth", {"min_range_m": 3.0, "max_range_m": 2.0}, "= 2.0: expected more than .* = 3"),
        ("depth", {"invalid": {**MAP, "file": "../m.png"}}, "file = '../m.png': .* beside this"),
        ("thermal", {"offset_k": "0"}, "offset_k = '0'"),
        ("clock", {**CLOCK, "offset_ns": 1.5}, "offset_ns = 1.5: expected `int`"),
        ("clock", {**CLOCK, "drift_ppm": 1e5}, "drift_ppm = 100000.0"),
        ("scores", {**SCORES, "temperature": -1.0}, "temperature = -1.0"),
        ("scores", {**SCORES, "thresholds": {"a": {"cosine": 2.0}}}, "expected `float` <= 1.0"),
    ],
)
def test_a_bad_value_is_named(
    kind: str, section: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = write_calibration(tmp_path, **{kind: {"/s": section}})
    place = rf'{path}: section \[{kind}\."/s"\]: '
    with pytest.raises(InputError, match=f"{place}.*{told}.*sensebind calibrate {kind}"):
        Calibration.load(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("format = 2\n", r"format = 2, expected 1: .*newer version.*update"),
        ("[imu]\n", "format = None, expected 1"),
        ("format = true\n", "format = True, expected 1"),
        ("format = 1\nimu = 3\n", r"imu = 3, expected sections \[imu"),
        ("format = ", "no calibration file that can be read"),
    ],
)
def test_other_files_are_refused(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=told):
        Calibration.load(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml cannot be read"):
        Calibration.load(tmp_path / "none.toml")


@pytest.fixture
def invalid(tmp_path: Path) -> NDArray[np.bool_]:
    pixels = np.random.default_rng(0).random((6, 8)) < 0.3
    Image.fromarray(pixels.astype(np.uint8) * 255).save(tmp_path / "map.png")
    return pixels


def test_the_map_of_invalid_pixels(tmp_path: Path, invalid: NDArray[np.bool_]) -> None:
    digest = hashlib.sha256((tmp_path / "map.png").read_bytes()).hexdigest()
    path = write_calibration(tmp_path, depth={"/d": {"invalid": {**MAP, "sha256": digest}}})
    found = Calibration.load(path).of_stream("/d", Modality.DEPTH).invalid
    np.testing.assert_array_equal(found, invalid)
    path = write_calibration(tmp_path, depth={"/d": {"invalid": MAP}})
    with pytest.raises(InputError, match=r"is not the map.*expected 000"):
        Calibration.load(path)


def test_maps_that_are_none(tmp_path: Path) -> None:
    path = write_calibration(tmp_path, depth={"/d": {"invalid": MAP}})
    told = r"map\.png, .*\.toml's map of invalid pixels, cannot be read \(No such file"
    with pytest.raises(InputError, match=told):
        Calibration.load(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"P5 2 2 255 abcd", r"map\.png is no PNG file"),
        (png("RGB", 8, 6), "8 x 6 pixels of mode RGB, expected 8 x 6 grey"),
        (png("L", 6, 8), "6 x 8 pixels of mode L, expected 8 x 6 grey"),
    ],
)
def test_files_that_are_no_map(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "map.png").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    path = write_calibration(tmp_path, depth={"/d": {"invalid": {**MAP, "sha256": digest}}})
    with pytest.raises(InputError, match=told):
        Calibration.load(path)


def test_what_belongs_to_another_stream_is_refused(tmp_path: Path) -> None:
    origin = provenance(serial="8213", rate_hz=400.0)
    calibration = Calibration.load(
        write_calibration(tmp_path, imu={"/imu": {**IMU, "provenance": origin}})
    )
    assert calibration.of_stream("/imu", Modality.IMU, serial="8213", rate_hz=410.0).imu
    with pytest.raises(CalibrationError, match=r"serial number 8213, but .* from 77"):
        calibration.of_stream("/imu", Modality.IMU, serial="77")
    with pytest.raises(CalibrationError, match=r"made at 400 Hz, but .* 200 Hz.*within 5%"):
        calibration.of_stream("/imu", Modality.IMU, rate_hz=200.0)
    with pytest.raises(CalibrationError, match="is of imu, but the stream is read as depth"):
        calibration.of_stream("/imu", Modality.DEPTH)
    with pytest.raises(CalibrationError, match=r"'/mic', '/d'.*--as"):
        calibration.check_streams(["/mic", "/d"])


def test_a_clocks_uncertainty_grows_away_from_its_reference() -> None:
    clock = ClockSection(
        provenance=msgspec.convert(provenance(), Provenance),
        reference="/mic",
        offset_ns=0,
        reference_ns=0,
        drift_ppm=20.0,
        offset_interval_ns=3e6,
        drift_interval_ppm=4.0,
    )
    assert clock.uncertainty_ns(0) == 3e6
    assert clock.uncertainty_ns(10**12) == pytest.approx(5e6)


def scores_file(folder: Path, **values: Any) -> Calibration:
    section = {**SCORES, "space_id": "s", "encoder_id": "e", "prompts_sha256": "p", **values}
    return Calibration.load(write_calibration(folder, scores={"/imu": section}))


def test_scores_are_of_one_set_of_prompts_and_encoder(tmp_path: Path) -> None:
    calibration = scores_file(tmp_path, labels=["bump", "still"])
    run = {"/imu": "e", "/mic": "m"}
    found = calibration.scores(run, space_id="s", prompts_sha256="p")
    assert list(found) == ["/imu"]
    assert calibration.scores({"/mic": "m"}, space_id="s", prompts_sha256="q") == {}
    with pytest.raises(CalibrationError, match=r"other prompts \(of the classes bump, still\)"):
        calibration.scores(run, space_id="s", prompts_sha256="q")
    for space_id, encoder_id in (("t", "e"), ("s", "f")):
        with pytest.raises(CalibrationError, match=r"found with another bundle"):
            calibration.scores({"/imu": encoder_id}, space_id=space_id, prompts_sha256="p")


def test_thresholds_are_of_classes_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"thresholds = .*expected classes of labels = \('a',\)"):
        scores_file(tmp_path, labels=["a"], thresholds={"b": {"cosine": 0.1}})
