# SPDX-License-Identifier: Apache-2.0
"""`sensebind export`: a bundle from a finished training run."""

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from sensebind.errors import InputError
from sensebind.specs import HalfSpec

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
    fp16: Annotated[
        bool,
        typer.Option("--fp16", help="Add half-precision graphs, measured on the training data."),
    ] = False,
    softmax: Annotated[
        str, typer.Option(metavar="fp32|fp16", help="Type of attention's softmax in them.")
    ] = "fp32",
) -> None:
    """Export the encoders of a training run, with the towers they are bound to, as a bundle."""
    from sensebind.cli import output
    from sensebind_engines.export.run import HalfAsked, export_run
    from sensebind_engines.half.islands import Softmax

    if softmax not in get_args(Softmax):
        raise InputError(f"--softmax is {softmax!r}, expected fp32 or fp16")
    half = HalfAsked(cast("Softmax", softmax)) if fp16 else None
    with output.progress("exporting") as advance:
        done = export_run(run, out, name=name, licence=licence, half=half, advance=advance)
    for modality, difference in done.differences.items():
        typer.echo(f"{modality}: exported, max |ONNX Runtime - torch| {difference:.1e}")
    for modality, half_spec in done.halves.items():
        typer.echo(f"{modality}: {_half_line(half_spec)}")
    if kept := [m.value for m in done.modalities if m not in done.differences]:
        typer.echo(f"{', '.join(kept)}: taken over as they are")
    typer.echo(f"wrote {out}; next: sensebind evaluate {out} DATA")


def _half_line(spec: HalfSpec) -> str:
    """What was found about a half graph."""
    strict = "too large to be" if spec.strict_cosine is None else f"cosine {spec.strict_cosine:.6f}"
    return (
        f"half: {spec.onnx}, largest value {spec.largest_activation:g} on {spec.rows} windows, "
        f"{len(spec.islands)} values and {spec.island_share:.1%} of the products kept FP32, "
        f"{strict} strictly rounded"
    )
