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
            help="The output or the recording of an interrupted live run, as it was named then; "
            "what there is of it lies in OUTPUT.parts or OUTPUT.part beside it.",
        ),
    ],
    json: JsonOption = False,
) -> None:
    """Complete what an interrupted live run was writing, from what is on the disk."""
    from sensebind.cli.report_text import counted
    from sensebind.sinks import check_output
    from sensebind.sinks import recover as write_from_parts
    from sensebind.sinks.raw.recording_file import unfinished

    for path in outputs:
        noun = "message" if unfinished(check_output(path)).exists() else "embedding"
        count = write_from_parts(path)
        if json:
            output.show_json({"out": str(path), f"{noun}s": count})
        else:
            output.say(f"recovered {counted(count, noun)} in {path}")
