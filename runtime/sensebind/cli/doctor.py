# SPDX-License-Identifier: Apache-2.0
"""`sensebind doctor`: what works on this computer, what does not, and the fix."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sensebind.cli import output
from sensebind.cli.options import BundleOrConfigOption, ConfigOption, JsonOption
from sensebind.cli.report_text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sensebind.doctor.finding import Finding
    from sensebind.robot.config import RobotConfig

_MARKS = {"ok": ("✓", "green"), "note": ("·", "blue"), "warning": ("!", "yellow"),
          "failure": ("✗", "red")}  # fmt: skip


def doctor(
    bundle: BundleOrConfigOption = None,
    config: ConfigOption = None,
    listen: Annotated[
        float | None,
        typer.Option("--listen", metavar="S", min=1, help="Also open the devices of --config for "
                     "so many seconds, and tell how their clocks run."),
    ] = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Examine this computer; exit code 1 if something that SenseBind needs is broken."""
    findings = []
    for finding in _findings(bundle, config, listen):
        findings.append(finding)
        if not json:
            _show(finding)
    failures = sum(finding.level == "failure" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    if json:
        output.show_json(findings)
    else:
        output.say(f"{counted(failures, 'failure')}, {counted(warnings, 'warning')}")
    if failures:
        raise typer.Exit(1)


def _findings(bundle: str | None, config: Path | None, listen: float | None) -> "Iterator[Finding]":
    from sensebind.cli.settings import AskedRun
    from sensebind.doctor import examine
    from sensebind.errors import InputError

    if listen is not None and config is None:
        raise InputError(
            "--listen needs to know the devices; name them in a file: --config robot.toml"
        )
    robot = AskedRun(config).robot_config()
    name = bundle or robot.bundle
    yield from examine(name)
    if listen is not None:
        yield from _clocks(name, robot, listen)


def _clocks(bundle: str, robot: "RobotConfig", seconds: float) -> "Iterable[Finding]":
    from sensebind.bundle import Bundle
    from sensebind.doctor.clocks import live_clocks
    from sensebind.robot.devices import sources_of

    with Bundle.load(bundle) as loaded:
        yield from live_clocks(loaded, sources_of(robot.devices), seconds)


def _show(finding: "Finding") -> None:
    mark, colour = _MARKS[finding.level]
    output.say(f"{typer.style(mark, fg=colour, bold=True)} {finding.topic}: {finding.says}")
    if finding.fix:
        output.say(f"    → {finding.fix}")
