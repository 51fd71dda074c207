# SPDX-License-Identifier: Apache-2.0
"""Actions of the launch_ros package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch import Action

if TYPE_CHECKING:
    from collections.abc import Sequence


class Node(Action):
    """Runs a program; without a package the executable is a path, or on the PATH."""

    def __init__(
        self,
        *,
        executable: str,
        package: str | None = None,
        name: str | None = None,
        namespace: str | None = None,
        arguments: Sequence[str] = (),
        ros_arguments: Sequence[str] = (),
        output: str = "log",
    ) -> None:
        self.executable = executable
        self.package = package
        self.name = name
        self.namespace = namespace
        self.arguments = list(arguments)
        self.ros_arguments = list(ros_arguments)
        self.output = output


class LifecycleNode(Node):
    """Runs a program whose node has a lifecycle; its name and namespace must be told."""
