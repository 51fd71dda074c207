# SPDX-License-Identifier: Apache-2.0
"""From options of the command line to the configuration of a pipeline."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import msgspec

from sensebind.config import (
    BackendName,
    Order,
    PipelineConfig,
    StreamConfig,
    stream_config_from_options,
)
from sensebind.config_fields import ConfigField, config_fields, field_at
from sensebind.errors import ConfigError
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sensebind.robot.config import RobotConfig

    Config = TypeVar("Config", bound=msgspec.Struct)

_MODALITIES = "|".join(modality.value for modality in Modality)
# A topic may hold "=" itself; the one before a known modality ends it.
_STREAM = re.compile(rf"(?P<topic>.+?)=(?P<modality>{_MODALITIES})(?:,(?P<options>.*))?")
_EXPECTED = {
    "hop_s": "seconds from 0.001 to 3600; for example --hop 0.5",
    "backend": f"one of {', '.join(get_args(BackendName))}",
    "threads": "1 to 256",
    "order": f"one of {', '.join(get_args(Order))}",
}


def parse_streams(texts: Sequence[str]) -> dict[str, StreamConfig]:
    """Read `TOPIC=modality[,key=value…]` texts.

    Raises:
        ConfigError: naming the text and what was expected.
    """
    streams: dict[str, StreamConfig] = {}
    for text in texts:
        topic, options = _split(text)
        if topic in streams:
            raise ConfigError(f"--stream names {topic!r} twice; give all its options in one")
        streams[topic] = stream_config_from_options(topic, options)
    return streams


def _split(text: str) -> tuple[str, dict[str, str]]:
    match = _STREAM.fullmatch(text)
    if match:
        topic, modality, rest = match["topic"], match["modality"], match["options"]
    else:
        topic, equals, after = text.partition("=")
        modality, _, rest = after.partition(",")
        if not (topic and equals and modality):
            raise ConfigError(
                f"--stream {text!r} is not TOPIC=modality[,key=value…]; "
                "for example --stream /imu/data=imu,hop=0.5"
            )
    options = {"modality": modality}
    for pair in rest.split(",") if rest else ():
        key, equals, value = pair.partition("=")
        if not (equals and key and value):
            raise ConfigError(f"--stream {text!r}: {pair!r} is not key=value; for example hop=0.5")
        options[key.strip()] = value.strip()
    return topic, options


def pipeline_config(
    streams: Sequence[str],
    hop_s: float | None,
    backend: str,
    threads: int | None,
    order: str | None,
    calibration: Path | None = None,
) -> PipelineConfig:
    """Build the configuration of a run; `calibration` is the file of that option.

    Raises:
        ConfigError: naming the option and what was expected.
    """
    values = {"hop_s": hop_s, "backend": backend, "threads": threads, "order": order}
    try:
        checked = msgspec.convert(values, PipelineConfig)
    except msgspec.ValidationError as error:
        name = field_at(error)
        option, value = name.removesuffix("_s"), values.get(name)
        raise ConfigError(f"--{option} is {value!r}, expected {_EXPECTED[name]}") from None
    file = None if calibration is None else str(calibration)
    return msgspec.structs.replace(checked, streams=parse_streams(streams), calibration=file)


@dataclass(frozen=True, slots=True)
class AskedRun:
    """What the command line says of a run, by its options; None where it says nothing.

    Attributes:
        config: file that says the rest.
        bundle: name or folder.
        stream: texts as `parse_streams` takes them.
        calibration: file of `sensebind calibrate`.
        hop: seconds between windows.
        backend: of the engines.
        threads: of one engine run.
        order: in which a recording is fed.
    """

    config: Path | None
    bundle: str | None = None
    stream: Sequence[str] | None = None
    calibration: Path | None = None
    hop: float | None = None
    backend: str | None = None
    threads: int | None = None
    order: str | None = None

    def robot_config(self) -> RobotConfig:
        """The configuration of the file, or that of no file, with what the options say instead.

        Raises:
            InputError: naming the file and its key, or the option, and what was expected.
        """
        from sensebind.robot.config import RobotConfig
        from sensebind.robot.reading import read_robot_config

        base = RobotConfig() if self.config is None else read_robot_config(self.config)
        said = pipeline_config(
            self.stream or (),
            self.hop,
            self.backend or "auto",
            self.threads,
            self.order,
            self.calibration,
        )
        given = {
            "bundle": self.bundle,
            "hop_s": said.hop_s,
            "backend": None if self.backend is None else said.backend,
            "threads": said.threads,
            "order": said.order,
            "calibration": said.calibration,
        }
        values: dict[str, Any] = {n: value for n, value in given.items() if value is not None}
        return msgspec.structs.replace(base, streams=base.streams | said.streams, **values)


def config_of_options(option: str, text: str | None, config: type[Config]) -> Config:
    """Read "KEY=VALUE,…" as a configuration; items of a value are joined by ";".

    The unit at the end of a key may be left out, and fields that have no default cannot be given.

    Args:
        option: how it is called on the command line.
        text: what was given; None for nothing.
        config: its class.

    Raises:
        ConfigError: naming the option, the key, its value and what was expected.
    """
    fields = {field.name: field for field in config_fields(config) if not field.required}
    values: dict[str, object] = {}
    given: dict[str, str] = {}
    for part in text.split(",") if text else ():
        key, equals, value = (each.strip() for each in part.partition("="))
        name = next((n for n in (key, f"{key}_s") if n in fields), None)
        if name is None:
            known = ", ".join(fields)
            raise ConfigError(f"unknown option {key!r} in {option}; known: {known}")
        if not (equals and value) or name in values:
            raise ConfigError(f"{option}: {part!r} is not key=value, once; for example {key}=…")
        given[name], values[name] = value, _value(fields[name], value)
    try:
        return msgspec.convert(values, config, strict=False)
    except msgspec.ValidationError as error:
        name = field_at(error)
        field = fields[name]
        told = (_KINDS.get(field.kind, "" if field.expected else "a number"), field.expected)
        expected = ", ".join(filter(None, told))
        raise ConfigError(f"{option} {name}={given[name]}: expected {expected}") from None
    except ConfigError as error:  # a check of the class's own
        raise ConfigError(f"{option} {text}: {error}") from None


_KINDS = {"texts": "names joined by ';'", "table": "name:value pairs joined by ';'"}


def _value(field: ConfigField, text: str) -> object:
    if field.kind == "texts":
        return text.split(";")
    if field.kind == "table":
        return dict(pair.partition(":")[::2] for pair in text.split(";"))
    return text
