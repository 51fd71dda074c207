# SPDX-License-Identifier: Apache-2.0
"""RealSense recordings of either generation: device stamps, depth unit, focal length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.config import StreamConfig
from sensebind.sources import open_source
from sensebind.sources.bags import containers
from sensebind.sources.bags.camera_facts import read_focal_length
from sensebind.sources.messages.wire import DecodeError
from sensebind.types import FrameBlock, Modality, SampleBlock
from tests.support import bags, realsense
from tests.support.blocks import read_all

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.sources.base import Source

START_NS = 1_700_000_000_000_000_000


def frames(source: Source) -> list[FrameBlock]:
    return [block for block in read_all(source) if isinstance(block, FrameBlock)]


def device_stamps_ns(count: int) -> list[int]:
    return [round(realsense.device_ms(number) * 1_000_000) for number in range(count)]


@pytest.mark.parametrize("stretch_messages", [1, 3, 7, 1000])
def test_a_database_gives_the_devices_stamps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stretch_messages: int
) -> None:
    for name in ("STRETCH_MESSAGES", "FIRST_STRETCH_MESSAGES"):
        monkeypatch.setattr(containers, name, stretch_messages)
    source = open_source(realsense.write_db3(tmp_path / "a.db3", 40))
    selected = {
        realsense.DEPTH_DB3: StreamConfig(modality=Modality.DEPTH),
        realsense.ACCEL: StreamConfig(modality=Modality.IMU),
    }
    blocks = list(source.blocks(selected, "stamp"))
    depth = [block for block in blocks if isinstance(block, FrameBlock)]
    assert [block.stamp_ns for block in depth] == device_stamps_ns(40)
    readings = [block for block in blocks if isinstance(block, SampleBlock)]
    stamps_ns = np.concatenate([block.stamps_ns for block in readings])
    assert stamps_ns.tolist() == device_stamps_ns(40)
    assert np.concatenate([b.values for b in readings])[:, 2].tolist() == list(range(40))
    assert source.report.skipped == {}
    assert source.report.read == {realsense.DEPTH_DB3: 40, realsense.ACCEL: 40}


def test_frames_without_metadata_are_counted(tmp_path: Path) -> None:
    source = open_source(realsense.write_db3(tmp_path / "a.db3", 10, without_metadata=(0, 4, 9)))
    stamps_ns = [block.stamp_ns for block in frames(source)]
    assert stamps_ns == [ns for k, ns in enumerate(device_stamps_ns(10)) if k not in (0, 4, 9)]
    cause = {"no metadata tells its stamp": 3}
    assert source.report.skipped == {realsense.DEPTH_DB3: cause}


def test_both_generations_tell_depth_unit_and_focal_length(tmp_path: Path) -> None:
    for path in (
        realsense.write_db3(tmp_path / "a.db3", 3),
        realsense.write_bag(tmp_path / "a.bag", 3),
    ):
        found = frames(open_source(path))
        assert [(b.frame.scale, b.frame.focal_px) for b in found] == [(0.0005, 390.5)] * 3
        assert [block.stamp_ns for block in found] == device_stamps_ns(3)


def test_a_focal_length_of_another_size_is_scaled(tmp_path: Path) -> None:
    info = realsense._camera_info("/cam/camera_info", START_NS)
    pictures = [
        bags.image(f"/cam/{name}", START_NS + k, np.zeros((4, width), np.uint8), "mono8")
        for k, (name, width) in enumerate(
            [("same", realsense.WIDTH), ("half", realsense.WIDTH // 2)]
        )
    ]
    source = open_source(bags.write_mcap(tmp_path / "a.mcap", [info, *pictures]))
    assert {b.stream: b.frame.focal_px for b in frames(source)} == {
        "/cam/same": 390.5,
        "/cam/half": 390.5 / 2,
    }


def test_cameras_without_calibration_have_no_focal_length() -> None:
    message = bags.serialize(realsense._camera_info("/cam/camera_info", START_NS))
    assert read_focal_length(message, "cdr") == (390.5, realsense.WIDTH)
    with pytest.raises(DecodeError, match="not calibrated"):
        read_focal_length(message.replace(np.float64(390.5).tobytes(), bytes(8)), "cdr")
    with pytest.raises(DecodeError, match="malformed"):
        read_focal_length(message[:60], "cdr")
