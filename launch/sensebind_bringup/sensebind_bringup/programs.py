# SPDX-License-Identifier: Apache-2.0
"""Programs of ROS packages, found without `ros2 run`, and the environment of processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sensebind_bringup.plan import PlanError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensebind_bringup.plan import Plan, Process

_RESTARTED = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"
"""Set where ROS comes from wheels, when the interpreter was started again with their libraries."""
_LIBRARIES = "LD_LIBRARY_PATH"


def find_program(process: Process, present: Mapping[str, str] | None = None) -> list[str]:
    """The words that start a process' program; none for a module.

    Raises:
        PlanError: if its package is not installed, or not sourced.
    """
    if process.module:
        return []
    present = os.environ if present is None else present
    for prefix in present.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        program = Path(prefix) / "lib" / process.package / process.executable
        if prefix and os.access(program, os.X_OK):
            return [str(program)]
    package = process.package.replace("_", "-")
    raise PlanError(
        f"{process.name} needs the program {process.executable} of the ROS package "
        f"{process.package}, which is not there; install it (sudo apt-get install "
        f"ros-$ROS_DISTRO-{package}) and source ROS' setup.bash"
    )


def environment_of(plan: Plan, present: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables a plan's processes are started with.

    Where ROS comes from wheels, this interpreter was started anew with the libraries of its own
    environment; another environment's interpreter must find its own.
    """
    present = os.environ if present is None else present
    variables = {**present, **plan.environment}
    if variables.pop(_RESTARTED, None) is not None:
        folders = variables.pop(_LIBRARIES, "").split(os.pathsep)
        kept = [each for each in folders if each and not Path(each).is_relative_to(sys.prefix)]
        if kept:
            variables[_LIBRARIES] = os.pathsep.join(kept)
    return variables
