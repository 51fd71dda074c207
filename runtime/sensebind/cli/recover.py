# SPDX-License-Identifier: Apache-2.0
"""`sensebind recover`: finish the output of a live run that was interrupted."""

from pathlib import Path
from typing import Annotated

import typer

from sensebind.cli import output
from sensebind.cli.options import JsonOption


def recover(
    outputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="OUTPUT…",
            help="The output of an interrupted live run, as it was named then; its parts lie in "
            "OUTPUT.parts beside it.",
        ),
    ],
    json: JsonOption = False,
) -> None:
    """Write the output of an interrupted live run from the parts it left, and remove these."""
    from sensebind.cli.report_text import counted
    from sensebind.sinks import recover as write_from_parts

    for path in outputs:
        count = write_from_parts(path)
        if json:
            output.show_json({"out": str(path), "embeddings": count})
        else:
            output.say(f"recovered {counted(count, 'embedding')} in {path}")
