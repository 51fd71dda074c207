# SPDX-License-Identifier: Apache-2.0
"""Thermal cameras of known scale and offset before things of known temperatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.errors import InputError
from sensebind_calibration.thermal import Heat, calibrate_thermal
from tests.calibration.test_commands import run
from tests.support.toml import read_toml
from tests.support.walls import HEIGHT, WIDTH, pictures

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

SCALE, OFFSET_K = 0.04, -50.0


def counts(rng: np.random.Generator, celsius: float, frames: int = 8) -> list[Values]:
    """Frames of a camera with kelvin = SCALE * count + OFFSET_K; the thing fills the middle."""
    truth = np.full((HEIGHT, WIDTH), 295.0)
    truth[30:90, 40:120] = celsius + 273.15
    return [(truth - OFFSET_K) / SCALE + rng.normal(0, 2, truth.shape) for _ in range(frames)]


def recorded(folder: Path, celsius: float, seed: int = 0) -> Path:
    folder.mkdir()
    frames = counts(np.random.default_rng(seed), celsius)
    return pictures(folder / "lwir", frames, per_metre=1.0)


def test_scale_and_offset_are_found(tmp_path: Path) -> None:
    recordings = [recorded(tmp_path / f"{c}", c) for c in (0, 30, 80)]
    told = [word for c in (0, 30, 80) for word in ("--celsius", c)]
    out = tmp_path / "c.toml"
    shown = run("thermal", *recordings, *told, "--stream", "lwir=thermal", "--out", out)
    assert "kelvin = scale" in shown
    section = read_toml(out)["thermal"]["lwir"]
    assert section["scale"] == pytest.approx(SCALE, rel=1e-3)
    assert section["offset_k"] == pytest.approx(OFFSET_K, abs=0.3)
    assert section["range_k"] == pytest.approx([273.15, 353.15])
    assert section["residual_k"] < 0.1
    assert section["provenance"]["readings"] == 24
    assert "0.0 to 80.0 °C" in run("show", out)


def test_parts_of_one_recording_will_do(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frames = counts(rng, 0, 30) + counts(rng, 60, 30)
    recording, out = pictures(tmp_path / "lwir", frames, per_metre=1.0), tmp_path / "c.toml"
    shown = run("thermal", recording, "--celsius", "0@0..0.9", "--celsius", "60@1.1..2",
                "--stream", "lwir=thermal,unit=counts", "--out", out)  # fmt: skip
    assert "two temperatures fit any line" in shown
    assert read_toml(out)["thermal"]["lwir"]["scale"] == pytest.approx(SCALE, rel=2e-3)


def test_the_section_is_that_of_the_first_recording(tmp_path: Path) -> None:
    out = tmp_path / "c.toml"
    cold, hot = (recorded(tmp_path / f"{c}", c).rename(tmp_path / f"thermal {c}") for c in (0, 60))
    run("thermal", cold, hot, "--celsius", 0, "--celsius", 60, "--out", out)
    run("thermal", hot, cold, "--celsius", 60, "--celsius", 0, "--out", out)
    assert list(read_toml(out)["thermal"]) == ["thermal 0", "thermal 60"]


def test_what_tells_no_temperature_is_refused(tmp_path: Path) -> None:
    cold, hot = recorded(tmp_path / "cold", 0), recorded(tmp_path / "hot", 60)
    stream = ("--stream", "lwir=thermal", "--out", tmp_path / "c.toml")

    def refused(told: str, *words: object) -> None:
        with pytest.raises(InputError, match=told):
            run("thermal", *words)

    refused("2 temperatures that differ by 5 K", cold, hot, "--celsius", 20, "--celsius", 25,
            *stream)  # fmt: skip
    refused("does not rise", cold, hot, "--celsius", 60, "--celsius", 0, *stream)
    refused("1 temperatures that differ by 0 K", cold, "--celsius", 0, *stream)
    refused("declared wrong; give --stream lwir=thermal,unit=UNIT", cold, hot, "--celsius", 0,
            "--celsius", 60, "--stream", "lwir=thermal,unit=decikelvin")  # fmt: skip
    refused("unit='mm' is no unit of thermal pictures", cold, hot, "--celsius", 0, "--celsius", 60,
            "--stream", "lwir=thermal,unit=mm", "--out", tmp_path / "c.toml")  # fmt: skip
    with pytest.raises(InputError, match="8-bit pixels"):
        run("thermal", grey(tmp_path / "agc"), hot, "--celsius", 0, "--celsius", 60, *stream)


def grey(folder: Path) -> Path:
    from PIL import Image

    folder.mkdir()
    (folder / "lwir").mkdir()
    for number in range(8):
        Image.new("L", (WIDTH, HEIGHT), 100).save(folder / "lwir" / f"{number}.png")
    return folder / "lwir"


def heat(means: Values, celsius: float, spread: float = 1.0) -> Heat:
    return Heat(means, spread, celsius + 273.15, False, "r", "", 0, 1)


def test_a_camera_that_warms_up_and_mixed_things_are_refused() -> None:
    cold, hot = np.full(30, 8000.0), np.full(30, 9500.0)
    with pytest.raises(InputError, match=r"0 °C changes by .* while it is recorded"):
        calibrate_thermal([heat(cold + np.arange(30) * 10, 0), heat(hot, 60)])
    with pytest.raises(InputError, match="60 °C differs by 16 K over the middle"):
        calibrate_thermal([heat(cold, 0), heat(hot, 60, 400.0)])


@pytest.mark.parametrize("temperatures", [(0.0, 80.0), (0.0, 30.0, 55.0, 80.0)])
def test_intervals_hold_the_truth_as_often_as_they_say(temperatures: tuple[float, ...]) -> None:
    held = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        seen = [
            heat((c + 273.15 - OFFSET_K) / SCALE + rng.normal(0, 1, 20), c + rng.normal(0, 0.3))
            for c in temperatures
        ]
        found = calibrate_thermal(seen)
        held.append([
            found.scale_interval[0] <= SCALE <= found.scale_interval[1],
            found.offset_interval[0] <= OFFSET_K <= found.offset_interval[1],
        ])  # fmt: skip
    assert (np.mean(held, axis=0) >= 0.92).all(), np.mean(held, axis=0)


def test_errors_shrink_with_the_root_of_the_frames() -> None:
    def spread(frames: int) -> float:
        scales = []
        for seed in range(200):
            rng = np.random.default_rng(seed)
            seen = [heat(c * 25 + 8000 + rng.normal(0, 5, frames), c) for c in (0.0, 60.0)]
            scales.append(calibrate_thermal(seen, error_k=0.0).scale)
        return float(np.std(scales))

    assert 3.0 < spread(10) / spread(160) < 5.3  # 4 = sqrt(16), known to 10 % of 200 instances each
