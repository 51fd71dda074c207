# SPDX-License-Identifier: Apache-2.0
"""Depth cameras of known scale, offset and defects before walls; what is no wall is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sensebind.calibration import Calibration
from sensebind.config import StreamConfig
from sensebind.errors import InputError, SourceError
from sensebind.types import Frame, FrameBlock, Modality
from sensebind_calibration.camera_info import depth_camera
from sensebind_calibration.commands import app
from sensebind_calibration.depth import Seen, fit_depth
from sensebind_calibration.depth_view import DepthView, flying_pixels, look
from sensebind_calibration.plane import Camera, fit_plane
from tests.calibration.test_commands import run
from tests.support.toml import read_toml
from tests.support.walls import FOCAL_PX, HEIGHT, WIDTH, pictures, seen, wall

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.walls import Values

CAMERA = Camera(FOCAL_PX, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
METRES = StreamConfig(modality=Modality.DEPTH)
STREAM = f"wall=depth,focal_px={FOCAL_PX}"


def view_of(frames: list[Values]) -> DepthView:
    blocks = [
        FrameBlock(
            "/depth",
            number * 33_333_333,
            Frame(depth.astype("<f4").tobytes(), "32FC1", WIDTH, HEIGHT, 4 * WIDTH),
        )
        for number, depth in enumerate(frames)
    ]
    return look(blocks, METRES, CAMERA)


@pytest.mark.parametrize("tilt", [(0.0, 0.0), (0.3, -0.2)])
def test_a_planes_distance_is_along_its_normal(tilt: tuple[float, float]) -> None:
    plane = fit_plane(wall(1.5, tilt=tilt), CAMERA, 0, 0)
    assert plane is not None
    assert plane.distance_m == pytest.approx(1.5, rel=1e-9)
    assert plane.cosine == pytest.approx(
        1 / np.sqrt(1 + np.tan(tilt[0]) ** 2 + np.tan(tilt[1]) ** 2)
    )
    assert plane.share == 1


def test_things_before_the_wall_do_not_move_it() -> None:
    depth = wall(2.0, tilt=(0.1, 0.0))
    depth[30:90, 20:70] = 0.8
    depth[5:20] = np.nan
    plane = fit_plane(depth, CAMERA, 0, 0)
    assert plane is not None
    assert plane.distance_m == pytest.approx(2.0, rel=1e-3)


def test_pixels_in_the_air_are_counted() -> None:
    depth = np.full((40, 40), 1.0)
    depth[:, 20:] = 2.0
    assert flying_pixels(depth) == (2 * 40, 0)
    depth[::2, 20] = 1.5
    edges, flying = flying_pixels(depth)
    assert flying == 20
    assert edges == 20 * 2 + 20
    assert flying_pixels(wall(1.0, tilt=(0.9, 0.0))) == (0, 0)


def test_a_camera_is_known_at_other_sizes() -> None:
    half = Camera(300.0, 319.5, 239.5, 640).for_width(320)
    assert half[:3] == (150.0, 159.5, 119.5)
    assert Camera(300.0, 319.5, 239.5).for_width(320).focal_px == 300.0


def test_a_scene_tells_flying_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    objects = seen(rng, wall(2.0), 6, noise=1e-4)
    for depth in objects:
        depth[40:80, 50:90] = 1.0
        depth[40:80:2, 90] = 1.5
    (tmp_path / "desk").mkdir()
    out = tmp_path / "c.toml"
    flat = pictures(tmp_path / "wall", seen(rng, wall(1.0), 6))
    desk = pictures(tmp_path / "desk" / "wall", objects)
    shown = run("depth", flat, "--distance", 1, "--scene", desk, "--stream", STREAM, "--out", out)
    assert "no edges of depth" not in shown
    section = read_toml(out)["depth"]["wall"]
    assert section["flying"] == pytest.approx(20 / (2 * 160 + 20), rel=0.15)
    assert 0 < section["edges"] < 0.02


def test_scale_and_offset_are_found(tmp_path: Path) -> None:
    rng, recordings = np.random.default_rng(0), []
    for distance in (0.6, 1.2, 2.4):
        frames = seen(rng, wall(distance, tilt=(0.1, 0.0)), 8, scale=1.03, offset_m=-0.02)
        (tmp_path / f"{distance}").mkdir()
        recordings.append(pictures(tmp_path / f"{distance}" / "wall", frames))
    out = tmp_path / "c.toml"
    told = [word for d in ("0.6", "1.2", "2.4") for word in ("--distance", d)]
    shown = run("depth", *recordings, *told, "--stream", STREAM, "--as", "/depth", "--out", out)
    assert "no edges of depth were seen" in shown
    section = read_toml(out)["depth"]["/depth"]
    assert section["determined"] == ["scale", "offset"]
    low, high = section["scale_interval"]
    assert low <= 1.03 <= high
    assert section["scale"] == pytest.approx(1.03, abs=0.003)
    assert section["offset_m"] == pytest.approx(-0.02, abs=0.004)
    assert section["residual_m"] < 0.2 * section["raw_residual_m"]
    assert section["focal_px"] == FOCAL_PX
    assert [view["frames"] for view in section["views"]] == [8, 8, 8]
    assert section["views"][0]["tilt_deg"] == pytest.approx(np.degrees(0.1), abs=0.3)
    assert "calibrated = scale · depth + offset, 160 x 120" in run("show", out)


def test_one_distance_tells_the_scale_alone(tmp_path: Path) -> None:
    frames = seen(np.random.default_rng(1), wall(1.0), 6, scale=0.98)
    recording, out = pictures(tmp_path / "wall", frames), tmp_path / "c.toml"
    shown = run("depth", recording, "--distance", 1, "--stream", STREAM, "--out", out)
    assert "one distance tells the scale alone" in shown
    section = read_toml(out)["depth"]["wall"]
    assert section["scale"] == pytest.approx(0.98, abs=0.002)
    assert section["determined"] == ["scale"]
    assert section["offset_m"] == 0
    run("depth", recording, "--stream", STREAM, "--out", out, "--force")
    assert read_toml(out)["depth"]["wall"]["scale"] == 1


def test_a_unit_that_a_run_would_refuse_is_refused(tmp_path: Path) -> None:
    recording = pictures(tmp_path / "wall", seen(np.random.default_rng(1), wall(1.0), 6))
    with pytest.raises(InputError, match="unit='inch' is no unit of depth; expected one of m, cm"):
        run("depth", recording, "--distance", 1, "--stream", "wall=depth,unit=inch",
            "--out", tmp_path / "c.toml")  # fmt: skip
    with pytest.raises(InputError, match=r"has scale=0\.001 and unit='mm'; give one of them"):
        run("depth", recording, "--distance", 1, "--stream", "wall=depth,unit=mm,scale=0.001",
            "--out", tmp_path / "c.toml")  # fmt: skip


def test_dead_pixels_are_mapped_and_the_runtime_reads_them(tmp_path: Path) -> None:
    frames = seen(np.random.default_rng(2), wall(1.0), 12)
    for depth in frames:
        depth[:, :10] = np.nan
        depth[50, 60] = np.nan
    out = tmp_path / "c.toml"
    run("depth", pictures(tmp_path / "wall", frames), "--distance", 1, "--stream", STREAM,
        "--out", out)  # fmt: skip
    section = read_toml(out)["depth"]["wall"]
    assert section["invalid_pixels"] == HEIGHT * 10 + 1
    with Image.open(tmp_path / section["invalid"]["file"]) as image:
        assert (np.asarray(image) > 0).sum() == HEIGHT * 10 + 1
    found = Calibration.load(out).of_stream("wall", Modality.DEPTH)
    assert found.invalid is not None
    assert found.invalid[50, 60]
    assert not found.invalid[50, 61]


def test_distances_that_are_not_measured_limit_the_range(tmp_path: Path) -> None:
    rng, recordings = np.random.default_rng(3), []
    for distance in (0.2, 0.6, 1.2, 9.0):
        frames = seen(rng, wall(distance), 6)
        for depth in frames:
            depth[(depth < 0.4) | (depth > 5)] = np.nan
        (tmp_path / f"{distance}").mkdir()
        recordings.append(pictures(tmp_path / f"{distance}" / "wall", frames))
    out = tmp_path / "c.toml"
    told = [word for d in (0.2, 0.6, 1.2, 9.0) for word in ("--distance", d)]
    run("depth", *recordings, *told, "--stream", STREAM, "--out", out)
    section = read_toml(out)["depth"]["wall"]
    assert (section["min_range_m"], section["max_range_m"]) == (0.6, 1.2)


def moving(frames: list[Values]) -> list[Values]:
    return [depth * (1 + 0.01 * number) for number, depth in enumerate(frames)]


def stepped(frames: list[Values]) -> list[Values]:
    steps = np.where(np.arange(WIDTH) % 30 < 15, 0.8, 1.2)
    return [depth * steps for depth in frames]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (moving, r"away at first and \d\.\d+ m at last.*the camera moved"),
        (stepped, "the middle of the picture is no plane"),
        (lambda frames: frames[:3], "has 3 depth frames, expected at least 5"),
        (
            lambda frames: [depth * 0.1 for depth in frames],
            "a factor of 10: .*--stream wall=depth,scale=",
        ),
        (lambda frames: [depth * 0.6 for depth in frames], "no camera is that far off"),
        (lambda frames: [depth * np.nan for depth in frames], "0% of the middle .* is measured"),
    ],
    ids=["moving", "no plane", "short", "unit", "far off", "nothing"],
)
def test_what_is_no_wall_is_refused(spoil: object, told: str, tmp_path: Path) -> None:
    frames = spoil(seen(np.random.default_rng(4), wall(1.0), 12))  # type: ignore[operator]
    recording = pictures(tmp_path / "wall", frames)
    with pytest.raises(InputError, match=rf"^wall: .*{told}"):
        run("depth", recording, "--distance", 1, "--stream", STREAM, "--out", tmp_path / "c.toml")
    assert not (tmp_path / "c.toml").exists()


def test_that_no_distance_was_told_is_said_once_and_before_anything_is_read(
    tmp_path: Path,
) -> None:
    frames = seen(np.random.default_rng(7), wall(1.0), 12)
    stream = ("--stream", "wall=depth", "--out", tmp_path / "c.toml")
    shown = run("depth", pictures(tmp_path / "wall", frames), *stream)
    assert shown.count("no distance was told") == 1
    assert "give --stream wall=depth,focal_px=PIXELS" in " ".join(shown.split())
    done = CliRunner().invoke(app, ["depth", str(tmp_path / "none")])
    assert isinstance(done.exception, SourceError)
    assert "give --distance METRES" in done.output


def test_a_section_that_is_there_is_refused_before_a_wall_is_read(tmp_path: Path) -> None:
    frames = seen(np.random.default_rng(8), wall(1.0), 6)
    words = ("--distance", 1, "--stream", STREAM, "--out", tmp_path / "c.toml")
    run("depth", pictures(tmp_path / "wall", frames), *words)
    (tmp_path / "again").mkdir()
    with pytest.raises(InputError, match="already has a section"):
        run("depth", pictures(tmp_path / "again" / "wall", frames[:2]), *words)


def test_distances_must_pair_with_recordings(tmp_path: Path) -> None:
    recording = pictures(tmp_path / "wall", seen(np.random.default_rng(5), wall(1.0), 6))
    with pytest.raises(InputError, match="1 recordings and 2 --distance were given"):
        run("depth", recording, "--distance", 1, "--distance", 2)
    with pytest.raises(InputError, match="--distance '1m' is no number"):
        run("depth", recording, "--distance", "1m")


def test_parts_of_one_recording_have_distances(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    frames = seen(rng, wall(0.5), 30, scale=1.02) + seen(rng, wall(1.5), 30, scale=1.02)
    out = tmp_path / "c.toml"
    run(
        *("depth", pictures(tmp_path / "wall", frames), "--stream", STREAM, "--out", out),
        *("--distance", "0.5@0..0.9", "--distance", "1.5@1.1.."),
    )
    section = read_toml(out)["depth"]["wall"]
    assert section["scale"] == pytest.approx(1.02, abs=0.004)
    assert section["offset_m"] == pytest.approx(0, abs=0.005)


def test_a_real_d435_tells_its_camera_and_is_too_short(test_data: Path, tmp_path: Path) -> None:
    bag = test_data / "bags" / "realsense_d435_depth_color.bag"
    facts = depth_camera(bag, "/device_0/sensor_0/Depth_0/image/data")
    assert facts.baseline_m == pytest.approx(0.05, abs=0.001)
    assert facts.camera is not None
    assert 300 < facts.camera.focal_px < 1000
    told = rf"^{bag.name}, /device_0/.*: the recording has 2 depth frames, expected at least 5"
    with pytest.raises(InputError, match=told):
        run("depth", bag, "--distance", 1, "--out", tmp_path / "c.toml")


def test_a_real_room_is_no_wall(test_data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no plane|is measured, expected"):
        run("depth", test_data / "rgbd" / "depth", "--distance", 1, "--out", tmp_path / "c.toml")


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        scale, offset = rng.uniform(0.95, 1.05), rng.uniform(-0.02, 0.02)
        walls = []
        for distance in (0.6, 1.1, 2.0)[: rng.integers(2, 4)]:
            true_m = wall(distance, tilt=tuple(rng.uniform(-0.3, 0.3, 2)))
            view = view_of(seen(rng, true_m, 6, scale=scale, offset_m=offset))
            walls.append(Seen(view, distance + rng.normal(0, 0.002)))
        fit = fit_depth(walls)
        assert fit.scale_interval is not None
        assert fit.offset_interval is not None
        held.append([
            fit.scale_interval[0] <= scale <= fit.scale_interval[1],
            fit.offset_interval[0] <= offset <= fit.offset_interval[1],
        ])  # fmt: skip
    assert (np.mean(held, axis=0) >= 0.90).all(), np.mean(held, axis=0)


@pytest.mark.slow
def test_errors_shrink_with_the_root_of_the_frames() -> None:
    def spread(frames: int) -> float:
        scales = []
        for seed in range(60):
            rng = np.random.default_rng(seed)
            view = view_of(seen(rng, wall(2.0), frames, noise=0.02))
            scales.append(fit_depth([Seen(view, 2.0)], tape_error_m=1e-9).scale)
        return float(np.std(scales))

    assert 2.2 < spread(5) / spread(80) < 6.5  # 4 = sqrt(16), known to 18 % of 60 instances each
