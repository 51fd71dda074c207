# SPDX-License-Identifier: Apache-2.0
"""From the values of parameters to configurations, and what may be changed when.

Nothing here needs ROS. A parameter is named after the field it sets: `hop_s`, `labels.margin`,
and for the stream "imu" `imu.topic` or `imu.hop_s`.
"""

from __future__ import annotations

import math
import re
from array import array
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sensebind.changes import ChangeConfig
from sensebind.config import PipelineConfig, StreamConfig
from sensebind.config_fields import ConfigField, config_fields, field_at
from sensebind.describing import ChangeSettings, DescribingConfig
from sensebind.errors import ConfigError
from sensebind.fusion import JOINT_STREAM, FusionConfig
from sensebind.labelling import LabelConfig
from sensebind.sources.messages.pcm import layout_with_options
from sensebind.types import Modality
from sensebind_ros.configs import NodeConfig, TopicConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sensebind.robot.config import RobotConfig

Config = TypeVar("Config", bound=msgspec.Struct)

SILENCE_S = 3600.0
"""A topic without messages is no broken device: opening it anew would help nothing, so the runtime
is asked to do it as rarely as it can be."""


class When(IntEnum):
    """What a change of a parameter takes; each includes those before it."""

    AT_ONCE = 0
    NEW_RUN = 1
    NOT_ACTIVE = 2
    NOT_CONFIGURED = 3
    AT_START = 4

    def __str__(self) -> str:
        return _WORDS[self]


_WORDS = {
    When.AT_ONCE: "at once",
    When.NEW_RUN: "at once; windows begin to fill anew",
    When.NOT_ACTIVE: "while not active",
    When.NOT_CONFIGURED: "before it is configured",
    When.AT_START: "at the start of the node",
}

_NOT_HERE: dict[type[msgspec.Struct], tuple[str, ...]] = {
    PipelineConfig: ("streams", "order", "source_timeout_s"),
    FusionConfig: ("confidence",),
}
"""Fields that are no parameters: of replay, decided by the node, or tables."""

_WHEN: dict[type[msgspec.Struct], tuple[When, dict[str, When]]] = {
    NodeConfig: (
        When.NOT_CONFIGURED,
        {
            "config": When.AT_START,
            "prompts": When.AT_ONCE,
            "temperature": When.AT_ONCE,
            "record": When.NOT_ACTIVE,
        },
    ),
    PipelineConfig: (
        When.NEW_RUN,
        {"backend": When.NOT_CONFIGURED, "threads": When.NOT_CONFIGURED},
    ),
    LabelConfig: (When.AT_ONCE, {}),
    FusionConfig: (When.NEW_RUN, {}),
    ChangeConfig: (When.NEW_RUN, {}),
    StreamConfig: (When.NEW_RUN, {"modality": When.NOT_CONFIGURED}),
    TopicConfig: (When.NOT_ACTIVE, {}),
}
"""For each class what a change takes, and the fields of which this is not true."""

