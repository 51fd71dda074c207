# SPDX-License-Identifier: Apache-2.0
"""ROS 2, as this process would find it. Nothing of it is imported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sensebind.doctor.asking import has_module
from sensebind.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROFILES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Since Kilted, and before."""
_FAST = "rmw_fastrtps_cpp"


def ros() -> Iterator[Finding]:
    """Distribution, modules and middleware."""
    installed = sorted(path.name for path in Path("/opt/ros").glob("*"))
    distro = os.environ.get("ROS_DISTRO", "")
    if not has_module("rclpy"):
        if installed and not distro:
            yield Finding(
                "ros",
                "note",
                f"ROS 2 {', '.join(installed)} is installed, its environment is not set",
                f"source /opt/ros/{installed[-1]}/setup.bash",
            )
        elif distro:
            yield Finding(
                "ros",
                "warning",
                f"ROS 2 {distro} is set up, but this Python does not see rclpy",
                "make the environment with --system-site-packages, of the distribution's Python",
            )
        else:
            yield Finding("ros", "ok", "no ROS 2; recordings and devices need none")
        return
    yield Finding("ros", "ok", f"rclpy is there{f', ROS 2 {distro}' if distro else ''}")
    if not has_module("sensebind_msgs"):
        yield Finding(
            "ros",
            "warning",
            "sensebind_msgs is not built: the node publishes Float32MultiArray, without stamps",
            "build it with colcon, or with make ros",
        )
    yield from _middleware()


def _middleware() -> Iterator[Finding]:
    name = os.environ.get("RMW_IMPLEMENTATION", _FAST)
    if name != _FAST:
        yield Finding(
            "ros", "note", f"the middleware is {name}: see docs/ros.md for its large messages"
        )
        return
    files = {name: os.environ[name] for name in _PROFILES if os.environ.get(name)}
    missing = [f"{name}={file}" for name, file in files.items() if not Path(file).is_file()]
    if missing:
        yield Finding("ros", "warning", f"there is no file {', '.join(missing)}", _SHM)
    elif files:
        yield Finding("ros", "ok", f"Fast DDS reads {', '.join(sorted(set(files.values())))}")
    else:
        yield Finding(
            "ros",
            "note",
            "Fast DDS has its default profile, which loses most depth pictures sent best-effort",
            _SHM,
        )


_SHM = (
    "the launch files set SenseBind's profile by themselves; other nodes that send large messages "
    f"need it too: export {' and '.join(_PROFILES)}=.../fastdds.xml before they start"
)
