# SPDX-License-Identifier: Apache-2.0
"""From a TOML file, presets and `--set` texts to a `GraphConfig`, and back.

`extends = "imagebind"` begins with a preset, or with another file beside this one: tables are
merged key by key, everything else is replaced. Relative paths are meant from the file's folder,
those of `--set` from the working folder.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sensebind.errors import ConfigError
from sensebind.toml_text import Table, toml_text
from sensebind_engines.training.config import GraphConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Sequence

_PATHS = {"data": ("manifest", "cache"), "nodes": ("weights", "tokenizer", "anchor")}

_PRESETS = resources.files("sensebind_engines") / "presets"


def presets() -> dict[str, str]:
    """Names of the built-in configurations and their text."""
    files = (entry for entry in _PRESETS.iterdir() if entry.name.endswith(".toml"))
    return {e.name[: -len(".toml")]: e.read_text(encoding="utf-8") for e in sorted(files, key=str)}


def load_config(source: str | Path, settings: Sequence[str] = ()) -> GraphConfig:
    """Read a configuration.

    Args:
        source: a TOML file, or the name of a preset.
        settings: `a.b=c` texts that override it; list items by number (`edges.0.weight=2`).

    Raises:
        ConfigError: naming the key or value, what was expected and the nearest known key.
    """
    table = _read(str(source), ())
    for setting in settings:
        _override(table, setting)
    _place_paths(table, Path.cwd())
    return config_from_table(table)


def config_from_table(table: Table) -> GraphConfig:
    """Check and convert what a file says.

    Raises:
        ConfigError: as `load_config`.
    """
    _refuse_unknown(table, msgspec.inspect.type_info(GraphConfig), "")
    try:
        return msgspec.convert(table, GraphConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the configuration is not valid: {error}") from None


def config_text(config: GraphConfig) -> str:
    """The configuration with every default written out, as TOML that `load_config` reads."""
    return toml_text(msgspec.to_builtins(config))


def _read(source: str, seen: tuple[str, ...]) -> Table:
    """A file's or preset's table, on top of what it extends."""
    if source in seen:
        raise ConfigError(f"'extends' goes round in a circle: {' -> '.join([*seen, source])}")
    known = presets()
    is_preset = source in known and not Path(source).exists()
    text = known[source] if is_preset else _text(Path(source), list(known))
    table = _parsed(text, source)
    if not is_preset:
        _place_paths(table, Path(source).resolve().parent)
    base = table.pop("extends", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise ConfigError(f"{source}: extends is {base!r}, expected a preset's name or a file")
    beside = Path(source).parent / base
    return _merged(_read(base if base in known else str(beside), (*seen, source)), table)


def _text(path: Path, known: list[str]) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"no file {str(path)!r}, and no preset of that name; {_guess(str(path), known)}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the configuration {str(path)!r}: {error}") from None


def _parsed(text: str, source: str) -> Table:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{source} is not TOML: {error}") from None


def _place_paths(table: Table, folder: Path) -> None:
    """Make relative paths absolute, as meant from `folder`."""
    for group, keys in _PATHS.items():
        tables = table.get(group)
        for values in tables.values() if isinstance(tables, dict) else ():
            for key in keys if isinstance(values, dict) else ():
                value = values.get(key)
                # An anchor may also be the name of a built-in bundle.
                if isinstance(value, str) and (key != "anchor" or (folder / value).exists()):
                    values[key] = str(folder / value)


def _merged(base: Table, top: Table) -> Table:
    merged = dict(base)
    for key, value in top.items():
        old = merged.get(key)
        nested = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(merged[key], value) if nested else value
    return merged


def _override(table: Table, setting: str) -> None:
    """Put the value of `a.b=c` in its place."""
    path, equals, text = setting.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"--set {setting!r} is not a.b=value; for example training.batch=32")
    place: object = table
    for number, key in enumerate(keys[:-1]):
        place = _inside(place, key, ".".join(keys[: number + 1]))
    last, value = keys[-1], _value(text.strip())
    if isinstance(place, list):
        place[_position(place, last, path)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise ConfigError(f"--set {setting!r}: {'.'.join(keys[:-1])} is {place!r}, not a table")


def _inside(place: object, key: str, path: str) -> object:
    if isinstance(place, list):
        return place[_position(place, key, path)]
    if isinstance(place, dict):
        return place.setdefault(key, {})
    raise ConfigError(f"--set {path}: {key!r} is looked for in {place!r}, which is not a table")


def _position(items: list[Any], key: str, path: str) -> int:
    if key.isdigit() and int(key) < len(items):
        return int(key)
    raise ConfigError(
        f"--set {path}: {key!r} is not the number of an item, expected 0 to {len(items) - 1}"
    )


def _value(text: str) -> object:
    """A TOML value; what is none is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def _refuse_unknown(value: object, kind: msgspec.inspect.Type, where: str) -> None:
    """Walk the table along its type and refuse the first key that no field has."""
    if isinstance(kind, msgspec.inspect.UnionType):
        for option in kind.types:
            _refuse_unknown(value, option, where)
    elif isinstance(value, dict) and isinstance(kind, msgspec.inspect.DictType):
        for key, item in value.items():
            _refuse_unknown(item, kind.value_type, f"{where}{key}.")
    elif isinstance(value, (list, tuple)) and isinstance(kind, msgspec.inspect.VarTupleType):
        for number, item in enumerate(value):
            _refuse_unknown(item, kind.item_type, f"{where}{number}.")
    elif isinstance(value, dict) and isinstance(
        kind, (msgspec.inspect.StructType, msgspec.inspect.DataclassType)
    ):
        fields = {field.encode_name: field.type for field in kind.fields}
        for key, item in value.items():
            if key not in fields:
                raise ConfigError(
                    f"unknown key {where + key!r} in the configuration; {_guess(key, list(fields))}"
                )
            _refuse_unknown(item, fields[key], f"{where}{key}.")


def _guess(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    listing = f"known are {', '.join(known)}"
    return f"did you mean {near[0]!r}? {listing}" if near else listing
