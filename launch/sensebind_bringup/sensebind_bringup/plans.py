# SPDX-License-Identifier: Apache-2.0
"""The plans there are: live topics, a recording, a RealSense with a microphone, several streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensebind_bringup.arguments import LOG_LEVELS, Argument, Values, default_python
from sensebind_bringup.plan import Plan, PlanError, Process, shared_file, with_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensebind_bringup.plan import Value

NODE = "sensebind"
_UNSET = "as the parameter file says if not given"


@dataclass(frozen=True, slots=True)
class Bringup:
    """A plan with its arguments.

    Attributes:
        name: of the launch file, "live" for live_launch.py.
        description: what it starts.
        arguments: what can be given.
        make: the plan for some arguments.
    """

    name: str
    description: str
    arguments: tuple[Argument, ...]
    make: Callable[[Values], Plan]

    def plan(self, given: Mapping[str, str]) -> Plan:
        """The plan for these arguments.

        Raises:
            PlanError: naming the argument, its value and what was expected.
        """
        return self.make(Values(self.arguments, given))


def _common(params_file: str, *, use_sim_time: bool = False) -> tuple[Argument, ...]:
    return (
        Argument("namespace", "", "namespace of all nodes; none if empty"),
        Argument("use_sim_time", f"{use_sim_time}".lower(), "take the time from /clock"),
        Argument("params_file", params_file, "parameter file of the node; ours if empty"),
        Argument("bundle", "", f"name or folder of a bundle; {_UNSET}"),
        Argument("backend", "", f"engine backend; {_UNSET}"),
        Argument("prompts", "", f'classes to label by, "a,b", or a prompt file; {_UNSET}'),
        Argument("log_level", "info", f"one of {', '.join(LOG_LEVELS)}"),
        Argument(
            "python",
            default_python(),
            "interpreter that runs the node: that of the virtual environment with sensebind",
        ),
        Argument("autostart", "true", "configure and activate the node once it runs"),
        Argument("remap", "", 'topics by other names: "imu:=/imu/data image:=/camera/image_raw"'),
    )


def _node(values: Values, params_files: tuple[str, ...], **parameters: Value) -> Process:
    """The lifecycle node as the common arguments ask for it."""
    given = {name: values.text(name) for name in ("bundle", "backend", "prompts")}
    chosen: dict[str, Value] = {name: value for name, value in given.items() if value}
    return Process(
        name=NODE,
        module="sensebind_ros.node",
        namespace=values.namespace("namespace"),
        params_files=params_files,
        parameters={"use_sim_time": values.flag("use_sim_time"), **chosen, **parameters},
        remappings=values.remappings("remap"),
        log_level=values.choice("log_level", LOG_LEVELS),
        lifecycle=values.flag("autostart"),
    )


def _params_file(values: Values, default: str) -> str:
    return values.file("params_file") if values.text("params_file") else str(shared_file(default))


def _plan(values: Values, *processes: Process) -> Plan:
    return Plan(values.text("python"), processes, with_profile(shared_file("config/fastdds.xml")))


def _live(values: Values) -> Plan:
    return _plan(values, _node(values, (_params_file(values, "config/live.yaml"),)))


def _replay(values: Values) -> Plan:
    node = _node(values, (_params_file(values, "config/sample.yaml"),))
    after = NODE if node.lifecycle else ""
    playing = [values.file("bag"), "--rate", f"{values.number('rate'):g}"]
    playing += ["--start", f"{values.number('start'):g}"]
    if values.text("duration"):
        playing += ["--duration", f"{values.number('duration'):g}"]
    playing += ["--loop"] if values.flag("loop") else []
    playing += ["--paused"] if values.flag("paused") else []
    player = Process(
        name="sensebind_player",
        module="sensebind_ros.player",
        namespace=node.namespace,
        arguments=tuple(playing),
        log_level=node.log_level,
        after=after,
        ends_run=True,
    )
    if not values.text("out"):
        return _plan(values, node, player)
    recorder = Process(
        name="sensebind_recorder",
        module="sensebind_ros.recorder",
        namespace=node.namespace,
        arguments=("--node", node.node, "--out", values.text("out")),
        log_level=node.log_level,
    )
    return _plan(values, recorder, node, player)  # listening before the first embedding


def _realsense(values: Values) -> Plan:
    node = _node(values, (_params_file(values, "config/realsense.yaml"),))
    drivers = []
    if values.flag("camera"):
        drivers.append(
            Process(
                name="camera",
                package="realsense2_camera",
                executable="realsense2_camera_node",
                namespace=_within(node.namespace, "camera"),
                params_files=(str(shared_file("config/realsense_driver.yaml")),),
                log_level=node.log_level,
            )
        )
    if values.flag("microphone"):
        drivers.append(
            Process(
                name="microphone",
                package="audio_capture",
                executable="audio_capture_node",
                namespace=node.namespace,
                params_files=(str(shared_file("config/microphone_driver.yaml")),),
                log_level=node.log_level,
            )
        )
    return _plan(values, node, *drivers)


def _several(values: Values) -> Plan:
    streams = values.names("streams")
    if not streams:
        raise PlanError("streams is empty; name at least one, as in streams:=imu,audio")
    files = [_params_file(values, "config/common.yaml")]
    there = shared_file("config/common.yaml").parent / "streams"
    known = sorted(file.stem for file in there.glob("*.yaml"))
    for name in streams:
        if name not in known:
            raise PlanError(f"streams has {name!r}, expected some of {', '.join(known)}")
        files.append(str(there / f"{name}.yaml"))
    return _plan(values, _node(values, tuple(files), streams=list(streams)))


def _within(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


LIVE = Bringup(
    "live",
    "The node on the topics of a robot.",
    _common(""),
    _live,
)
REPLAY = Bringup(
    "replay",
    "The node on a recording that is played with its own clock; ends when the recording does.",
    (
        Argument("bag", None, "recording: .mcap, .db3, .bag, a bag folder, or sensor files"),
        Argument("rate", "1", "how many times faster than it was recorded; 0 as fast as possible"),
        Argument("start", "0", "seconds of the recording to leave out"),
        Argument("duration", "", "seconds to play; to the end if empty"),
        Argument("loop", "false", "begin anew at the end"),
        Argument("paused", "false", "wait for a call of the player's service ~/pause"),
        Argument("out", "", "keep the embeddings here (.parquet, .mcap, .jsonl); nowhere if empty"),
        *_common("", use_sim_time=True),
    ),
    _replay,
)
REALSENSE = Bringup(
    "realsense",
    "A RealSense camera and a microphone with their drivers, and the node.",
    (
        Argument("camera", "true", "start realsense2_camera"),
        Argument("microphone", "true", "start audio_capture"),
        *_common(""),
    ),
    _realsense,
)
SEVERAL = Bringup(
    "several",
    "The node on streams that are put together from parameter files of their own.",
    (
        Argument(
            "streams", "imu,audio,depth", "names of files in config/streams, with commas between"
        ),
        *_common(""),
    ),
    _several,
)
BRINGUPS = {each.name: each for each in (LIVE, REPLAY, REALSENSE, SEVERAL)}
