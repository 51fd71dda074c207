# SPDX-License-Identifier: Apache-2.0
"""`sensebind export`: a bundle from a finished training run, or from another bundle."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from sensebind.errors import InputError
from sensebind.specs import HalfSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from sensebind_engines.export.derived import Derived
    from sensebind_engines.half.islands import Softmax
    from sensebind_engines.int8.export import Int8Made
    from sensebind_engines.int8.quantise import Method

    Told = TypeVar("Told")

export_app = typer.Typer(add_completion=False)


@export_app.command()
def export(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|BUNDLE",
            help="Folder of a finished training run; with --data a bundle to take over.",
        ),
    ],
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
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Add 8-bit graphs for CPUs, of encoders that stand it."),
    ] = False,
    method: Annotated[
        str,
        typer.Option(
            metavar="dynamic|static",
            help="How their inputs are scaled: by what a run brings, or by what was seen.",
        ),
    ] = "dynamic",
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="For a bundle in place of a run: a recording, a manifest or 'sample' to measure.",
        ),
    ] = None,
) -> None:
    """Export the encoders of a training run, with the towers they are bound to, as a bundle."""
    from sensebind_engines.half.islands import Softmax
    from sensebind_engines.int8.quantise import Method

    if method not in get_args(Method):
        raise InputError(f"--method is {method!r}, expected dynamic or static")
    if softmax not in get_args(Softmax):
        raise InputError(f"--softmax is {softmax!r}, expected fp32 or fp16")
    if data is not None and (name is not None or licence is not None):
        raise InputError("--name and --licence are a run's; a copy of a bundle keeps its own")
    half = cast("Softmax", softmax) if fp16 else None
    quantised = cast("Method", method) if int8 else None
    if data is None:
        _export_run(Path(run), out, name, licence, half, quantised)
    elif half is not None and quantised is None:
        _copy_with_half(run, out, data, half)
    elif quantised is not None and half is None:
        _copy_with_int8(run, out, data, quantised)
    else:
        raise InputError("--data copies a bundle with either --fp16 or --int8 graphs; give one")


def _copy_with_int8(bundle: str, out: Path, data: str, method: "Method") -> None:
    from sensebind.bundle_folder import open_bundle
    from sensebind.cli import output
    from sensebind_engines.int8.bundle import copy_with_int8

    with output.progress("measuring") as advance:
        done = copy_with_int8(open_bundle(bundle), out, data, method, advance)
    _tell(done, _int8_line)
    typer.echo(f"wrote {out}; next: sensebind bench --bundle {out} --backend onnxruntime-int8")


def _copy_with_half(bundle: str, out: Path, data: str, softmax: "Softmax") -> None:
    from sensebind.bundle_folder import open_bundle
    from sensebind.cli import output
    from sensebind_engines.half.bundle import copy_with_half

    with output.progress("measuring") as advance:
        done = copy_with_half(open_bundle(bundle), out, data, softmax, advance)
    _tell(done, _half_line)
    typer.echo(f"wrote {out}; next, on the robot: sensebind engine build {out}")


def _tell(done: "Derived[Told]", line: "Callable[[Told], str]") -> None:
    for modality, made in done.made.items():
        typer.echo(f"{modality}: {line(made)}")
    for modality, reason in done.refused.items():
        typer.echo(f"{modality}: stays FP32: {reason}")


def _export_run(
    run: Path,
    out: Path,
    name: str | None,
    licence: str | None,
    half: "Softmax | None",
    int8: "Method | None",
) -> None:
    from sensebind.cli import output
    from sensebind_engines.export.run import export_run

    with output.progress("exporting") as advance:
        done = export_run(
            run, out, name=name, licence=licence, half=half, int8=int8, advance=advance
        )
    for modality, difference in done.differences.items():
        typer.echo(f"{modality}: exported, max |ONNX Runtime - torch| {difference:.1e}")
    for modality, half_spec in done.halves.items():
        typer.echo(f"{modality}: {_half_line(half_spec)}")
    for modality, made in done.int8.items():
        typer.echo(f"{modality}: {_int8_line(made)}")
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


def _int8_line(made: "Int8Made") -> str:
    """What was found about an INT8 graph."""
    spec = made.spec
    return (
        f"{spec.method} INT8: {spec.onnx}, {spec.product_share:.1%} of the products, cosine to "
        f"FP32 at least {spec.least_cosine:.4f}, mean {spec.mean_cosine:.4f}, on {spec.rows} "
        f"windows; {made.time_ratio:.2f} of FP32's time on this processor"
    )
