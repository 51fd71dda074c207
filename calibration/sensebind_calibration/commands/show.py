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
    from sensebind_calibration.cards import CARDS
    from sensebind_calibration.file import SECTIONS, read_file

    content = read_file(file)
    for estimator, kind in SECTIONS.items():
        for stream, table in content.get(estimator, {}).items():
            output.say(CARDS[estimator](stream, checked(file, estimator, stream, table, kind)))
    for name in content.keys() - SECTIONS.keys():
        output.warning(f"{file}: section [{name}] is of a newer version and not shown")
