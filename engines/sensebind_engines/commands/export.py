# SPDX-License-Identifier: Apache-2.0
"""`sensebind export`: a bundle from a finished training run."""

from pathlib import Path
from typing import Annotated

import typer

export_app = typer.Typer(add_completion=False)


@export_app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished training run.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder for the bundle.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the bundle; the folder's by default.")
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(help="Licence of the bundle; that of its frozen towers by default."),
    ] = None,
) -> None:
    """Export the encoders of a training run, with the towers they are bound to, as a bundle."""
    from sensebind.cli import output
    from sensebind_engines.export.run import export_run

    with output.progress("exporting") as advance:
        done = export_run(run, out, name=name, licence=licence, advance=advance)
    for modality, difference in done.differences.items():
        typer.echo(f"{modality}: exported, max |ONNX Runtime - torch| {difference:.1e}")
    if kept := [m.value for m in done.modalities if m not in done.differences]:
        typer.echo(f"{', '.join(kept)}: taken over as they are")
    typer.echo(f"wrote {out}; next: sensebind evaluate {out} DATA")
