# SPDX-License-Identifier: Apache-2.0
"""`sensebind import-imagebind`: a bundle from one's own ImageBind weights."""

from pathlib import Path
from typing import Annotated

import typer

from sensebind.types import Modality

import_imagebind_app = typer.Typer(add_completion=False)


@import_imagebind_app.command()
def import_imagebind(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="imagebind_huge.pth, as downloaded.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder for the bundle.")],
    modality: Annotated[
        list[Modality] | None,
        typer.Option("--modality", help="Import only these; may be repeated. All by default."),
    ] = None,
    bpe: Annotated[
        Path | None,
        typer.Option(
            "--bpe",
            metavar="FILE",
            help="CLIP's bpe_simple_vocab_16e6.txt.gz or a tokenizer.json, for text; by default "
            "that of the installed package open_clip_torch.",
        ),
    ] = None,
    still: Annotated[
        bool,
        typer.Option(
            "--still", help="Vision takes one picture, not the first and last frame of 2 s."
        ),
    ] = False,
) -> None:
    """Make a bundle from your own ImageBind weights (CC BY-NC-SA, not for commercial use)."""
    from sensebind.cli import output
    from sensebind_engines.imagebind.importer import import_imagebind as run
    from sensebind_engines.imagebind.tokenizer import clip_tokenizer_json

    wanted = modality or list(Modality)
    with output.progress("importing") as advance:
        done = run(
            checkpoint,
            out,
            wanted,
            tokenizer=clip_tokenizer_json(bpe) if Modality.TEXT in wanted else None,
            still=still,
            advance=advance,
        )
    for name, difference in done.differences.items():
        typer.echo(f"{name}: exported, max |ONNX Runtime - torch| {difference:.1e}")
    typer.echo(f"wrote {out}; its space is named by {', '.join(done.anchor)}")
    output.warning("these weights are licensed CC BY-NC-SA 4.0: not for commercial use")
    if done.assumed:
        output.warning(
            f"ImageBind's authors never published the IMU's {', '.join(done.assumed)}; what "
            f"{out / 'bundle.json'} says of them is assumed. Check it on your own data before "
            "relying on it, and clear 'assumed' there once you know"
        )
    if not {Modality.VISION, Modality.TEXT} <= set(done.modalities):
        output.warning(
            "without vision and text together the bundle's space_id is not that of a full import, "
            "although its vectors may be compared with one's"
        )
