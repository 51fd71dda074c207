# SPDX-License-Identifier: Apache-2.0
"""What the command line asks to be said of a run's embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from sensebind.changes import ChangeConfig
from sensebind.cli.report_text import counted
from sensebind.cli.settings import config_of_options
from sensebind.describing import ChangeSettings, LabelSettings
from sensebind.errors import ConfigError
from sensebind.fusion import FusionConfig
from sensebind.sinks import check_place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.describing import Describer
    from sensebind.robot.config import RobotConfig


@dataclass(frozen=True, slots=True)
class AskedDescription:
    """What the options of these names say; None where they say nothing."""

    prompts: str | None = None
    labels: str | None = None
    joint: bool = False
    fusion: str | None = None
    changes: Path | None = None
    change: str | None = None

    def on(self, base: RobotConfig) -> RobotConfig:
        """A configuration with this instead.

        Changes are written where the command line says, or nowhere: the file of a robot is the
        robot's.

        Raises:
            InputError: naming the option or file and the reason.
        """
        values: dict[str, Any] = {"changes": None}
        if self.prompts is not None:
            values["prompts"] = self.prompts
        if self.labels is not None:
            values["labels"] = config_of_options("--labels", self.labels, LabelSettings)
            if self.prompts is None and base.prompts is None:
                raise ConfigError(
                    f"--labels {self.labels!r} needs classes; give them with --prompts"
                )
        if self.fusion is not None or self.joint:
            values["fusion"] = config_of_options("--fusion", self.fusion, FusionConfig)
        if self.joint and self.fusion is None and base.fusion is not None:
            values["fusion"] = base.fusion
        if self.changes is not None:
            values["changes"] = _changes(base, self.changes, self.change)
        elif self.change is not None:
            raise ConfigError(f"--change {self.change!r} needs a file; give it with --changes")
        return msgspec.structs.replace(base, **values)


def _changes(base: RobotConfig, path: Path, options: str | None) -> ChangeSettings:
    check_place(path)
    if options is None and base.changes is not None:
        return msgspec.structs.replace(base.changes, file=str(path))
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
