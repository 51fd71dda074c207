# SPDX-License-Identifier: Apache-2.0
"""`sensebind run`: a robot's service, as a file says."""

from pathlib import Path
from typing import Annotated

import typer

from sensebind.cli import output


def run(
    config: Annotated[
        Path, typer.Argument(metavar="ROBOT.toml", help="What runs; see docs/robot.md.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Only look whether the file is valid.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="S", help="End after so long.", min=0.1)
    ] = None,
) -> None:
    """Run a robot's service; SIGHUP reads the file again, SIGTERM and Ctrl-C end it."""
    from sensebind.flow.signals import reloading_on_hangup, stopping_on_signals
    from sensebind.robot.places import check_places
    from sensebind.robot.reading import read_robot_config
    from sensebind.robot.service import Service

    if check:
        read = read_robot_config(config)
        check_places(read)
        output.say(f"{config} is valid: {len(read.devices)} devices, {len(read.streams)} streams")
        return
    service = Service(config, say=output.note, seconds=seconds)
    with stopping_on_signals(service.stop), reloading_on_hangup(service.reload):
        service.run()
