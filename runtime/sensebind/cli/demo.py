# SPDX-License-Identifier: Apache-2.0
"""`sensebind demo`: the built-in bundle on the sample recording, measured against its truth."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sensebind.cli import output
from sensebind.cli.folders import made_folder
from sensebind.cli.options import JsonOption
from sensebind.errors import SinkError

if TYPE_CHECKING:
    from sensebind.bundle import Bundle
    from sensebind.config import StreamConfig
    from sensebind.demo import ModalityRun
    from sensebind.demo_queries import Question

PICTURE_NAME = "demo.png"


def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where the results go; made if absent.")
    ] = Path("demo-out"),
    bundle: Annotated[
        str, typer.Option("--bundle", metavar="NAME|FOLDER", help="Another bundle with prompts.")
    ] = "demo",
    sample: Annotated[
        Path | None,
        typer.Option("--sample", metavar="FOLDER", help="Another sample.mcap with a truth.json."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Encode the sample recording, label it by text and compare with what is true."""
    from sensebind.bundle import Bundle
    from sensebind.demo import (
        RECORDING_NAME,
        TRUTH_NAME,
        read_truth,
        run_clips,
        run_demo,
        stream_configs,
    )
    from sensebind.storage import data_folder
    from sensebind.types import Modality

    made_folder(out)
    folder = sample or data_folder() / "sample"
    truth = read_truth(folder / TRUTH_NAME)
    recording = folder / RECORDING_NAME
    with Bundle.load(bundle) as loaded, output.progress("encoding", shown=not json) as advance:
        runs = run_demo(loaded, recording, truth, advance)
        questions = _questions(runs)
        seen = next((i for i, run in enumerate(runs) if run.modality is Modality.VISION), None)
        clips = None if seen is None else run_clips(loaded, recording, truth, runs[seen])
        if seen is not None and clips is not None:
            runs.insert(seen + 1, clips)
        notes = _notes(loaded, runs)
        name = loaded.name
    files = [_write_table(run, out) for run in runs]
    files.append(_write_picture(runs, questions, recording, stream_configs(truth), out, name))
    if json:
        output.show_json(_summary(runs, questions, truth.nature, files, notes))
        return
    for note in notes:
        output.warning(note)
    _show(runs, questions)
    for modality in sorted({s.modality for s in truth.segments} - {run.modality for run in runs}):
        output.say(f"{modality}: not measured, the bundle has no encoder or no prompts for it")
    for file in files:
        output.say(f"wrote {file}")


def _questions(runs: Sequence["ModalityRun"]) -> "list[Question]":
    """What the senses that met no text find in pictures, and what arithmetic finds."""
    from sensebind.demo_queries import carry_over, find_in
    from sensebind.types import Modality

    seen = next((run for run in runs if run.modality is Modality.VISION), None)
    if seen is None or not any(result.windows for result in seen.results):
        return []
    names = dict(zip(seen.classes.labels, seen.classes.prototypes, strict=True))
    found = [find_in(run, seen) for run in runs if run.binding == "emergent"]
    return [*found, carry_over(seen, names)]


def _notes(bundle: "Bundle", runs: Sequence["ModalityRun"]) -> list[str]:
    """Which classes lie far from what the frozen towers know; trained senses learnt theirs."""
    from sensebind.vocabulary import Vocabulary

    vocabulary = Vocabulary.of(bundle)
    notes: dict[str, None] = {}
    for run in runs:
        if vocabulary is not None and run.binding == "anchor":
            texts = run.classes.labels
            found = vocabulary.notes(texts, run.classes.prototypes, [run.modality])
            notes |= dict.fromkeys(found)
    return list(notes)


def _write_table(run: "ModalityRun", folder: Path) -> Path:
    from sensebind.sinks import open_sink
    from sensebind.sinks.base import finishing

    path = folder / f"{run.name.replace(' ', '-')}.parquet"
    with finishing(open_sink(path, run.metadata)) as sink:
        for record in run.records:
            sink.write(record)
    return path


def _write_picture(
    runs: Sequence["ModalityRun"],
    questions: "Sequence[Question]",
    recording: Path,
    configs: Mapping[str, "StreamConfig"],
    folder: Path,
    bundle: str,
) -> Path:
    from sensebind.storage import cache_folder

    # A folder of our own: writable even without a home, and no user style changes the picture.
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
    from sensebind.cli.demo_picture import question_row, stream_rows
    from sensebind.plot import draw

    path = folder / PICTURE_NAME
    rows, blocks, duration_s = stream_rows(runs, recording, configs)
    streams = {run.name: (run.modality, blocks[next(iter(run.metadata.windows))]) for run in runs}
    for question in questions:
        if question.query in streams and question.query != question.target:
            rows.append(question_row(question, streams[question.query], streams[question.target]))
    subtitle = (
        f"{recording.name} through the bundle {bundle!r}; each window's label is the nearest of "
        "the prompts, pale where no truth is known"
    )
    try:
        draw(path, "A robot's senses, labelled by text", subtitle, rows, duration_s)
    except OSError as error:
        raise SinkError(
            f"cannot write {str(path)!r}: {error.strerror or error}; choose another --out"
        ) from None
    return path


def _show(runs: Sequence["ModalityRun"], questions: "Sequence[Question]") -> None:
    from sensebind.cli.demo_picture import accuracy

    results = [(run.name, result) for run in runs for result in run.results]
    begin_ns = min((result.segment.start_ns for _, result in results), default=0)
    rows = [
        [
            f"{(r.segment.start_ns - begin_ns) / 1e9:.1f}",
            f"{(r.segment.end_ns - begin_ns) / 1e9:.1f}",
            name,
            r.segment.label,
            r.label or "-",
            "yes" if r.right else "NO",
            f"{r.score:.2f}",
            r.windows,
        ]
        for name, r in sorted(results, key=lambda found: (found[1].segment.start_ns, found[0]))
    ]
    headers = ["from s", "to s", "sense", "truth", "label", "right", "score", "windows"]
    output.say(output.table(headers, rows) + "\n")
    for run in runs:
        output.say(f"{run.name}: {accuracy(run)}, {run.binding}, {run.nature} data")
    for question in questions:
        total = len(question.answers)
        expected = question.chance * total
        output.say(f"{question.name}: {question.right} of {total}, by chance {expected:.1f}")


def _summary(
    runs: Sequence["ModalityRun"],
    questions: "Sequence[Question]",
    nature: str,
    files: Sequence[Path],
    notes: Sequence[str],
) -> dict[str, Any]:
    return {
        "nature": nature,
        "files": [str(file) for file in files],
        "notes": notes,
        "modalities": {
            run.name: {
                "binding": run.binding,
                "nature": run.nature,
                "right": run.right,
                "segments": len(run.results),
                "results": run.results,
            }
            for run in runs
        },
        "questions": [
            {
                "name": question.name,
                "right": question.right,
                "queries": len(question.answers),
                "chance": question.chance,
                "answers": question.answers,
            }
            for question in questions
        ],
    }
