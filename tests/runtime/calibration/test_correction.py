# SPDX-License-Identifier: Apache-2.0
"""Blocks as a calibrated sensor would have delivered them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.calibration import Calibration, Correction
from sensebind.errors import CalibrationError
from sensebind.types import Frame, FrameBlock, Modality, SampleBlock, UniformBlock
from tests.support.calibrations import IDENTITY, provenance, write_calibration
from tests.support.running import START_NS

if TYPE_CHECKING:
    from pathlib import Path

S = 10**9
IMU = {
    "accel_matrix": IDENTITY,
    "accel_bias": [0.0, 0.0, 0.0],
    "gyro_matrix": IDENTITY,
    "gyro_bias": [0.0, 0.0, 0.0],
}
CLOCK = {"reference": "/r", "offset_ns": 40_000_000, "reference_ns": START_NS}


def correction(folder: Path, modality: Modality, **kinds: dict[str, Any]) -> Correction:
    """Of the stream "s", which has these sections."""
    path = write_calibration(folder, **{kind: {"s": table} for kind, table in kinds.items()})
    return Correction(Calibration.load(path).of_stream("s", modality))


def readings(rate_hz: float, count: int = 200) -> SampleBlock:
    stamps = START_NS + np.rint(np.arange(count) * S / rate_hz).astype(np.int64)
    return SampleBlock("s", stamps, np.ones((count, 6)))


def sound(rate_hz: float = 16_000.0, clock_rate_hz: float = 0.0) -> UniformBlock:
    values = np.linspace(-0.5, 0.5, 8, dtype=np.float32).reshape(4, 2)
    return UniformBlock("s", START_NS, rate_hz, values, clock_rate_hz)


def frame(width: int, height: int) -> FrameBlock:
    data = np.full((height, width), 1000, np.uint16)
    return FrameBlock("s", START_NS, Frame(data.tobytes(), "16UC1", width, height))


def test_sound_gets_its_gain_and_loses_its_offset(tmp_path: Path) -> None:
    origin = provenance(rate_hz=16_000.0)
    section = {"gain": 2.0, "dc_offset": 0.25, "provenance": origin}
    block = sound()
    found = correction(tmp_path, Modality.AUDIO, microphone=section).apply(block)
    assert isinstance(found, UniformBlock)
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.values, (block.values - 0.25) * 2)
    assert found.clock_rate_hz == 0


def test_the_true_rate_places_sound_where_none_was_measured(tmp_path: Path) -> None:
    origin = provenance(rate_hz=16_000.0)
    section = {"true_rate_hz": 16_001.6, "provenance": origin}
    correct = correction(tmp_path, Modality.AUDIO, microphone=section)
    block = sound()
    found = correct.apply(block)
    assert isinstance(found, UniformBlock)
    assert found.clock_rate_hz == pytest.approx(16_001.6)
    assert found.values is block.values
    measured = correct.apply(sound(clock_rate_hz=15_999.0))
    assert isinstance(measured, UniformBlock)
    assert measured.clock_rate_hz == 15_999.0


def test_sound_of_another_rate_is_refused(tmp_path: Path) -> None:
    section = {"gain": 2.0, "provenance": provenance(rate_hz=48_000.0)}
    correct = correction(tmp_path, Modality.AUDIO, microphone=section)
    with pytest.raises(CalibrationError, match=r"made at 48000 Hz, but .* 44100 Hz.*within 1%"):
        correct.apply(sound(44_100.0))
    correct.apply(sound(48_000.0))


@pytest.mark.parametrize("drift_ppm", [0.0, 200.0])
def test_stamps_are_those_of_the_reference(drift_ppm: float, tmp_path: Path) -> None:
    section = {**CLOCK, "drift_ppm": drift_ppm}
    slope = 1 / (1 + drift_ppm * 1e-6) - 1
    imu = correction(tmp_path, Modality.IMU, clock=section).apply(readings(1.0, 101))
    assert isinstance(imu, SampleBlock)
    assert imu.stamps_ns[0] == START_NS + 40_000_000
    assert imu.stamps_ns[100] == START_NS + 40_000_000 + round(100 * S * (1 + slope))
    picture = correction(tmp_path, Modality.DEPTH, clock=section).apply(frame(2, 2))
    assert isinstance(picture, FrameBlock)
    assert picture.stamp_ns == START_NS + 40_000_000
    heard = correction(tmp_path, Modality.AUDIO, clock=section).apply(sound(clock_rate_hz=16_008.0))
    assert isinstance(heard, UniformBlock)
    assert heard.stamp_ns == START_NS + 40_000_000
    assert heard.clock_rate_hz == pytest.approx(16_008.0 * (1 + drift_ppm * 1e-6))


def test_impossible_stamps_stay_impossible(tmp_path: Path) -> None:
    correct = correction(tmp_path, Modality.IMU, clock=CLOCK)
    stamps = np.array([0, START_NS, -5, 1 << 62], np.int64)
    found = correct.apply(SampleBlock("s", stamps, np.zeros((4, 6))))
    assert isinstance(found, SampleBlock)
    assert found.stamps_ns.tolist() == [0, START_NS + 40_000_000, -5, 1 << 62]


def test_a_clock_that_is_not_known_any_more_is_refused(tmp_path: Path) -> None:
    section = {**CLOCK, "drift_ppm": 50.0, "drift_interval_ppm": 2.0, "offset_interval_ns": 1e6}
    near, far = frame(2, 2), FrameBlock("s", START_NS + 86_400 * S, frame(2, 2).frame)
    correct = correction(tmp_path, Modality.DEPTH, clock=section)
    correct.apply(near)
    correct.apply(far)  # a run that lasts a day is no other run
    with pytest.raises(CalibrationError, match=r"86400 s away, .* only known to ± 173 ms"):
        correction(tmp_path, Modality.DEPTH, clock=section).apply(far)


def test_an_imu_of_another_rate_is_refused(tmp_path: Path) -> None:
    section = {**IMU, "provenance": provenance(rate_hz=400.0)}
    correct = correction(tmp_path, Modality.IMU, imu=section)
    slow = readings(200.0)
    correct.apply(SampleBlock("s", slow.stamps_ns[:40], slow.values[:40]))  # too few to tell
    for part in (slice(40, 130), slice(130, 200)):
        with pytest.raises(CalibrationError, match=r"made at 400 Hz, but .* 200 Hz"):
            correct.apply(SampleBlock("s", slow.stamps_ns[part], slow.values[part]))
    correction(tmp_path, Modality.IMU, imu=section).apply(readings(405.0))


def test_bursts_and_gaps_are_no_other_rate(tmp_path: Path) -> None:
    section = {**IMU, "provenance": provenance(rate_hz=400.0)}
    steady = readings(400.0)
    bursts = START_NS + np.arange(200) // 10 * 25_000_000
    correct = correction(tmp_path, Modality.IMU, imu=section)
    correct.apply(SampleBlock("s", bursts, steady.values))
    gap = steady.stamps_ns + np.where(np.arange(200) > 100, S, 0)
    correct = correction(tmp_path, Modality.IMU, imu=section)
    correct.apply(SampleBlock("s", gap, steady.values))


def test_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    correct = correction(tmp_path, Modality.DEPTH, depth={"width": 8, "height": 6})
    correct.apply(frame(8, 6))
    with pytest.raises(CalibrationError, match="frames of 8 x 6 pixels, this one has 6 x 8"):
        correct.apply(frame(6, 8))
