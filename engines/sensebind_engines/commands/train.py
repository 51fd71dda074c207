# SPDX-License-Identifier: Apache-2.0
"""`sensebind train`: train a binding graph. Torch is imported when it runs."""

from pathlib import Path
from typing import Annotated

import typer

train_app = typer.Typer(add_completion=False)


@train_app.command()
def train(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="A TOML file, or a preset: imagebind, languagebind, clip, audioclip, cmc, "
            "avid_cma, centroid.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run; runs/<name of CONFIG> if not given."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value: training.batch=32."),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Print edges, pairs left to emerge and data needed; train nothing."
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in the folder.")
    ] = False,
) -> None:
    """Train the encoders of a binding graph into a shared space."""
    from sensebind_engines.training import run
    from sensebind_engines.training.assembly import assemble
    from sensebind_engines.training.config_file import load_config
    from sensebind_engines.training.explain import explanation

    loaded = load_config(config, settings or [])
    if explain:
        typer.echo(explanation(assemble(loaded)))
        return
    folder = run.train(
        loaded, out or Path("runs") / Path(config).stem, resume=resume, progress=True
    )
    for edge in folder.edges():
        pair = "-".join(edge.pair)
        typer.echo(f"{pair}: loss {edge.value:.4f}, temperature {edge.temperature:.4g}")
    typer.echo(f"trained: {folder.path}; next: sensebind export {folder.path} BUNDLE")
