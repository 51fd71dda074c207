# SPDX-License-Identifier: Apache-2.0
"""`sensebind run`: a robot's service, as a file says."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from sensebind.cli import output
from sensebind.cli.report_text import counted


def run(
    config: Annotated[
        Path, typer.Argument(metavar="ROBOT.toml", help="What runs; see docs/robot.md.")
    ],
    check: Annotated[
        bool,
        typer.Option("--check", help="Only look whether the file and what it names will do."),
    ] = False,
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="S", help="End after so long.", min=0.1)
    ] = None,
) -> None:
    """Run a robot's service; SIGHUP reads the file again, SIGTERM and Ctrl-C end it."""
    from sensebind.flow.signals import reloading_on_hangup, stopping_on_signals
    from sensebind.robot.service import Service

    if check:
        output.say(_checked(config))
        return
    service = Service(config, say=output.note, seconds=seconds)
    with stopping_on_signals(service.stop), reloading_on_hangup(service.reload):
        service.run()


def _checked(path: Path) -> str:
    """What a valid file configures; no device is opened and no engine is loaded."""
    from sensebind.bundle_folder import open_bundle
    from sensebind.calibration import Calibration
    from sensebind.robot.devices import check_devices
    from sensebind.robot.places import check_places
    from sensebind.robot.reading import read_robot_config

    read = read_robot_config(path)
    check_devices(read.devices)
    check_places(read)
    open_bundle(read.bundle)
    if read.calibration is not None:
        Calibration.load(read.calibration)
    return (
        f"{path} is valid: bundle {read.bundle}, {_listed('device', read.devices)}, "
        f"{_listed('stream', read.streams)}"
    )


def _listed(what: str, names: Collection[str]) -> str:
    return counted(len(names), what) + (f" ({', '.join(names)})" if names else "")
