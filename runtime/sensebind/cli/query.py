# SPDX-License-Identifier: Apache-2.0
"""From the terms of a search on the command line to vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from sensebind.cli.inputs import Item
from sensebind.cli.one_file import embed_item
from sensebind.errors import InputError
from sensebind.grid import NS_PER_S
from sensebind.search import begin_of, extents, vector_at
from sensebind.sources.time_range import parse_instant
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from sensebind.bundle import Bundle
    from sensebind.search import Extent, Place
    from sensebind.sinks.reading import RecordFile

Kind = Literal["text", "image", "audio", "like"]
_MODALITIES = {"image": Modality.VISION, "audio": Modality.AUDIO}


class Term(NamedTuple):
    """A part of a query: of which kind, and the text, file or STREAM@TIME."""

    kind: Kind
    value: str


class Found(NamedTuple):
    """A term's vector (dim,), and the window it was taken from, if from records."""

    vector: NDArray[np.float32]
    place: Place | None


def parse_term(text: str) -> Term:
    """Read "text:…", "image:FILE", "audio:FILE" or "like:STREAM@TIME"; all else is a text."""
    for kind in get_args(Kind):
        if text.startswith(f"{kind}:"):
            return Term(kind, text[len(kind) + 1 :])
    return Term("text", text)


def resolve(term: Term, bundle: Bundle | None, files: Sequence[RecordFile]) -> Found:
    """A term's vector.

    Args:
        term: what to look up or encode.
        bundle: encodes texts, pictures and sounds; may be None for "like".
        files: what "like" looks into.

    Raises:
        InputError: the file, stream or time is not there.
        BundleError: the bundle has no encoder for it.
    """
    if term.kind == "like":
        return _window(term.value, files)
    assert bundle is not None
    if term.kind == "text":
        return Found(bundle.encode_text([term.value])[0], None)
    path = Path(term.value)
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a file for --{term.kind}")
    item = Item(str(path), _MODALITIES[term.kind], path)
    (embedding,) = embed_item(bundle, item, clips=True)
    return Found(embedding.vector, None)


def _window(text: str, files: Sequence[RecordFile]) -> Found:
    """The window of STREAM@TIME in the first recording that has the stream."""
    stream, at, time = text.rpartition("@")
    if not at or not stream:
        raise InputError(
            f"{text!r} is not STREAM@TIME; for example /imu@12.5 (seconds since the recording's "
            "beginning) or /imu@2026-01-31T12:00:05Z"
        )
    recordings = extents(files)
    holder = next((key for key, streams in recordings.items() if stream in streams), None)
    if holder is None:
        known = "; ".join(_told(streams) for streams in recordings.values())
        raise InputError(f"no stream {stream!r} in the records; there are: {known}")
    streams = recordings[holder]
    own, begin_ns = streams[stream], begin_of(streams)
    stamp_ns = parse_instant(time).at(begin_ns)
    if not own.start_ns <= stamp_ns <= own.end_ns:
        raise InputError(
            f"{text!r}: {time} is outside of {stream}, which has windows from "
            f"{_span(own, begin_ns)} since the recording's beginning"
        )
    place, vector = vector_at(files, holder, stream, stamp_ns)
    return Found(vector, place)


def _told(streams: dict[str, Extent]) -> str:
    begin_ns = begin_of(streams)
    return ", ".join(f"{name} ({_span(own, begin_ns)})" for name, own in sorted(streams.items()))


def _span(extent: Extent, begin_ns: int) -> str:
    first, last = ((ns - begin_ns) / NS_PER_S for ns in (extent.start_ns, extent.end_ns))
    return f"{first:.1f} to {last:.1f} s"
