# SPDX-License-Identifier: Apache-2.0
"""`sensebind search`: the moments of recorded embeddings that are nearest to a query."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sensebind.cli import output
from sensebind.cli.options import BackendOption, BundleOption, JsonOption, ThreadsOption
from sensebind.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind.bundle import Bundle
    from sensebind.cli.query import Term
    from sensebind.search import Moment
    from sensebind.sinks.reading import RecordFile

_EARLIEST_DATE_NS = 10**17  # three years: no robot's clock that begins at 0 gets there


def search(
    records: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORDS…",
            help="Parquet files that replay, embed or demo wrote, or folders of them.",
            show_default=False,
        ),
    ],
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="Look for what a text says.")
    ] = None,
    image: Annotated[
        str | None, typer.Option("--image", metavar="FILE", help="Look for what a picture shows.")
    ] = None,
    audio: Annotated[
        str | None, typer.Option("--audio", metavar="FILE", help="Look for what a sound is like.")
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            "--like",
            metavar="STREAM@TIME",
            help="Look for what is like a recorded window, in all streams; TIME in seconds since "
            "the recording's beginning, or ISO 8601.",
        ),
    ] = None,
    plus: Annotated[
        list[str] | None,
        typer.Option(
            "--plus",
            metavar="TERM",
            help="Add a text, image:FILE, audio:FILE or like:STREAM@TIME; may be repeated.",
        ),
    ] = None,
    minus: Annotated[
        list[str] | None,
        typer.Option("--minus", metavar="TERM", help="Take the same off; may be repeated."),
    ] = None,
    stream: Annotated[
        list[str] | None,
        typer.Option("--stream", metavar="NAME", help="Search this stream only; may be repeated."),
    ] = None,
    top: Annotated[int, typer.Option("--top", metavar="K", min=1, help="Moments to show.")] = 5,
    bundle: BundleOption = "demo",
    backend: BackendOption = "auto",
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Find the moments of recorded embeddings that are nearest to a query."""
    from sensebind.bundle import Bundle
    from sensebind.cli.query import resolve
    from sensebind.search import check_spaces, combine
    from sensebind.search import search as find

    files = _open(records)
    added, taken = _terms({"text": text, "image": image, "audio": audio, "like": like}, plus, minus)
    names = _known_streams(files, stream or ())
    with ExitStack() as stack:
        loaded = None
        if any(term.kind != "like" for term in (*added, *taken)):
            loaded = stack.enter_context(Bundle.load(bundle, backend=backend, threads=threads))
        check_spaces(files, loaded.space_id if loaded else None, bundle)
        found = [resolve(term, loaded, files) for term in (*added, *taken)]
        notes = _notes(loaded, [*added, *taken], files)
    vectors = [one.vector for one in found]
    query = combine(vectors[: len(added)], vectors[len(added) :])
    without = [one.place for one in found if one.place is not None]
    moments = find(files, query, top, streams=names, without=without)
    _show(moments, notes, json=json)


def _open(paths: "Sequence[Path]") -> "list[RecordFile]":
    from sensebind.sinks.reading import open_records

    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(path.glob("*.parquet"))
        if not inside:
            raise InputError(f"{path}: no .parquet file in this folder; name the records' folder")
        found += inside
    files = [open_records(path) for path in found]
    if not any(file.count for file in files):
        raise InputError(f"{', '.join(map(str, found))}: no records to search; replay something")
    return [file for file in files if file.count]


def _terms(
    base: "dict[str, str | None]", plus: "list[str] | None", minus: "list[str] | None"
) -> "tuple[list[Term], list[Term]]":
    from sensebind.cli.query import parse_term

    given = {kind: value for kind, value in base.items() if value is not None}
    if len(given) != 1:
        named = " and ".join(f"--{kind}" for kind in given) or "none of them"
        raise InputError(
            f"a search starts from one of --text, --image, --audio and --like, {named} was given; "
            "add what else there is with --plus"
        )
    ((kind, value),) = given.items()
    first = parse_term(f"{kind}:{value}")
    return [first, *map(parse_term, plus or ())], [*map(parse_term, minus or ())]


def _known_streams(files: "Sequence[RecordFile]", names: "Sequence[str]") -> "Sequence[str]":
    """The streams to search.

    Raises:
        InputError: one is not there.
    """
    from sensebind.search import extents

    if names:
        known = {name for streams in extents(files).values() for name in streams}
        for name in names:
            if name not in known:
                raise InputError(
                    f"no stream {name!r} in the records; there are: {', '.join(sorted(known))}"
                )
    return names


def _notes(
    bundle: "Bundle | None", terms: "Sequence[Term]", files: "Sequence[RecordFile]"
) -> list[str]:
    """What to know of the texts of a query: those that no sense searched has learnt."""
    from sensebind.types import Modality
    from sensebind.vocabulary import Vocabulary

    texts = [term.value for term in terms if term.kind == "text"]
    if bundle is None or not texts or (vocabulary := Vocabulary.of(bundle)) is None:
        return []
    searched = {w.modality for file in files for w in file.metadata.windows.values()}
    senses = [modality for modality in Modality if modality.value in searched]
    return vocabulary.notes(texts, bundle.encode_text(texts), senses)


def _show(moments: "Sequence[Moment]", notes: "Sequence[str]", *, json: bool) -> None:
    if json:
        output.show_json({"moments": [_plain(m) for m in moments], "notes": notes})
        return
    for note in notes:
        output.warning(note)
    rows = [
        [
            f"{moment.score:.3f}",
            moment.stream,
            moment.modality,
            *(f"{s:.1f}" for s in _seconds(moment)),
            _iso(moment.start_ns) or "",
            moment.recording,
        ]
        for moment in moments
    ]
    headers = ["cosine", "stream", "sense", "from s", "to s", "best s", "begins at", "recording"]
    output.say(output.table(headers, rows))


def _plain(moment: "Moment") -> dict[str, Any]:
    start_s, end_s, best_s = _seconds(moment)
    return {
        "score": moment.score,
        "stream": moment.stream,
        "modality": moment.modality,
        "start_ns": moment.start_ns,
        "end_ns": moment.end_ns,
        "best_ns": moment.best_ns,
        "start_s": start_s,
        "end_s": end_s,
        "best_s": best_s,
        "start": _iso(moment.start_ns),
        "end": _iso(moment.end_ns),
        "recording": moment.recording,
    }


def _seconds(moment: "Moment") -> tuple[float, float, float]:
    """Start, end and best instant since the recording's beginning."""
    stamps_ns = (moment.start_ns, moment.end_ns, moment.best_ns)
    start, end, best = ((stamp_ns - moment.begin_ns) / 1e9 for stamp_ns in stamps_ns)
    return start, end, best


def _iso(stamp_ns: int) -> str | None:
    """A stamp as UTC time; None where the clock does not count from 1970."""
    from datetime import datetime, timedelta, timezone

    if stamp_ns < _EARLIEST_DATE_NS:
        return None
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    instant = epoch + timedelta(microseconds=stamp_ns // 1000)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
