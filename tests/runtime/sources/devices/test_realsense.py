# SPDX-License-Identifier: Apache-2.0
"""librealsense's own software camera: what is injected arrives, all of it and to the bit."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pyrealsense2", reason="pyrealsense2 (extra realsense) is missing")

import pyrealsense2 as rs

from sensebind import Bundle, Pipeline
from sensebind.config import OPTICAL_TO_BODY, StreamConfig
from sensebind.errors import MissingExtraError, SourceError
from sensebind.preprocess import join_imu
from sensebind.sources.base import EndOfStream
from sensebind.sources.devices.realsense import RealSense
from sensebind.sources.devices.realsense_profiles import realsense_cameras
from sensebind.types import Modality
from tests.support.ears import Ears
from tests.support.soft_realsense import (
    ACCEL_HZ,
    GYRO_HZ,
    HEIGHT,
    WIDTH,
    SoftContext,
    SoftRealSense,
)

if TYPE_CHECKING:
    from pathlib import Path

DEPTH, COLOUR, IMU = "/realsense/depth", "/realsense/color", "/realsense/imu"
SELECTED = {
    DEPTH: StreamConfig(modality=Modality.DEPTH),
    COLOUR: StreamConfig(modality=Modality.VISION),
    IMU: StreamConfig(modality=Modality.IMU),
}
MS = 1_000_000


@pytest.fixture
def camera() -> SoftRealSense:
    return SoftRealSense("8213")


def opened(camera: SoftRealSense, *streams: str) -> tuple[RealSense, Ears]:
    ears, source = Ears(), RealSense(context=lambda: SoftContext([camera]))
    wanted = {name: SELECTED[name] for name in streams or SELECTED}
    source.start(wanted, ears.take, ears.fail)
    return source, ears


def motion(seconds: float) -> tuple[list[float], list[float]]:
    """Milliseconds of accelerations and angular velocities, with microseconds behind the point."""
    accel = 1000.123 + np.arange(round(seconds * ACCEL_HZ)) * 1000 / ACCEL_HZ
    gyro = 1000.456 + np.arange(round(seconds * GYRO_HZ)) * 1000 / GYRO_HZ
    return accel.tolist(), gyro.tolist()


def inject_motion(camera: SoftRealSense, seconds: float) -> None:
    """In bursts, as the device's HID interface delivers."""
    accel, gyro = motion(seconds)
    for begin in range(0, max(len(accel), len(gyro)), 8):
        for number in range(begin, min(begin + 8, len(gyro))):
            camera.rotate((0.01 * number, 0.0, 1.0), number, gyro[number])
        for number in range(begin, min(begin + 8, len(accel))):
            camera.accelerate((0.1 * number, -9.8, 0.5), number, accel[number])


def test_streams_tell_what_the_camera_is(camera: SoftRealSense) -> None:
    infos = {i.name: i for i in RealSense(context=lambda: SoftContext([camera])).streams()}
    assert list(infos) == [DEPTH, COLOUR, IMU]
    assert {info.clock for info in infos.values()} == {"realsense 8213 hardware clock"}
    assert [info.encoding for info in infos.values()] == ["16UC1", "rgb8", ""]
    assert [info.rate_hz for info in infos.values()] == [30, 30, GYRO_HZ]


def test_a_camera_that_keeps_the_hosts_time_says_so() -> None:
    camera = SoftRealSense("8213", global_time=True)
    infos = RealSense(context=lambda: SoftContext([camera])).streams()
    assert {info.clock for info in infos} == {"realsense 8213 global time"}


def test_pictures_arrive_to_the_bit_with_unit_and_focal_length(camera: SoftRealSense) -> None:
    source, ears = opened(camera)
    rng = np.random.default_rng(0)
    depths = rng.integers(0, 65_535, (5, HEIGHT, WIDTH), np.uint16)
    colours = rng.integers(0, 255, (5, HEIGHT, WIDTH, 3), np.uint8)
    for number in range(5):
        camera.see(depths[number], colours[number], number, 1000.123456 + number * 33.3)
    source.stop()
    for number, block in enumerate(ears.frames(DEPTH)):
        assert block.stamp_ns == round((1000.123456 + number * 33.3) * MS)
        assert block.frame.encoding == "16UC1"
        assert (block.frame.scale, block.frame.focal_px) == (0.001, 60.0)
    for block in ears.frames(COLOUR):
        assert (block.frame.encoding, block.frame.width, block.frame.step) == ("rgb8", WIDTH, 192)
    assert camera.same(ears.frames(DEPTH), depths)
    assert camera.same(ears.frames(COLOUR), colours)
    assert source.report.read == {DEPTH: 5, COLOUR: 5}


