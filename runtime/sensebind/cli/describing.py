# SPDX-License-Identifier: Apache-2.0
"""What the command line asks to be said of a run's embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sensebind.changes import ChangeConfig
from sensebind.cli.report_text import counted
from sensebind.cli.settings import config_of_options
from sensebind.describing import ChangeSettings, DescribingConfig, LabelSettings
from sensebind.errors import ConfigError
from sensebind.fusion import FusionConfig
from sensebind.sinks import check_place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.describing import Describer


def describing_config(
    prompts: str | None,
    labels: str | None,
    joint: bool,
    fusion: str | None,
    changes: Path | None,
    change: str | None,
) -> DescribingConfig:
    """What is asked by the options of these names.

    Raises:
        InputError: naming the option or file and the reason.
    """
    label_settings = config_of_options("--labels", labels, LabelSettings)
    if labels is not None and prompts is None:
        raise ConfigError(f"--labels {labels!r} needs classes; give them with --prompts")
    if change is not None and changes is None:
        raise ConfigError(f"--change {change!r} needs a file; give it with --changes")
    joined = joint or fusion is not None
    return DescribingConfig(
        prompts=prompts,
        labels=label_settings,
        fusion=config_of_options("--fusion", fusion, FusionConfig) if joined else None,
        changes=None if changes is None else _changes(changes, change),
    )


def _changes(path: Path, options: str | None) -> ChangeSettings:
    check_place(path)
    what = config_of_options("--change", options, ChangeConfig)
    return ChangeSettings(file=str(path), **msgspec.structs.asdict(what))


def described_lines(describer: Describer) -> Iterator[str]:
    """What was joined and what changed."""
    joint, changes = describer.joint, describer.config.changes
    if joint is not None:
        yield (
            f"joint: {counted(joint.fused, 'embedding')}, {joint.partial} of them without "
            f"some stream; left out: {joint.alone} of one stream only, {joint.late} late"
        )
    if changes is not None:
        yield f"{counted(describer.changes, 'change')} in {changes.file}"
