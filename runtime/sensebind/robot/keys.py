# SPDX-License-Identifier: Apache-2.0
"""The keys of robot.toml as tables in Markdown, generated from the classes that read it.

`python -m sensebind.robot.keys docs/robot.md` writes them between the page's two markers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sensebind.config import PipelineConfig, StreamConfig
from sensebind.config_fields import ConfigField, config_fields
from sensebind.describing import ChangeSettings, LabelSettings
from sensebind.fusion import FusionConfig
from sensebind.robot.config import (
    EnginesConfig,
    HealthConfig,
    OutputConfig,
    RecordConfig,
    RobotConfig,
    StatsConfig,
)
from sensebind.robot.device_config import DEVICE_CONFIGS
from sensebind.toml_text import toml_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import msgspec

BEGIN, END = "<!-- keys: python -m sensebind.robot.keys -->", "<!-- end of keys -->"
_TABLES: dict[str, type[msgspec.Struct]] = {
    '[streams."NAME"]': StreamConfig,
    "[labels]": LabelSettings,
    "[fusion]": FusionConfig,
    "[changes]": ChangeSettings,
    "[engines]": EnginesConfig,
    "[output]": OutputConfig,
    "[record]": RecordConfig,
    "[stats]": StatsConfig,
    "[health]": HealthConfig,
}
_WORDS = {
    "bool": "true or false",
    "int": "whole number",
    "float": "number",
    "text": "text",
    "numbers": "numbers",
    "texts": "texts",
    "table": "table",
    "struct": "table",
}


def keys_text() -> str:
    """All tables, each with its heading."""
    general = [f for f in config_fields(RobotConfig) if f.kind not in ("struct", "table")]
    general += [f for f in config_fields(RobotConfig) if f.name in ("prompts", "devices")]
    parts = ["### At the top\n", *_rows(_in_order(general))]
    for heading, config in _TABLES.items():
        parts += [f"\n### `{heading}`\n", *_rows(config_fields(config))]
    for config in DEVICE_CONFIGS:
        kind = str(config.__struct_config__.tag)
        first_line = (config.__doc__ or "").partition("\n")[0]
        parts += [f'\n### `[devices.NAME]` with `kind = "{kind}"`\n', f"{first_line}\n"]
        parts += _rows(config_fields(config))
    return "\n".join(parts) + "\n"


def with_keys(page: str) -> str:
    """A page with the tables as they are now, between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{keys_text()}\n{END}{after}"


def _in_order(fields: list[ConfigField]) -> list[ConfigField]:
    """What a robot adds to a pipeline comes first."""
    pipeline = set(PipelineConfig.__struct_fields__)
    return sorted(fields, key=lambda field: field.name in pipeline)


def _rows(fields: list[ConfigField] | tuple[ConfigField, ...]) -> Iterator[str]:
    yield "| key | what | unless set | meaning |"
    yield "|---|---|---|---|"
    for field in fields:
        what = field.expected or _WORDS[field.kind]
        if field.or_text and field.kind != "text":
            what = f"text or {what}"
        meaning = field.description.replace("|", "\\|")
        yield f"| `{field.name}` | {what} | {_default(field)} | {meaning} |"


def _default(field: ConfigField) -> str:
    if field.required:
        return "**needed**"
    empty = field.default in (None, {}, ())
    return "" if empty else f"`{toml_text({'k': field.default}).strip().removeprefix('k = ')}`"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_keys(path.read_text(encoding="utf-8")), encoding="utf-8")