def test_every_motion_sample_is_accounted_for(camera: SoftRealSense) -> None:
    source, ears = opened(camera)
    inject_motion(camera, 5.0)
    source.stop()
    accel, gyro = (np.round(np.array(each) * MS).astype(np.int64) for each in motion(5.0))
    readings = np.arange(max(len(accel), len(gyro)))[:, np.newaxis]
    accels = np.float32(readings[: len(accel)] * [0.1, 0, 0] + [0, -9.8, 0.5]).astype(float)
    rates = np.float32(readings[: len(gyro)] * [0.01, 0, 0] + [0, 0, 1]).astype(float)
    turn = np.array(OPTICAL_TO_BODY).reshape(3, 3).T
    expected_ns, expected = join_imu(accel, accels @ turn, gyro, rates @ turn)
    stamps_ns, values = ears.samples(IMU)
    np.testing.assert_array_equal(stamps_ns, expected_ns)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(values[:, 2], 9.8, atol=1e-6)  # at rest: upwards
    lost = source.report.skipped.get(IMU, {})
    assert set(lost) <= {"before the first acceleration", "after the last acceleration"}
    assert source.report.read[IMU] == len(stamps_ns)
    assert len(stamps_ns) + sum(lost.values()) == len(gyro)
    assert len(ears.of(IMU)) < len(gyro) / 2  # several at a time


def test_frames_that_the_driver_lost_are_counted(camera: SoftRealSense) -> None:
    source, _ = opened(camera)
    pixels = np.zeros((HEIGHT, WIDTH), np.uint16), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for number in (0, 1, 4):
        camera.see(*pixels, number, 1000.0 + number)
    source.stop()
    assert source.report.skipped[DEPTH] == {"lost in the driver": 2}


def test_only_what_was_selected_is_opened(camera: SoftRealSense) -> None:
    source, ears = opened(camera, COLOUR)
    assert len(source._sensors) == 1
    source.stop()
    assert not ears.blocks


@pytest.mark.parametrize("domain", ["system_time", "global_time"])
def test_stamps_of_other_clocks_are_not_mixed_in(camera: SoftRealSense, domain: str) -> None:
    camera.domain = getattr(rs.timestamp_domain, domain)
    source, ears = opened(camera)
    camera.see(np.zeros((HEIGHT, WIDTH), np.uint16), np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0, 7.0)
    camera.rotate((0, 0, 0), 0, 7.0)
    source.stop()
    if domain == "system_time":
        assert [block.stamp_ns for block in ears.frames(DEPTH)] == [0]
        assert source.report.skipped == {IMU: {"without a stamp of the device": 1}}
        assert "placed by their arrival" in source.report.notes[0]
    else:
        assert not ears.blocks
        assert source.report.skipped[DEPTH] == {"stamped by the global time": 1}


def test_an_unplugged_camera_fails_and_is_found_again(camera: SoftRealSense) -> None:
    context = SoftContext([camera])
    ears, source = Ears(), RealSense("8213", context=lambda: context)
    source.start(SELECTED, ears.take, ears.fail)
    context.unplug(camera)
    assert "RealSense 8213 was disconnected" in str(ears.failure())
    source.stop()
    with pytest.raises(SourceError, match="there is no RealSense camera; connect one to a USB 3"):
        source.start(SELECTED, ears.take, ears.fail)
    source.stop()
    back = SoftRealSense("8213")
    context.cameras.append(back)
    source.start(SELECTED, ears.take, ears.fail)
    inject_motion(back, 0.5)
    source.stop()
    assert len(ears.samples(IMU)[0]) > 100


def test_a_serial_number_that_is_not_there_names_those_that_are(camera: SoftRealSense) -> None:
    context = SoftContext([camera])
    assert realsense_cameras(context) == {"8213": "Soft camera"}
    with pytest.raises(
        SourceError, match=r"no RealSense camera '8214'; did you mean '8213'\? There are 8213 "
        r"\(Soft camera\)",
    ):  # fmt: skip
        RealSense("8214", context=lambda: context).streams()


def test_a_camera_that_cannot_be_opened_says_why(camera: SoftRealSense) -> None:
    source, ears = opened(camera)  # a sensor is opened once
    other = RealSense(context=lambda: SoftContext([camera]))
    with pytest.raises(SourceError, match=r"RealSense cannot be opened .* close the program"):
        other.start(SELECTED, ears.take, ears.fail)
    other.stop()
    source.stop()


def test_a_run_encodes_what_is_injected(camera: SoftRealSense, bundle_folder: Path) -> None:
    with Bundle.load(str(bundle_folder)) as bundle, Pipeline(bundle) as pipeline:
        source = Injecting(camera)
        embeddings = list(pipeline.run(source))
    assert {e.stream for e in embeddings} >= {IMU}
    for report in pipeline.report.streams.values():
        assert report.pending_samples == 0


class Injecting(RealSense):
    """A camera that sees and feels three seconds as soon as it is opened, then has ended."""

    def __init__(self, camera: SoftRealSense) -> None:
        super().__init__(context=lambda: SoftContext([camera]))
        self._camera = camera

    def start(self, selected: Any, deliver: Any, fail: Any) -> None:
        super().start(selected, deliver, fail)
        inject_motion(self._camera, 6.0)
        fail(EndOfStream())


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrealsense2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sensebind\[realsense\]'"):
        RealSense().streams()
