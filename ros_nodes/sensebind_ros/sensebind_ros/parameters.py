# SPDX-License-Identifier: Apache-2.0
"""The node's parameters: declared from the configuration's fields, checked as a whole."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.parameter import Parameter as RosParameter

from sensebind.errors import ConfigError, SenseBindError
from sensebind.flow.incidents import told
from sensebind.robot.reading import read_robot_config
from sensebind_ros.settings import (
    Parameter,
    Settings,
    When,
    changed,
    check_given,
    defaults_of,
    general_parameters,
    settings_from,
    stream_parameters,
    streams_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rclpy.node import Node

    from sensebind.robot.config import RobotConfig

    Apply = Callable[[Settings, When], None]

_INT64_MAX = (1 << 63) - 1


class Parameters:
    """Declares the parameters of a node, and lets a change happen only if all of them fit."""

    def __init__(self, node: Node, allowed: Callable[[], When], apply: Apply) -> None:
        """Declare those that are there whatever the streams are, and those of the streams.

        Args:
            node: whose parameters they are.
            allowed: what changes the node's state allows.
            apply: makes changed settings true; told what the change takes. It may refuse them with
                a SenseBindError.

        Raises:
            SenseBindError: if the robot.toml that is given cannot be used.
        """
        self._node = node
        self._allowed = allowed
        self._apply = apply
        self._known: dict[str, Parameter] = {}
        general = {each.name: each for each in general_parameters()}
        self._defaults: dict[str, object] = {}
        self._declare([general["config"]])
        self._robot = self._read_config()
        self._declare(general.values())
        self.declare_streams()
        node.add_on_set_parameters_callback(self._on_set)
        if hasattr(node, "add_post_set_parameters_callback"):  # from Iron on
            node.add_post_set_parameters_callback(self._after_set)

    def settings(self) -> Settings:
        """What the parameters ask for.

        Raises:
            ConfigError: naming the parameter, its value and what was expected.
        """
        self.declare_streams()
        values = self._values()
        given = getattr(self._node, "_parameter_overrides", ())  # rclpy tells them nowhere else
        check_given(given, streams_of(values))
        return settings_from(values, self._robot)

    def declare_streams(self) -> None:
        """Declare the parameters of streams that are new.

        Names that cannot be used have none; `settings` tells of them.
        """
        with suppress(ConfigError):
            for name in streams_of({"streams": self._node.get_parameter("streams").value}):
                self._declare(stream_parameters(name))

    def _read_config(self) -> RobotConfig | None:
        """The robot.toml that is given; what it says is what the parameters are by default."""
        path = self._node.get_parameter("config").value
        if not path:
            return None
        robot = read_robot_config(path)
        self._defaults = defaults_of(robot)
        return robot

    def _default(self, parameter: Parameter) -> object:
        """A parameter's value if nobody gives one; None for one that is not set."""
        default = self._defaults.get(parameter.name, parameter.field.default)
        return list(default) if isinstance(default, tuple) else default

    def _values(self) -> dict[str, object]:
        node = self._node
        return {name: node.get_parameter_or(name).value for name in self._known}

    def _declare(self, parameters: Iterable[Parameter]) -> None:
        for each in parameters:
            if each.name not in self._known:
                self._node.declare_parameter(each.name, self._default(each), descriptor(each))
                self._known[each.name] = each

    def _on_set(self, parameters: list[RosParameter]) -> SetParametersResult:
        """Refuse changes that do not fit or that the node's state does not allow."""
        own = [each for each in parameters if each.name in self._known]
        if deleted := [each.name for each in own if each.type_ is RosParameter.Type.NOT_SET]:
            return _refused(f"{', '.join(deleted)} cannot be deleted; set it to '' to unset it")
        given = {each.name: each.value for each in own}
        before = self._values()
        after = {**before, **given}
        changes = changed(map(self._known.__getitem__, given), before, after)
        if not changes:
            return SetParametersResult(successful=True)
        needed, allowed = max(each.when for each in changes), self._allowed()
        if needed > allowed:
            named = ", ".join(each.name for each in changes if each.when > allowed)
            return _refused(f"{named} can be changed {needed} only; {_REMEDY[needed]}")
        try:
            self._take(before, after, needed)
        except Exception as error:  # noqa: BLE001 - whatever it is, the node stays
            return _refused(told(error))
        return SetParametersResult(successful=True)

    def _take(self, before: dict[str, object], after: dict[str, object], when: When) -> None:
        """Check changed values, and apply them.

        Streams are named before anything else can be said of them, so until the node is configured
        the rest may be incomplete.
        """
        if self._allowed() is When.NOT_CONFIGURED and (
            after["streams"] != before["streams"] or not self._fit(before)
        ):
            streams_of(after)
            return
        self._apply(settings_from(after, self._robot), when)

    def _fit(self, values: dict[str, object]) -> bool:
        """Whether all values together are settings."""
        try:
            settings_from(values, self._robot)
        except SenseBindError:
            return False
        return True

    def _after_set(self, parameters: list[RosParameter]) -> None:
        if any(each.name == "streams" for each in parameters):
            self.declare_streams()


_REMEDY = {
    When.NOT_ACTIVE: "deactivate the node first",
    When.NOT_CONFIGURED: "deactivate and clean up the node first",
    When.AT_START: "start the node anew",
}


def descriptor(parameter: Parameter) -> ParameterDescriptor:
    """What ROS is told about a parameter."""
    field = parameter.field
    description = f"{field.description} Can be changed {parameter.when}."
    told = ParameterDescriptor(
        name=parameter.name,
        description=description,
        additional_constraints=field.expected,
        dynamic_typing=True,  # a whole number is a number, and our refusals say more than rclpy's
    )
    least, greatest = field.least, field.greatest
    if field.kind == "int" and (least is not None or greatest is not None):
        low = -_INT64_MAX if least is None else int(least)
        high = _INT64_MAX if greatest is None else int(greatest)
        told.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
    if field.kind == "float" and (least is not None or greatest is not None):
        limits = -sys.float_info.max, sys.float_info.max
        low_f = limits[0] if least is None else float(least)
        high_f = limits[1] if greatest is None else float(greatest)
        told.floating_point_range = [
            FloatingPointRange(from_value=low_f, to_value=high_f, step=0.0)
        ]
    return told


def _refused(reason: str) -> SetParametersResult:
    return SetParametersResult(successful=False, reason=reason)
