# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate show`: a calibration file as cards to read."""

from pathlib import Path
from typing import Annotated

import typer


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="A calibration file.")],
) -> None:
    """Print what a calibration file holds."""
    from sensebind.calibration.file import checked
    from sensebind.cli import output
    from sensebind_calibration.file import read_file
    from sensebind_calibration.kinds import KINDS

    content = read_file(file)
    for name, kind in KINDS.items():
        for stream, table in content.get(name, {}).items():
            output.say(kind.card(stream, checked(file, name, stream, table, kind.section)))
    for name in content.keys() - KINDS.keys():
        output.warning(f"{file}: section [{name}] is of a newer version and not shown")
