# SPDX-License-Identifier: Apache-2.0
"""What is started and in which order: processes, their parameters and their environment.

Nothing here needs ROS. Launch files and the supervisor turn the same plan into running processes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = bool | int | float | str | list[str]
"""What a parameter can be set to here."""

PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Where Fast DDS looks for its profile: Kilted reads the first, Humble and Jazzy the second."""

_FIRST_ONLY = ("kilted", "lyrical", "rolling")
"""Distributions that read the second as well, with a warning."""


class PlanError(Exception):
    """An argument cannot be used; the message names it, its value and what was expected."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process with one node.

    Attributes:
        name: of the node.
        module: Python module that is run by the interpreter of the plan; or else
        package: ROS package of
        executable: the program that is run.
        namespace: of the node, without slashes at its ends; "" for none.
        arguments: given to the program itself.
        params_files: parameter files; later ones override earlier ones.
        parameters: override the files.
        remappings: pairs of names.
        log_level: of the process.
        lifecycle: whether it is configured and activated once it runs.
        after: name of a lifecycle node that must be active before it is started; "" for none.
        ends_run: whether the rest is stopped when it has ended.
    """

    name: str
    module: str = ""
    package: str = ""
    executable: str = ""
    namespace: str = ""
    arguments: tuple[str, ...] = ()
    params_files: tuple[str, ...] = ()
    parameters: Mapping[str, Value] = field(default_factory=dict)
    remappings: tuple[tuple[str, str], ...] = ()
    log_level: str = "info"
    lifecycle: bool = False
    after: str = ""
    ends_run: bool = False

    @property
    def node(self) -> str:
        """Full name of the node: "/robot/sensebind"."""
        return "/" + "/".join(filter(None, (self.namespace, self.name)))

    @property
    def ros_arguments(self) -> list[str]:
        """What follows `--ros-args`, without the name and the namespace of the node."""
        words = ["--log-level", self.log_level]
        for file in self.params_files:
            words += ["--params-file", file]
        for name, value in self.parameters.items():
            words += ["-p", f"{name}:={json.dumps(value, ensure_ascii=False)}"]
        for name, target in self.remappings:
            words += ["-r", f"{name}:={target}"]
        return words


@dataclass(frozen=True, slots=True)
class Plan:
    """Processes in the order in which they are started.

    Attributes:
        python: interpreter that runs the modules; it must be able to import sensebind and rclpy.
        processes: names are unique.
        environment: variables of all processes.
    """

    python: str
    processes: tuple[Process, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that what is waited for comes first."""
        known: dict[str, bool] = {}
        for process in self.processes:
            if process.after and not known.get(process.after):
                raise PlanError(
                    f"{process.name} is to start after {process.after!r}, which is no lifecycle "
                    "node that is brought up before"
                )
            if process.name in known:
                raise PlanError(f"two processes are called {process.name!r}")
            known[process.name] = process.lifecycle


def command(process: Process, python: str, program: Sequence[str] = ()) -> list[str]:
    """The words that start a process without `ros2 run` or `ros2 launch`.

    Args:
        process: what is started.
        python: runs its module.
        program: words that start its executable, where it is not a module.
    """
    words = [python, "-m", process.module] if process.module else list(program)
    names = ["-r", f"__node:={process.name}"]
    if process.namespace:
        names += ["-r", f"__ns:=/{process.namespace}"]
    return [*words, *process.arguments, "--ros-args", *names, *process.ros_arguments]


def with_profile(profile: Path, present: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables that make Fast DDS use a profile, unless the user chose one.

    Args:
        profile: file of the profile.
        present: the environment there is; that of this process if None. If its ROS_DISTRO is not
            set, all variables are.
    """
    present = os.environ if present is None else present
    if any(present.get(name) for name in PROFILE_VARIABLES):
        return {}
    first_only = present.get("ROS_DISTRO") in _FIRST_ONLY
    return dict.fromkeys(PROFILE_VARIABLES[: 1 if first_only else 2], str(profile))


def shared_file(name: str, present: Mapping[str, str] | None = None) -> Path:
    """A file of this package, such as "config/live.yaml", in the checkout or where it is installed.

    Raises:
        PlanError: naming the places that were looked at.
    """
    present = os.environ if present is None else present
    prefixes = present.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    folders = [Path(__file__).resolve().parents[1]]
    folders += [Path(prefix) / "share" / "sensebind_bringup" for prefix in prefixes if prefix]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    looked = ", ".join(map(str, folders))
    raise PlanError(f"there is no {name} in {looked}; source the workspace's install/setup.bash")
