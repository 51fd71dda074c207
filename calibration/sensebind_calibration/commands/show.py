# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate show`: a calibration file as cards to read, and as pictures."""

from pathlib import Path
from typing import Annotated

import typer


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="A calibration file.")],
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw all sections.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE.html", help="Write cards and pictures as one page."),
    ] = None,
) -> None:
    """Print what a calibration file holds; with --plot or --html draw it."""
    from sensebind.calibration.file import checked
    from sensebind.cli import output
    from sensebind.errors import InputError
    from sensebind.sinks import check_place
    from sensebind_calibration.file import read_file
    from sensebind_calibration.kinds import KINDS

    content = read_file(file)
    if not content:
        raise InputError(f"{file} holds no sections; write one with 'sensebind calibrate'")
    for place in (plot, page):
        if place is not None:
            check_place(place)
    found = [
        (name, stream, checked(file, name, stream, table, kind.section))
        for name, kind in KINDS.items()
        for stream, table in content.get(name, {}).items()
    ]
    for name, stream, section in found:
        output.say(KINDS[name].card(stream, section))
    for name in content.keys() - KINDS.keys():
        output.warning(f"{file}: section [{name}] is of a newer version and not shown")
    if plot is None and page is None:
        return
    from sensebind_calibration.pages import Shown, draw_file, write_page

    shown = [Shown(*each) for each in found]
    if plot is not None:
        draw_file(plot, shown, file)
        output.say(f"drawn in {plot}")
    if page is not None:
        write_page(page, shown, file)
        output.say(f"written to {page}")
