# SPDX-License-Identifier: Apache-2.0
"""Rotations by tf2, and what is said where it is not installed."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sensebind.errors import InputError
from sensebind_ros.frames import Frames, rotation_of

QUARTER_LEFT = (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))


def test_rotations_of_quaternions() -> None:
    np.testing.assert_allclose(rotation_of(0, 0, 0, 2.0), np.eye(3))
    turned = rotation_of(*QUARTER_LEFT) @ [1.0, 0.0, 0.0]
    np.testing.assert_allclose(turned, [0.0, 1.0, 0.0], atol=1e-12)
    optical = rotation_of(-0.5, 0.5, -0.5, 0.5)  # of a camera in its body, REP 103
    np.testing.assert_allclose(optical @ [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], atol=1e-12)
    with pytest.raises(InputError, match="rotation of length 0"):
        rotation_of(0, 0, 0, 0)


def test_tf2_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(InputError, match="target_frame is set, but tf2_ros is not installed"):
        Frames(SimpleNamespace())


def test_transforms_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a stand-in: tf2_ros is not on PyPI."""

    class TransformException(Exception):  # noqa: N818 - its name
        pass

    class Buffer:
        def lookup_transform(self, target: str, source: str, _: Any) -> Any:
            if (target, source) != ("base_link", "imu_link"):
                raise TransformException(source)
            rotation = SimpleNamespace(**dict(zip("xyzw", QUARTER_LEFT, strict=True)))
            return SimpleNamespace(transform=SimpleNamespace(rotation=rotation))

    class TransformListener:
        def __init__(self, *_: Any, spin_thread: bool) -> None:
            assert not spin_thread

        def unregister(self) -> None:
            closed.append(True)

    closed: list[bool] = []
    tf2 = ModuleType("tf2_ros")
    vars(tf2).update(
        Buffer=Buffer, TransformListener=TransformListener, TransformException=TransformException
    )
    rclpy_time = ModuleType("rclpy.time")
    vars(rclpy_time).update(Time=object)
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2)
    if "rclpy" not in sys.modules:
        rclpy = ModuleType("rclpy")
        vars(rclpy).update(time=rclpy_time)
        monkeypatch.setitem(sys.modules, "rclpy", rclpy)
        monkeypatch.setitem(sys.modules, "rclpy.time", rclpy_time)
    frames = Frames(SimpleNamespace())
    assert frames.rotation("base_link", "camera") is None
    found = frames.rotation("base_link", "imu_link")
    assert found is not None
    np.testing.assert_allclose(found @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)
    frames.close()
    assert closed == [True]