_GENERAL: dict[type[msgspec.Struct], str] = {
    NodeConfig: "",
    PipelineConfig: "",
    LabelConfig: "labels.",
    FusionConfig: "fusion.",
    ChangeConfig: "changes.",
}
_OF_STREAMS: tuple[type[msgspec.Struct], ...] = (TopicConfig, StreamConfig)
_RESERVED = (*(prefix[:-1] for prefix in _GENERAL.values() if prefix), JOINT_STREAM)
_STREAM_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the node.

    Attributes:
        name: as ROS knows it.
        field: what it sets.
        when: what a change of it takes.
    """

    name: str
    field: ConfigField
    when: When


@dataclass(frozen=True, slots=True)
class Settings:
    """All that is set.

    Attributes:
        node: bundle, prompts and the like.
        pipeline: the run, with its streams by name.
        labels: when labels are given.
        topics: where each stream's messages come from, by its name.
        describing: what is said of embeddings beside their labels.
        prompts: classes: as a text, or texts by class; None for none.
    """

    node: NodeConfig
    pipeline: PipelineConfig
    labels: LabelConfig
    topics: dict[str, TopicConfig]
    describing: DescribingConfig
    prompts: str | dict[str, tuple[str, ...]] | None


def general_parameters() -> tuple[Parameter, ...]:
    """The parameters that are there whatever the streams are."""
    return tuple(
        each for config, prefix in _GENERAL.items() for each in parameters_of(config, prefix)
    )


def stream_parameters(stream: str) -> tuple[Parameter, ...]:
    """The parameters of one stream."""
    return tuple(each for config in _OF_STREAMS for each in parameters_of(config, f"{stream}."))


def settings_from(values: Mapping[str, object], robot: RobotConfig | None = None) -> Settings:
    """The settings that values of parameters ask for; parameters of no stream are left out.

    Args:
        values: by name; None and "" are "not set".
        robot: says what no parameter can: prompts with several texts for a class, and confidence.

    Raises:
        ConfigError: naming the parameter, its value and what was expected.
    """
    node = _configured(NodeConfig, "", values)
    check_names(node.streams)
    topics = {name: _topic(name, values) for name in node.streams}
    streams = {name: _stream(name, topics[name], values) for name in node.streams}
    fixed = {"streams": streams, "source_timeout_s": SILENCE_S}
    pipeline = msgspec.structs.replace(_configured(PipelineConfig, "", values), **fixed)
    return Settings(
        node,
        pipeline,
        _configured(LabelConfig, "labels.", values),
        topics,
        _describing(node, values, robot),
        robot.prompts if node.prompts is None and robot is not None else node.prompts,
    )


def streams_of(values: Mapping[str, object]) -> tuple[str, ...]:
    """The names of the streams; what else the values say is not looked at.

    Raises:
        ConfigError: if they are no list of names that streams can have.
    """
    names = _configured(NodeConfig, "", {"streams": values["streams"]}).streams
    check_names(names)
    return names


def check_given(names: Iterable[str], streams: Sequence[str]) -> None:
    """Check the names of parameters that are given; ROS passes over those that nobody declares.

    Only those below a stream's name, or in a group such as `labels`, can be told from other nodes'.

    Raises:
        ConfigError: naming the one there is none of, and the one that is most like it.
    """
    known = {each.name for each in general_parameters()}
    known |= {each.name for stream in streams for each in stream_parameters(stream)}
    for name in names:
        group, dot, _ = name.partition(".")
        if dot and group in (*_RESERVED, *streams) and name not in known:
            like = get_close_matches(name, known, 1)
            meant = f"did you mean {like[0]}?" if like else "See `ros2 param list`."
            raise ConfigError(
                f"{name} is given, but there is no such parameter; {meant} Correct it and start "
                "the node anew"
            )


def defaults_of(robot: RobotConfig) -> dict[str, object]:
    """What a robot's configuration says, as values of parameters by their names.

    Raises:
        ConfigError: if a stream has a name that a stream of a node cannot have.
    """
    check_names(tuple(robot.streams))
    found: dict[str, object] = {
        "bundle": robot.bundle,
        "streams": list(robot.streams),
        "temperature": robot.labels.temperature,
        "joint": robot.fusion is not None,
        "tell_changes": robot.changes is not None,
    }
    said: list[tuple[type[msgspec.Struct], str, msgspec.Struct | None]] = [
        (PipelineConfig, "", robot),
        (LabelConfig, "labels.", robot.labels),
        (FusionConfig, "fusion.", robot.fusion),
        (ChangeConfig, "changes.", robot.changes),
        *((StreamConfig, f"{name}.", stream) for name, stream in robot.streams.items()),
    ]
    for config, prefix, values in said:
        for each in parameters_of(config, prefix) if values is not None else ():
            value = getattr(values, each.field.name)
            found[each.name] = value.value if isinstance(value, Enum) else value
    return found


def changed(
    parameters: Iterable[Parameter], before: Mapping[str, object], after: Mapping[str, object]
) -> list[Parameter]:
    """The parameters whose values are not the same."""
    return [each for each in parameters if before.get(each.name) != after.get(each.name)]


def parameters_of(config: type[msgspec.Struct], prefix: str) -> Iterable[Parameter]:
    """The parameters that set the fields of one class."""
    usual, others = _WHEN[config]
    for field in config_fields(config):
        if field.name not in _NOT_HERE.get(config, ()):
            yield Parameter(prefix + field.name, field, others.get(field.name, usual))


def _describing(
    node: NodeConfig, values: Mapping[str, object], robot: RobotConfig | None
) -> DescribingConfig:
    """Joint embeddings and changes; both are checked whether they are asked for or not."""
    fusion = _configured(FusionConfig, "fusion.", values)
    if robot is not None and robot.fusion is not None:
        fusion = msgspec.structs.replace(fusion, confidence=robot.fusion.confidence)
    changes = _configured(ChangeConfig, "changes.", values)
    return DescribingConfig(
        fusion=fusion if node.joint else None,
        # They are published, so there is no file.
        changes=ChangeSettings(file="", **msgspec.structs.asdict(changes))
        if node.tell_changes
        else None,
    )


def _topic(name: str, values: Mapping[str, object]) -> TopicConfig:
    topic = _configured(TopicConfig, f"{name}.", values)
    if (topic.accel_topic is None) != (topic.gyro_topic is None):
        missing = "accel_topic" if topic.accel_topic is None else "gyro_topic"
        raise ConfigError(
            f"{name}.{missing} is not set, but the other half's topic is; an IMU of two topics "
            "needs both accel_topic and gyro_topic"
        )
    if topic.target_frame is not None and topic.accel_topic is not None:
        raise ConfigError(
            f"{name}.target_frame is {topic.target_frame!r}, but the IMU's halves have topics of "
            f"their own; give {name}.frame instead"
        )
    return topic


def _stream(name: str, topic: TopicConfig, values: Mapping[str, object]) -> StreamConfig:
    modality = f"{name}.modality"
    if not values.get(modality):
        if name not in list(Modality):
            known = ", ".join(m.value for m in Modality if m is not Modality.TEXT)
            raise ConfigError(f"{modality} is not set; expected one of {known}")
        values = {**values, modality: name}
    stream = _configured(StreamConfig, f"{name}.", values)
    if stream.modality is Modality.TEXT:
        raise ConfigError(f"{modality} is 'text', which comes from prompts; see `prompts`")
    for option in ("accel_topic", "target_frame"):
        given = getattr(topic, option)
        if given is not None and stream.modality is not Modality.IMU:
            raise ConfigError(
                f"{name}.{option} is {given!r}, but the stream is {stream.modality}; it is an "
                "option of imu streams"
            )
    if stream.modality is Modality.AUDIO:
        try:
            layout_with_options(None, stream)
        except ConfigError as error:  # its format
            raise ConfigError(f"{name}.{error}") from None
    return stream


def _configured(config: type[Config], prefix: str, values: Mapping[str, object]) -> Config:
    """A configuration of the parameters with this prefix."""
    given: dict[str, object] = {}
    for parameter in parameters_of(config, prefix):
        value = _plain(parameter, values.get(parameter.name))
        if value is not None:
            given[parameter.field.name] = value
    try:
        return msgspec.convert(given, config)
    except msgspec.ValidationError as error:
        name = field_at(error)
        field = next(field for field in config_fields(config) if field.name == name)
        raise ConfigError(f"{prefix}{name} is {given[name]!r}, {_expected(field)}") from None
    except ConfigError as error:  # a check of the class's own
        raise ConfigError(f"{prefix[:-1]}: {error}" if prefix else str(error)) from None


def _plain(parameter: Parameter, value: object) -> object:
    """A parameter's value as the configuration takes it; None if it is not set."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{parameter.name} is {value}, expected a finite number")
    return list(value) if isinstance(value, (tuple, array)) else value


def _expected(field: ConfigField) -> str:
    kind = _KINDS[field.kind]
    if field.kind == "text":  # of which what is expected says enough
        return f"expected {field.expected or kind}"
    return f"expected {kind}{', ' if field.expected else ''}{field.expected}"


_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "text": "a text",
    "numbers": "a list of numbers",
    "texts": "a list of texts",
    "table": "a table",
    "struct": "a table",
}


def check_names(streams: Sequence[str]) -> None:
    """Check the names of streams.

    Raises:
        ConfigError: naming the one that cannot be a stream's, or is there twice.
    """
    for name in streams:
        if not _STREAM_NAME.fullmatch(name) or name in _RESERVED:
            raise ConfigError(
                f"streams has {name!r}; expected letters, digits and underscores, a letter first, "
                f"and not {', '.join(map(repr, _RESERVED))}"
            )
    twice = next((name for name in streams if list(streams).count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"streams has {twice!r} twice; give each stream a name of its own")
