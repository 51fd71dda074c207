# SPDX-License-Identifier: Apache-2.0
"""From a file to a robot's configuration; what is wrong is told by key, value and expectation."""

from __future__ import annotations

import math
import sys
import types
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from sensebind.backends.tensorrt.library import NAMES as TENSORRT
from sensebind.config_fields import ConfigField, config_fields
from sensebind.errors import ConfigError, InputError, SenseBindError
from sensebind.robot.config import RobotConfig
from sensebind.storage import sha256_of_file
from sensebind.toml_text import is_bare
from sensebind.zero_shot import parse_prompts

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterable

_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "text": "a text",
    "numbers": "a list of numbers",
    "texts": "a list of texts",
}
_PROMPT_FILES = (".json", ".toml", ".txt")
_WITH_PLANS = ("auto", *TENSORRT)


def read_robot_config(path: str | Path) -> RobotConfig:
    """Read robot.toml; files that it names are looked for beside it.

    Prompts are read too, so that two configurations are equal if they ask for the same.

    Raises:
        InputError: naming the file, the key, its value, what was expected and the fix.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"cannot read {path}: {reason}; give the name of a robot.toml") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path} is not TOML: {error}; mend that place") from None
    try:
        config = msgspec.convert(content, RobotConfig)
    except (msgspec.ValidationError, SenseBindError):
        raise ConfigError(f"{path}: {_problem(content, RobotConfig, '')}") from None
    try:
        return _placed(config, path.resolve().parent)
    except SenseBindError as error:
        raise InputError(f"{path}: {error}") from None


def files_of(config: RobotConfig) -> dict[str, str]:
    """Hashes of the files that a run reads once, by the keys that name them; "" if unreadable."""
    found = {}
    for key, name in (("calibration", config.calibration), ("bundle", config.bundle)):
        if name is not None:
            path = Path(name) / "bundle.json" if key == "bundle" else Path(name)
            found[key] = ""
            with suppress(OSError):
                found[key] = sha256_of_file(path)
    return found


def _placed(config: RobotConfig, folder: Path) -> RobotConfig:
    """The configuration with absolute paths and with the prompts in it."""
    if config.engines.build and config.backend not in _WITH_PLANS:
        raise ConfigError(
            f"engines.build is true and backend is {_shown(config.backend)}, which runs no plans; "
            f"set backend to one of {', '.join(_WITH_PLANS)}, or engines.build to false"
        )
    values: dict[str, Any] = {}
    if (folder / config.bundle).is_dir():
        values["bundle"] = str(folder / config.bundle)
    if config.calibration is not None:
        values["calibration"] = str(folder / config.calibration)
    if config.prompts is not None:
        values["prompts"] = _prompts(config.prompts, folder)
    for name in ("changes", "output", "record", "stats", "health"):
        part = getattr(config, name)
        if part is not None and part.file is not None:
            values[name] = msgspec.structs.replace(part, file=str(folder / part.file))
    devices = {
        name: msgspec.structs.replace(device, path=str(folder / device.path))
        if hasattr(device, "path")
        else device
        for name, device in config.devices.items()
    }
    return msgspec.structs.replace(config, devices=devices, **values)


def _prompts(given: str | dict[str, tuple[str, ...]], folder: Path) -> dict[str, tuple[str, ...]]:
    """Texts by class, of a table, a text or a file."""
    if isinstance(given, str):
        of_file = given.lower().endswith(_PROMPT_FILES)
        read = parse_prompts(str(folder / given) if of_file else given)
        return {label: tuple(texts) for label, texts in read.items()}
    for label, texts in given.items():
        if not texts:
            raise ConfigError(f"{_joined('prompts', label)} is [], expected a text; add one")
    return given


def _problem(value: object, kind: Any, where: str, field: ConfigField | None = None) -> str:  # noqa: ANN401
    """What is wrong with a value that is not of a type, at the innermost key that is wrong."""
    structs = [each for each in _alternatives(kind) if _is_struct(each)]
    tables = [each for each in _alternatives(kind) if get_origin(each) is dict]
    if isinstance(value, dict) and structs:
        return _problem_of_table(value, structs, where)
    if isinstance(value, dict) and tables:
        item = get_args(tables[0])[1]
        for key, each in value.items():
            if not _fits(each, item):
                return _problem(each, item, _joined(where, key), field)
    expected = _expected(field, kind)
    return f"{where or 'the file'} is {_shown(value)}, expected {expected}; change it"


def _problem_of_table(value: dict[str, Any], structs: list[Any], where: str) -> str:
    struct = structs[0]
    tag = struct.__struct_config__.tag_field
    if tag is not None:
        known = {each.__struct_config__.tag: each for each in structs}
        if not isinstance(value.get(tag), str) or value[tag] not in known:
            return _unknown_kind(value, tag, where, known)
        struct = known[value[tag]]
    fields = {field.name: field for field in config_fields(struct)}
    hints = get_type_hints(struct, include_extras=True)
    for key in value:
        if key not in fields and key != tag:
            return _unknown_key(key, where, fields)
    for name, field in fields.items():
        if field.required and name not in value:
            return f"{_joined(where, name)} is missing; add it: {field.description}"
        if name in value and not _fits(value[name], hints[name]):
            return _problem(value[name], hints[name], _joined(where, name), field)
    try:  # each value fits, so it is a check of the class's own
        msgspec.convert(value, struct)
    except (msgspec.ValidationError, SenseBindError) as error:
        return f"{where}: {_plain(error)}" if where else _plain(error)
    return f"{where or 'the file'} cannot be used as it is"


def _unknown_kind(value: dict[str, Any], tag: str, where: str, known: Iterable[str]) -> str:
    listed = ", ".join(map(_shown, known))
    if tag not in value:
        return f"{_joined(where, tag)} is missing; expected one of {listed}"
    return f"{_joined(where, tag)} is {_shown(value[tag])}, expected one of {listed}; change it"


def _unknown_key(key: str, where: str, fields: Iterable[str]) -> str:
    near = get_close_matches(key, fields, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    known = ", ".join(fields)
    return f"{_joined(where, key)} is not a key of this table; {guess}Its keys: {known}"


def _expected(field: ConfigField | None, kind: Any) -> str:  # noqa: ANN401
    """What a key's value should be, or one item of it where that is a table."""
    if field is None:
        return "a table"
    if field.kind in ("table", "struct") and not _is_plain(kind):
        return "a text or a table" if field.or_text else "a table"
    if field.choices:
        return field.expected
    items = "a list of texts" if get_origin(kind) is tuple else "a number"
    word = items if field.kind == "table" else _KINDS[field.kind]
    return f"{word}, {field.expected}" if field.expected else word


def _is_plain(kind: Any) -> bool:  # noqa: ANN401
    return not any(_is_struct(e) or get_origin(e) is dict for e in _alternatives(kind))


def _alternatives(kind: Any) -> list[Any]:  # noqa: ANN401 - annotations are of any type
    """The types that an annotation allows, without limits."""
    if get_origin(kind) is Annotated:
        return _alternatives(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [each for part in get_args(kind) for each in _alternatives(part)]
    return [kind]


def _is_struct(kind: Any) -> bool:  # noqa: ANN401
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _fits(value: object, kind: Any) -> bool:  # noqa: ANN401
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, SenseBindError):
        return False
    return True


def _joined(where: str, key: str) -> str:
    return f"{where}{'.' if where else ''}{key if is_bare(key) else _shown(key)}"


def _shown(value: object) -> str:
    """A value as TOML would have it, shortened."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has none
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _plain(error: Exception) -> str:
    """A message without msgspec's path."""
    return str(error).partition(" - at `$")[0]
