# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from typing import Annotated

import typer

BundleOption = Annotated[
    str, typer.Option("--bundle", metavar="NAME|FOLDER", help="Bundle that holds the encoders.")
]
PromptsOption = Annotated[
    str | None,
    typer.Option(
        "--prompts",
        metavar="FILE|TEXTS",
        help="Classes to score: 'a cat,a dog', or a .json, .toml or .txt file of prompts.",
    ),
]
BackendOption = Annotated[
    str, typer.Option("--backend", metavar="NAME", help="Engine backend; auto picks one.")
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", metavar="N", help="Threads of one engine run.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
