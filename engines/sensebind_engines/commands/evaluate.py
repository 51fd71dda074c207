# SPDX-License-Identifier: Apache-2.0
"""`sensebind evaluate`: what a bundle can do, measured on a data set."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sensebind.bundle import Bundle
from sensebind.cli import output
from sensebind.cli.folders import made_folder
from sensebind.cli.options import BackendOption, JsonOption, ThreadsOption
from sensebind.errors import InputError, SinkError
from sensebind.json_text import NOT_JSON
from sensebind.storage import atomic_path
from sensebind.types import Modality
from sensebind.zero_shot import parse_prompts
from sensebind_engines.evaluation.classes import Classes
from sensebind_engines.evaluation.evaluate import Settings, evaluate
from sensebind_engines.evaluation.report import HEAT_MAP_NAME, markdown, shown
from sensebind_engines.evaluation.results import Evaluation

app = typer.Typer(add_completion=False)


class WindowChoice(str, Enum):
    """Which windows of a row are evaluated."""

    EACH = "each"
    ONE = "one"


@app.command()
def evaluate_bundle(
    bundle: Annotated[str, typer.Argument(metavar="BUNDLE", help="Name or folder of a bundle.")],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Manifest (.jsonl, .parquet), a folder with sample.mcap and truth.json, or "
            "'sample', the shipped one.",
        ),
    ],
    prompts: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|TEXTS",
            help="Prompts by class, or by modality and class (.json); by default the bundle's own, "
            "else the labels.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for EVALUATION.md, evaluation.json and matrix.png."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Rows of this split only.")] = None,
    shots_from: Annotated[
        str | None, typer.Option(help="Split the few-shot probe learns from.")
    ] = None,
    windows: Annotated[
        WindowChoice, typer.Option(help="Each window of a row, or one, the middle one.")
    ] = WindowChoice.EACH,
    hop: Annotated[float | None, typer.Option(metavar="S", help="Seconds between windows.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every draw.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How often the shots are drawn anew.")] = 5,
    resamples: Annotated[
        int, typer.Option(min=1, help="Bootstrap resamples of every interval.")
    ] = 1000,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps windows and features.")
    ] = None,
    backend: BackendOption = "auto",
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Measure a bundle: zero-shot, retrieval, few-shot, every modality against every other."""
    if out is not None:
        made_folder(out)
    settings = Settings(
        split=split,
        shots_from=shots_from,
        windows=windows.value,
        hop_s=hop,
        seed=seed,
        seeds=seeds,
        resamples=resamples,
        cache=cache,
        prompts={} if prompts is None else _prompts(prompts),
    )
    with (
        Bundle.load(bundle, backend=backend, threads=threads) as loaded,
        output.progress("evaluating") as advance,
    ):
        found = evaluate(loaded, data, settings, advance)
    if out is not None:
        write_evaluation(found, out)
    if json:
        output.show_json(found)
    else:
        _show(found, out)


def write_evaluation(found: Evaluation, out: Path) -> None:
    """Write EVALUATION.md, evaluation.json and the picture of the matrix into a folder.

    Raises:
        SinkError: if they cannot be written.
    """
    from sensebind_engines.evaluation.heat_map import write_heat_map

    try:
        out.mkdir(parents=True, exist_ok=True)
        with atomic_path(out / "evaluation.json") as temporary:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
        with atomic_path(out / "EVALUATION.md") as temporary:
            temporary.write_text(markdown(found), encoding="utf-8")
        write_heat_map(found, out / HEAT_MAP_NAME)
    except OSError as error:
        raise SinkError(
            f"cannot write into {str(out)!r}: {error.strerror or error}; choose another --out"
        ) from error


def _prompts(given: str) -> dict[Modality | None, Classes]:
    """Prompts by modality, or under None for all of them."""
    path = Path(given)
    if path.suffix.lower() == ".json" and path.is_file():
        try:
            by_modality = msgspec.json.decode(
                path.read_bytes(), type=dict[Modality | None, Classes]
            )
        except (OSError, *NOT_JSON):
            return {None: parse_prompts(given)}
        found: dict[Modality | None, Classes] = {}
        found.update(by_modality)
        if found:
            return found
        raise InputError(f"{path} has no prompts; expected {{class: [prompt, …]}}")
    return {None: parse_prompts(given)}


def _show(found: Evaluation, out: Path | None) -> None:
    rows: list[list[object]] = []
    for named in found.zero_shot:
        best = named.balanced or named.top1
        rows.append([f"{named.modality} named by text", named.relation, best.n, shown(best)])
    for result in found.retrieval:
        figure = result.recall["R@1"]
        pair = f"{result.query} → {result.target}, R@1"
        rows.append([pair, result.relation, figure.n, shown(figure)])
    output.say(output.table(["measured", "pair", "n", "value [95 %] (chance)"], rows))
    for note in found.notes:
        output.say(note)
    if out is not None:
        output.say(f"EVALUATION.md, evaluation.json and {HEAT_MAP_NAME} are in {out}")
