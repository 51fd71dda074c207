# SPDX-License-Identifier: Apache-2.0
"""`sensebind demo`: the built-in bundle on the sample recording, measured against its truth."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sensebind.cli import output
from sensebind.cli.options import JsonOption
from sensebind.errors import InputError, SinkError

if TYPE_CHECKING:
    from sensebind.demo import ModalityRun

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
    from sensebind.demo import RECORDING_NAME, TRUTH_NAME, read_truth, run_demo
    from sensebind.storage import data_folder

    _make_folder(out)
    folder = sample or data_folder() / "sample"
    truth = read_truth(folder / TRUTH_NAME)
    with Bundle.load(bundle) as loaded, output.progress("encoding", shown=not json) as advance:
        runs = run_demo(loaded, folder / RECORDING_NAME, truth, advance)
        name = loaded.name
    files = [_write_table(run, out) for run in runs]
    files.append(_write_picture(runs, folder / RECORDING_NAME, truth.nature, out, name))
    if json:
        output.show_json(_summary(runs, truth.nature, files))
        return
    _show(runs, truth.nature)
    for modality in sorted({s.modality for s in truth.segments} - {run.modality for run in runs}):
        output.say(f"{modality}: not measured, the bundle has no encoder or no prompts for it")
    for file in files:
        output.say(f"wrote {file}")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {str(folder)!r}: {error.strerror}; choose another --out"
        ) from None


def _write_table(run: "ModalityRun", folder: Path) -> Path:
    from sensebind.sinks import open_sink
    from sensebind.sinks.base import finishing

    path = folder / f"{run.modality.value}.parquet"
    with finishing(open_sink(path, run.metadata)) as sink:
        for record in run.records:
            sink.write(record)
    return path


def _write_picture(
    runs: Sequence["ModalityRun"], recording: Path, nature: str, folder: Path, bundle: str
) -> Path:
    from sensebind.storage import cache_folder

    # A folder of our own: writable even without a home, and no user style changes the picture.
    os.environ.setdefault("MPLCONFIGDIR", str(cache_folder() / "matplotlib"))
    from sensebind.cli.demo_picture import stream_rows
    from sensebind.plot import draw

    path = folder / PICTURE_NAME
    rows, duration_s = stream_rows(runs, recording, nature)
    subtitle = (
        f"{recording.name} ({nature}) through the bundle {bundle!r}; each window's label is the "
        "nearest of the prompts, pale where no truth is known"
    )
    try:
        draw(path, "A robot's senses, labelled by text", subtitle, rows, duration_s)
    except OSError as error:
        raise SinkError(
            f"cannot write {str(path)!r}: {error.strerror or error}; choose another --out"
        ) from None
    return path


def _show(runs: Sequence["ModalityRun"], nature: str) -> None:
    from sensebind.cli.demo_picture import accuracy

    results = [result for run in runs for result in run.results]
    begin_ns = min((result.segment.start_ns for result in results), default=0)
    rows = [
        [
            f"{(r.segment.start_ns - begin_ns) / 1e9:.1f}",
            f"{(r.segment.end_ns - begin_ns) / 1e9:.1f}",
            r.segment.modality.value,
            r.segment.label,
            r.label or "-",
            "yes" if r.right else "NO",
            f"{r.score:.2f}",
            r.windows,
        ]
        for r in sorted(results, key=lambda r: (r.segment.start_ns, r.segment.modality))
    ]
    headers = ["from s", "to s", "sense", "truth", "label", "right", "score", "windows"]
    output.say(output.table(headers, rows) + "\n")
    for run in runs:
        output.say(f"{run.modality.value}: {accuracy(run)}, {run.binding}, {nature} data")


def _summary(runs: Sequence["ModalityRun"], nature: str, files: Sequence[Path]) -> dict[str, Any]:
    return {
        "nature": nature,
        "files": [str(file) for file in files],
        "modalities": {
            run.modality.value: {
                "binding": run.binding,
                "right": run.right,
                "segments": len(run.results),
                "results": run.results,
            }
            for run in runs
        },
    }
