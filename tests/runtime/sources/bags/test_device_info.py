# SPDX-License-Identifier: Apache-2.0
"""Serial numbers of cameras in recordings of the RealSense viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.sources import open_source
from tests.support import bags

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rosbags.typesys.store import Typestore

TYPE = "diagnostic_msgs/msg/KeyValue"
DEPTH = "/device_0/sensor_0/Depth_0/image/data"


def told(topic: str, key: str, value: str) -> bags.Message:
    def build(store: Typestore, _header: Any) -> object:
        return store.types[TYPE](key=key, value=value)

    return bags.Message(topic, TYPE, 1, 1, build)


def picture(topic: str) -> bags.Message:
    return bags.image(topic, 2, np.full((4, 6), 1000, np.uint16), "mono16")


@pytest.mark.parametrize("write", [bags.write_mcap, bags.write_ros1], ids=["mcap", "ros1"])
def test_the_camera_of_a_stream_is_told(write: Callable[..., Path], tmp_path: Path) -> None:
    messages = [
        told("/device_0/info", "Name", "Intel RealSense D435"),
        told("/device_0/info", "Serial Number", "728612070259"),
        told("/device_1/info", "Name", "Serial Number"),
        picture(DEPTH),
        picture(DEPTH.replace("device_0", "device_1")),
        picture("/camera/depth"),
    ]
    path = write(tmp_path / ("a.bag" if write is bags.write_ros1 else "a.mcap"), messages)
    serials = {info.name: info.serial for info in open_source(path).streams()}
    assert serials[DEPTH] == "728612070259"
    assert serials[DEPTH.replace("device_0", "device_1")] == ""
    assert serials["/camera/depth"] == ""
