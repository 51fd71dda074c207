# SPDX-License-Identifier: Apache-2.0
"""Sinks keep records; the suffix of the output file chooses one from the table below."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sensebind.errors import InputError

if TYPE_CHECKING:
    from sensebind.records import RunMetadata
    from sensebind.sinks.base import LiveSink, Sink

_SINKS = {
    ".parquet": ("sensebind.sinks.parquet", "ParquetSink"),
    ".jsonl": ("sensebind.sinks.jsonl", "JsonlSink"),
    ".mcap": ("sensebind.sinks.mcap", "McapSink"),
}


def check_output(path: str | Path) -> Path:
    """Check that a run's output can be written, before any work is done for it.

    Raises:
        InputError: naming the path, what is wrong and the fix.
    """
    path = Path(path)
    if path.suffix.lower() not in _SINKS:
        known = ", ".join(_SINKS)
        raise InputError(
            f"cannot write {str(path)!r}: its suffix {path.suffix!r} is not a format we write; "
            f"end the name with one of {known}"
        )
    return check_place(path)


def check_place(path: Path) -> Path:
    """Check that a file can be written, whatever its format.

    Raises:
        InputError: naming the path, what is wrong and the fix.
    """
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise InputError(f"cannot write {str(path)!r}: it is {kind}; choose another name")
    try:
        folder = path.resolve().parent
    except RuntimeError:  # before Python 3.13
        raise InputError(
            f"cannot write {str(path)!r}: it is a link that leads back to itself; remove it"
        ) from None
    if not folder.is_dir():
        raise InputError(
            f"cannot write {str(path)!r}: there is no folder {str(folder)!r}; "
            f"create it first: mkdir -p {folder}"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"cannot write {str(path)!r}: the folder {str(folder)!r} is read-only for you; "
            "choose another folder"
        )
    return path


def open_sink(path: str | Path, metadata: RunMetadata) -> Sink:
    """Open the sink that writes the format of the path's suffix.

    Raises:
        InputError: if the path cannot be used.
        SinkError: if the file cannot be begun.
    """
    path = check_output(path)
    module, name = _SINKS[path.suffix.lower()]
    return cast("Sink", getattr(import_module(module), name)(path, metadata))


def open_live_sink(path: str | Path, metadata: RunMetadata, *, resume: bool = False) -> LiveSink:
    """Open a sink whose records survive a crash of the program; see `sensebind.sinks.parts`.

    Args:
        path: the output.
        metadata: of the run.
        resume: go on behind parts that are there: this run wrote them before it failed.

    Raises:
        InputError: if the path cannot be used, or the parts of an interrupted run are there, or of
            one that goes on.
        SinkError: if nothing can be written there.
    """
    from sensebind.sinks.parts import PartsSink

    return PartsSink(check_output(path), metadata, open_sink, resume=resume)


def recover(path: str | Path) -> int:
    """Write the output of an interrupted live run from its parts; the number of records.

    Of a recording (`recorder.Recorder`) it is the number of messages.

    Raises:
        InputError: if there are no parts, they belong to different runs, or the run goes on.
        SinkError: if the output cannot be written; the parts stay.
    """
    from sensebind.sinks.parts import recover_parts
    from sensebind.sinks.raw.recording_file import unfinished
    from sensebind.sinks.raw.recovery import recover_recording

    path = check_output(path)
    return recover_recording(path) if unfinished(path).exists() else recover_parts(path, open_sink)
