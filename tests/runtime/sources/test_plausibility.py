# SPDX-License-Identifier: Apache-2.0
"""What is doubted, with which numbers, and what is not."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from sensebind.config import StreamConfig
from sensebind.sources.plausibility import make_check
from sensebind.types import Frame, FrameBlock, Modality, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sensebind.types import Block


def findings(blocks: Sequence[Block], modality: Modality, **options: Any) -> list[str]:
    check = make_check(StreamConfig(modality=modality, **options))
    assert check is not None
    for block in blocks:
        check.add(block)
    return list(check.findings())


def rocking(rate_hz: float = 100.0, seconds: float = 20.0) -> NDArray[np.float64]:
    """An IMU that rocks about its x axis by half a radian, once in four seconds, in FLU axes."""
    times_s = np.arange(0, seconds, 1 / rate_hz)
    angle = 0.5 * np.sin(np.pi / 2 * times_s)
    rate = 0.5 * np.pi / 2 * np.cos(np.pi / 2 * times_s)
    rows = np.zeros((len(times_s), 6))
    rows[:, 1], rows[:, 2] = 9.81 * np.sin(angle), 9.81 * np.cos(angle)
    rows[:, 3] = rate
    return rows


def imu(rows: NDArray[np.float64], rate_hz: float = 100.0) -> list[Block]:
    stamps_ns = (np.arange(len(rows)) * 1e9 / rate_hz).astype(np.int64)
    return [
        SampleBlock("/imu", stamps_ns[k : k + 64], rows[k : k + 64])
        for k in range(0, len(rows), 64)
    ]


def imu_findings(rows: NDArray[np.float64], **options: Any) -> list[str]:
    return findings(imu(rows), Modality.IMU, **options)


def test_a_sound_imu_is_not_doubted() -> None:
    assert imu_findings(rocking()) == []
    assert imu_findings(np.tile([0, 0, 9.81, 0, 0, 0.0], (100, 1))) == []
    assert imu_findings(rocking()[:19] * 100) == []  # too few to tell


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        ((1 / 9.80665, 1), "is 1 m/s², expected about 9.8; it looks like g: give unit=g"),
        ((1000 / 9.80665, 1), "is 1000 m/s², .* looks like thousandths of g: give unit=mg"),
        ((0.01, 1), r"is 0\.0981 m/s², expected about 9\.8; is gravity taken off"),
        ((0, 1), r"is 0 m/s², expected about 9\.8; check the sensor"),
        ((27, 1), r"is 264\.9 m/s², expected about 9\.8; neither m/s² nor g"),
        ((1, 57.29578), r"reach 4\d\.?\d* rad/s \(99th percentile\).* deg/s: give unit=deg/s"),
    ],
)
def test_wrong_units_are_told_with_numbers(factors: tuple[float, float], expected: str) -> None:
    (found,) = imu_findings(rocking() * np.repeat(factors, 3))
    assert re.search(expected, found), found


def test_slow_rates_in_degrees_are_told_by_gravity() -> None:
    rows = rocking()
    rows[:, 1], rows[:, 2] = 9.81 * np.sin(0.1 * np.arange(2000) / 100), 0
    rows[:, 2] = 9.81 * np.cos(0.1 * np.arange(2000) / 100)
    rows[:, 3] = np.rad2deg(0.1)
    assert rows[:, 3].max() < 6  # far below what a gyroscope can measure
    found = imu_findings(rows[:1000])
    assert len(found) == 1
    assert found[0].startswith("the angular velocities (median 5.73 rad/s) turn the direction of")
    rows[:, 3] = 0.1
    assert imu_findings(rows[:1000]) == []


@pytest.mark.parametrize(
    ("axes", "told", "fix"),
    [
        ((1, 2, 0), r"along \+y", r"frame=1;0;0;0;0;-1;0;1;0"),
        ((2, 0, 1), r"along \+x", r"frame=0;0;-1;0;1;0;1;0;0"),
    ],
)
def test_swapped_axes_are_told_with_the_frame_that_helps(
    axes: tuple[int, ...], told: str, fix: str
) -> None:
    rows = rocking()
    turned = np.concatenate([rows[:, :3][:, axes], rows[:, 3:][:, axes]], axis=1)
    (found,) = imu_findings(turned)
    assert told.replace("\\", "") in found
    assert fix in found
    frame = tuple(float(number) for number in fix.removeprefix("frame=").split(";"))
    assert imu_findings(turned, frame=frame) == []


@pytest.mark.parametrize(("name", "axis"), [("optical", "-y"), ("frd", "-z")])
def test_named_frames_are_suggested(name: str, axis: str) -> None:
    rotation = np.reshape(StreamConfig(modality=Modality.IMU, frame=name).rotation or (), (3, 3))
    rows = rocking().reshape(-1, 2, 3) @ rotation
    (found,) = imu_findings(rows.reshape(-1, 6))
    assert f"along {axis} (mean -9" in found
    assert f"give frame={name} if" in found
    assert imu_findings(rows.reshape(-1, 6), frame=name) == []
    (found,) = imu_findings(rocking(), frame=name)
    assert found.endswith("check the frame that was given")


def frame(counts: NDArray[Any], encoding: str, **options: Any) -> FrameBlock:
    height, width = counts.shape
    step = counts.nbytes // height
    return FrameBlock("/d", 0, Frame(counts.tobytes(), encoding, width, height, step, **options))


def png(counts: NDArray[np.uint16]) -> FrameBlock:
    stream = io.BytesIO()
    Image.fromarray(counts).save(stream, "PNG")
    return FrameBlock("/d", 0, Frame(stream.getvalue(), "png"))


COUNTS = np.full((100, 60), 1500, np.uint16)


@pytest.mark.parametrize(
    "block",
    [
        frame(COUNTS, "16UC1"),
        frame(COUNTS, "mono16", scale=0.0001),
        frame(COUNTS.astype(np.float32) / 1000, "32FC1"),
        frame(COUNTS.byteswap(), "16UC1", big_endian=True),
        png(COUNTS),
        FrameBlock("/d", 0, Frame(b"nothing", "png")),
        FrameBlock("/d", 0, Frame(b"", "16UC1", 100, 100, 200)),
        frame(COUNTS.astype(np.uint8), "mono8"),
    ],
)
def test_sound_or_unreadable_depth_is_not_doubted(block: FrameBlock) -> None:
    assert findings([block] * 7, Modality.DEPTH) == []


@pytest.mark.parametrize(
    ("block", "options", "expected"),
    [
        (frame(COUNTS * 0, "16UC1"), {}, "depth is 0 or invalid in all pixels of the first 5"),
        (frame(COUNTS.astype(np.float32) * np.nan, "32FC1"), {}, "0 or invalid in all pixels"),
        (frame(COUNTS.astype(np.float32), "32FC1"), {}, "first 5 frames is 1500 m, more than"),
        (frame(COUNTS, "16UC1"), {"scale": 1.0}, "median depth of the first 5 frames is 1500 m"),
        (frame(COUNTS, "16UC1"), {"unit": "m"}, "median depth of the first 5 frames is 1500 m"),
        (png(COUNTS * 0), {}, "depth is 0 or invalid"),
    ],
)
def test_impossible_depth_is_told(
    block: FrameBlock, options: dict[str, Any], expected: str
) -> None:
    (found,) = findings([block] * 7, Modality.DEPTH, **options)
    assert expected in found


def test_metres_and_millimetres_mixed_are_told() -> None:
    metres = COUNTS.astype(np.float32) / 1000
    metres[:10] *= 1000
    (found,) = findings([frame(metres, "32FC1")], Modality.DEPTH)
    assert "of the depths of the first frame are more than 100 m, their median is 1.5 m" in found


def sound(values: NDArray[Any]) -> list[Block]:
    samples = values.astype(np.float32).reshape(-1, 1)
    return [UniformBlock("/a", 0, 16_000.0, part) for part in np.array_split(samples, 3)]


def test_sound_is_doubted_if_silent_or_clipped() -> None:
    wave = np.sin(np.arange(3000))
    assert findings(sound(0.5 * wave), Modality.AUDIO) == []
    (found,) = findings(sound(0 * wave), Modality.AUDIO)
    assert found == "all 3000 audio samples are 0; check the microphone"
    (found,) = findings(sound(np.clip(2 * wave, -1, 1)), Modality.AUDIO)
    assert found.startswith("66% of the audio samples are at full scale: clipped, or of another")
    assert findings([], Modality.AUDIO) == []


def sounds(rate_hz: float, stamps_s: Sequence[float]) -> list[Block]:
    """A block of 1600 samples at each stamp."""
    values = np.sin(np.arange(1600))[:, np.newaxis].astype(np.float32) / np.float32(2)
    return [UniformBlock("/a", round(stamp * 1e9), rate_hz, values) for stamp in stamps_s]


def test_a_rate_that_the_stamps_contradict_is_told() -> None:
    steady = [0.1 * k for k in range(20)]
    assert findings(sounds(16_000.0, steady), Modality.AUDIO) == []
    assert findings(sounds(48_000.0, steady[:9]), Modality.AUDIO) == []  # too few to tell
    (found,) = findings(sounds(48_000.0, steady), Modality.AUDIO)
    assert found == (
        "its stamps tell about 16000 samples per second, not 48000; check rate= and channels="
    )


@pytest.mark.parametrize(
    "stamps_s",
    [
        [0.1 * k + (5 if k > 10 else 0) for k in range(20)],  # a pause
        [0.1 * k - (0.2 if k > 10 else 0) for k in range(20)],  # two blocks told twice
        [0.1 * k + 0.1 * (k // 4) for k in range(36)],  # every fifth block lost
        [0.1 * k * 1.005 for k in range(80)],  # a slow card
        [0.1 * k - (5 if k > 10 else 0) for k in range(99)],  # the clock set back
        [0.0] * 20,
    ],
)
def test_pauses_repeats_and_resets_are_no_other_rate(stamps_s: Sequence[float]) -> None:
    assert findings(sounds(16_000.0, stamps_s), Modality.AUDIO) == []


def test_more_samples_than_there_was_time_for_are_of_another_rate_even_in_bursts() -> None:
    stamps_s = [0.5 * (k // 5) + 0.001 * (k % 5) for k in range(40)]
    (found,) = findings(sounds(12_000.0, stamps_s), Modality.AUDIO)
    assert found.startswith("its stamps tell about 17")
    assert found.endswith("samples per second, not 12000; check rate= and channels=")


@pytest.mark.parametrize(
    ("late_s", "told"),
    [
        ([0.1, 0.001] * 20, "up to 99 ms off the count of its samples, .*; give jitter=0.11"),
        ([0.001 * (k % 8) for k in range(40)], "up to 7 ms off .*; give jitter=0.02"),
    ],
)
def test_stamps_that_come_in_bursts_are_told(late_s: list[float], told: str) -> None:
    blocks = sounds(16_000.0, [0.1 * k + late for k, late in enumerate(late_s)])
    (found,) = findings(blocks, Modality.AUDIO)
    assert re.fullmatch(f"its stamps are uneven: they lie {told}", found)
    assert findings(blocks, Modality.AUDIO, jitter_s=0.1) == []


def test_cameras_are_not_checked() -> None:
    assert make_check(StreamConfig(modality=Modality.VISION)) is None
