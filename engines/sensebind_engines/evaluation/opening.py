# SPDX-License-Identifier: Apache-2.0
"""What can be evaluated on: a manifest, or a recording with its `truth.json`."""

from __future__ import annotations

from pathlib import Path

from sensebind.demo import RECORDING_NAME, TRUTH_NAME, read_truth
from sensebind.errors import InputError
from sensebind.storage import data_folder
from sensebind_engines.data.manifest import Entry, Row, read_manifest

SAMPLE = "sample"
"""Name of the recording that is shipped."""


def open_entries(data: str, split: str | None) -> tuple[list[Entry], list[Entry]]:
    """Rows to evaluate on, and the other rows.

    Args:
        data: a manifest; a folder with a recording and its `truth.json`; or "sample".
        split: rows of this split; all if None.

    Raises:
        InputError: if there is no such data or split.
    """
    path = data_folder() / "sample" if data == SAMPLE and not Path(data).exists() else Path(data)
    entries = _rows_of_truth(path) if path.is_dir() else read_manifest(path)
    chosen = [entry for entry in entries if split is None or entry.row.split == split]
    if not chosen:
        known = sorted({entry.row.split for entry in entries if entry.row.split})
        raise InputError(
            f"{data} has no rows of split {split!r}; its splits are: {', '.join(known) or 'none'}"
        )
    return chosen, [entry for entry in entries if split is not None and entry.row.split != split]


def _rows_of_truth(folder: Path) -> list[Entry]:
    """A row per labelled segment, each a group of its own, and one of the whole recording.

    Windows that lie in no segment have no label; they are part of the pairs.
    """
    path = folder / TRUTH_NAME
    if not path.is_file():
        raise InputError(
            f"{folder} has no {TRUTH_NAME}; give a manifest (.jsonl or .parquet), or a folder with "
            f"{RECORDING_NAME} and {TRUTH_NAME}"
        )
    rows = [
        Row(
            recording=RECORDING_NAME,
            start_ns=segment.start_ns,
            end_ns=segment.end_ns,
            label={segment.modality: segment.label},
            group=f"{segment.modality} from {segment.start_ns} ns",
        )
        for segment in read_truth(path).segments
    ]
    rows.append(Row(recording=RECORDING_NAME))
    return [Entry(path, number, row) for number, row in enumerate(rows, start=1)]
