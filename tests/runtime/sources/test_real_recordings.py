# SPDX-License-Identifier: Apache-2.0
"""Recordings of real sensors, in the folder SENSEBIND_TEST_DATA names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from sensebind.config import StreamConfig
from sensebind.errors import InputError
from sensebind.sources import open_source
from sensebind.sources.base import StreamKind
from sensebind.sources.mapping import map_streams
from sensebind.types import FrameBlock, Modality, SampleBlock, UniformBlock
from tests.support.blocks import read_all

if TYPE_CHECKING:
    from pathlib import Path

VISION_AND_IMU = {Modality.VISION, Modality.IMU}


def test_a_d435_gives_its_colour_and_says_why_not_its_depth(test_data: Path) -> None:
    source = open_source(test_data / "bags" / "realsense_d435_depth_color.bag")
    infos = source.streams()
    assert len(infos) == 70
    assert "/device_0/sensor_0/option/Depth Units/value" in {info.name for info in infos}
    mapping = map_streams(infos, VISION_AND_IMU, {})
    assert list(mapping.selected) == ["/device_0/sensor_1/Color_0/image/data"]
    depth = next(d for d in mapping.decisions if d.modality is Modality.DEPTH)
    assert depth.reason == "depth by name and encoding mono16, but the bundle has no depth encoder"
    with_depth = map_streams(infos, set(Modality), {})
    assert sorted(str(config.modality) for config in with_depth.selected.values()) == [
        "depth",
        "vision",
    ]
    blocks = [b for b in source.blocks(with_depth.selected, "stamp") if isinstance(b, FrameBlock)]
    assert sorted(block.stamp_ns for block in blocks) == [
        360_713_523_000,
        360_815_089_000,
        360_981_765_000,
    ]
    assert {(b.frame.encoding, b.frame.width, b.frame.height, b.frame.step) for b in blocks} == {
        ("mono16", 640, 480, 1280),
        ("rgb8", 640, 480, 1920),
    }


def test_an_ardrone_gives_every_imu_message(test_data: Path) -> None:
    source = open_source(test_data / "bags" / "ardrone_imu.bag")
    blocks = [block for block in read_all(source) if isinstance(block, SampleBlock)]
    stamps_ns = np.concatenate([block.stamps_ns for block in blocks])
    values = np.concatenate([block.values for block in blocks])
    assert source.report.read == {"/ardrone/imu": 4308}
    assert source.report.skipped == {}
    steps_s = np.diff(stamps_ns) / 1e9
    assert steps_s.min() > 0
    assert steps_s.max() == pytest.approx(1.0, abs=0.1)  # the one gap of the recording
    assert np.abs(values[:, 3:]).max() == pytest.approx(23, abs=1)
    assert values[0, 2] == pytest.approx(9.681935966014862)


def test_a_bag_without_messages(test_data: Path) -> None:
    source = open_source(test_data / "bags" / "no-messages.bag")
    with pytest.raises(InputError, match=r"0 messages"):
        map_streams(source.streams(), VISION_AND_IMU, {})


def test_a_bag_without_senses_lists_its_topics(test_data: Path) -> None:
    source = open_source(test_data / "bags" / "example-lz4.bag")
    assert {info.kind for info in source.streams()} == {StreamKind.OTHER}
    assert sum(info.count for info in source.streams()) == 8647
    with pytest.raises(InputError, match=r"/turtle1/pose: turtlesim/msg/Pose is not a sense"):
        map_streams(source.streams(), VISION_AND_IMU, {})


def test_a_folder_of_colour_and_depth_pictures(test_data: Path) -> None:
    source = open_source(test_data / "rgbd" / "color")
    blocks = read_all(source)
    assert [b.stamp_ns for b in blocks if isinstance(b, FrameBlock)] == [
        k * 1_000_000_000 for k in range(5)
    ]
    both = map_streams(open_source(test_data / "rgbd").streams(), set(Modality), {})
    assert {name: str(c.modality) for name, c in both.selected.items()} == {
        "color": "vision",
        "depth": "depth",
    }


def test_a_folder_of_sounds(test_data: Path) -> None:
    source = open_source(test_data / "esc10" / "009 - Rooster")
    infos = source.streams()
    assert len(infos) == 32
    assert {info.kind for info in infos} == {StreamKind.UNIFORM}


def test_a_d435s_depth_has_its_unit_and_focal_length(test_data: Path) -> None:
    source = open_source(test_data / "bags" / "realsense_d435_depth_color.bag")
    name = "/device_0/sensor_0/Depth_0/image/data"
    blocks = list(source.blocks({name: StreamConfig(modality=Modality.DEPTH)}, "stamp"))
    frames = [block.frame for block in blocks if isinstance(block, FrameBlock)]
    assert [frame.scale for frame in frames] == [0.001, 0.001]
    assert [frame.focal_px for frame in frames] == pytest.approx([390.43] * 2, abs=0.01)
    assert source.report.notes == [
        f"{name}: 0.001 m per count, focal length 390.43 px, as the recording tells"
    ]


def test_real_sensors_are_not_doubted_but_for_what_is_odd(test_data: Path) -> None:
    source = open_source(test_data / "bags" / "ardrone_imu.bag")
    for unit, finding in (
        (None, None),
        ("mg", "is 0.09518 m/s², expected about 9.8; is gravity taken off"),
        ("mrad/s", None),
    ):
        config = StreamConfig(modality=Modality.IMU, unit=unit)
        source.report.notes.clear()
        list(source.blocks({"/ardrone/imu": config}, "stamp"))
        assert len(source.report.notes) == (finding is not None), source.report.notes
        assert finding is None or finding in source.report.notes[0]


def test_real_sounds_are_read_whole(test_data: Path) -> None:
    source = open_source(test_data / "esc10" / "009 - Rooster")
    infos = source.streams()
    selected = {info.name: StreamConfig(modality=Modality.AUDIO) for info in infos}
    samples: dict[str, int] = {}
    for block in source.blocks(selected, "stamp"):
        assert isinstance(block, UniformBlock)
        samples[block.stream] = samples.get(block.stream, 0) + len(block.values)
        assert block.rate_hz == 44_100
        assert abs(block.values).max() <= 1.5  # Vorbis may overshoot
    folder = test_data / "esc10" / "009 - Rooster"
    assert samples == {path.name: soundfile.info(str(path)).frames for path in folder.iterdir()}
    assert source.report.skipped == {}
