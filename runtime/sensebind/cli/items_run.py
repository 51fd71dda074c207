# SPDX-License-Identifier: Apache-2.0
"""Items through their encoders to a table, JSON lines or a file."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from sensebind.calibration import UNCALIBRATED
from sensebind.cli import output
from sensebind.cli.one_file import embed_item
from sensebind.cli.report_text import counted
from sensebind.errors import InputError
from sensebind.labelling import labelled
from sensebind.records import RunMetadata, joined
from sensebind.sinks import open_sink
from sensebind.sinks.base import finishing
from sensebind.sinks.jsonl import json_record
from sensebind.version import __version__
from sensebind.zero_shot import ZeroShot, parse_prompts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sensebind.bundle import Bundle
    from sensebind.calibration import Calibration, StreamCalibration
    from sensebind.cli.inputs import Item
    from sensebind.records import Record
    from sensebind.types import Embedding, Modality

_SHOWN_VALUES = 4


def embed_items(
    bundle: Bundle,
    items: Sequence[Item],
    *,
    prompts: str | None,
    clips: bool,
    focal_px: float | None = None,
    out: Path | None,
    json: bool,
    calibration: Calibration | None = None,
) -> None:
    """Embed items and write or print their records.

    Args:
        bundle: the encoders.
        items: what to embed; at least one.
        prompts: classes to score, as the user wrote them; None for none.
        clips: see `embed_item`.
        focal_px: see `embed_item`.
        out: the file to write; None to print.
        json: print what a .jsonl file would hold, or a summary if a file is written.
        calibration: of the sensors that the items are from.

    Raises:
        InputError: if an item the user named cannot be embedded, or none can.
        SinkError: if the file cannot be written.
    """
    zero_shot = ZeroShot(bundle, parse_prompts(prompts)) if prompts is not None else None
    sensors = {
        modality: calibration.of_sense(modality)
        for modality in {item.modality for item in items}
        if calibration is not None
    }
    metadata = msgspec.structs.replace(
        _metadata(bundle, items, zero_shot.labels if zero_shot else ()),
        calibration=calibration.sha256 if calibration is not None else "",
        calibrated={
            item.name: kinds
            for item in items
            if item.modality in sensors and (kinds := sensors[item.modality].kinds)
        },
    )
    # The bar and results on one terminal would spoil each other.
    with output.progress("embedding", shown=out is not None) as advance:
        embed = partial(embed_item, bundle, clips=clips, focal_px=focal_px)
        embeddings = _embeddings(items, embed, sensors, advance)
        records = _at_least_one((labelled(e, zero_shot) for e in embeddings), len(items))
        if out is not None:
            count = _write(records, out, metadata)
        elif json:
            _print_lines(records, metadata)
        else:
            _print_table(records)
    if out is not None and json:
        output.show_json({"out": str(out), "embeddings": count, "items": len(items)})
    elif out is not None:
        output.say(f"{counted(count, 'embedding')} of {counted(len(items), 'item')} in {out}")


def _embeddings(
    items: Sequence[Item],
    embed: Callable[..., Iterator[Embedding]],
    sensors: Mapping[Modality, StreamCalibration],
    advance: output.Advance,
) -> Iterator[Embedding]:
    """All embeddings; a bad file found in a folder is skipped, one the user named ends the run."""
    warnings = _Warnings()
    for done, item in enumerate(items, start=1):
        try:
            known = sensors.get(item.modality, UNCALIBRATED)
            warn = partial(warnings.tell, item.name)
            yield from embed(item, calibration=known, warn=warn)
        except InputError as error:
            message = str(error) if item.name in str(error) else f"{item.name}: {error}"
            if item.named:
                raise InputError(message) from error
            warnings.tell(item.name, f"skipped {message}")
        advance(done / len(items))
    warnings.sum_up()


class _Warnings:
    """What is odd about items: of many that are alike the first, and in the end their number."""

    def __init__(self) -> None:
        self._items: dict[str, set[str]] = {}
        self._first: dict[str, str] = {}

    def tell(self, item: str, sentence: str) -> None:
        """Take a sentence; it is alike if only the item's name and numbers differ."""
        alike = re.sub(r"\d+", "0", sentence.replace(item, ""))
        self._items.setdefault(alike, set()).add(item)
        if alike not in self._first:
            self._first[alike] = sentence
            output.warning(sentence)

    def sum_up(self) -> None:
        """Tell how many more there were of each."""
        for alike, items in self._items.items():
            if len(items) > 1:
                more = counted(len(items) - 1, "more item")
                output.warning(f"{more} like this: {self._first[alike]}")


def _at_least_one(records: Iterable[Record], total: int) -> Iterator[Record]:
    empty = True
    for record in records:
        empty = False
        yield record
    if empty:
        raise InputError(f"no vector came of {counted(total, 'item')}; the warnings say why")


def _write(records: Iterable[Record], out: Path, metadata: RunMetadata) -> int:
    count = 0
    with finishing(open_sink(out, metadata)) as sink:
        for record in records:
            sink.write(record)
            count += 1
    return count


def _print_lines(records: Iterable[Record], metadata: RunMetadata) -> None:
    """Print what a .jsonl file would hold."""
    output.show_json({"metadata": metadata})
    for record in records:
        output.show_json(json_record(record))


def _print_table(records: Iterable[Record]) -> None:
    rows: list[list[object]] = []
    begins_ns: dict[str, int] = {}
    scored = False
    for record in records:
        embedding = record.embedding
        begin_ns = begins_ns.setdefault(embedding.stream, embedding.start_ns)
        lasts = embedding.end_ns > embedding.start_ns
        span = f"{(embedding.start_ns - begin_ns) / 1e9:.2f} s" if lasts else ""
        row = [embedding.stream, embedding.modality.value, span]
        if record.label is not None and record.scores is not None:
            scored = True
            row += [record.label, f"{record.scores.max():.3f}"]
        rows.append([*row, " ".join(f"{x:+.3f}" for x in embedding.vector[:_SHOWN_VALUES]) + " …"])
    labels = ["label", "score"] if scored else []
    output.say(output.table(["input", "modality", "from", *labels, "vector"], rows))


def _metadata(bundle: Bundle, items: Sequence[Item], labels: tuple[str, ...]) -> RunMetadata:
    modalities = sorted({item.modality for item in items})
    encoders = {m.value: bundle.encoder(m) for m in modalities if m in bundle.modalities}
    return RunMetadata(
        version=__version__,
        space_id=bundle.space_id,
        bundle=bundle.name,
        bundle_id=bundle.folder.bundle_id,
        encoder_ids={name: encoder.encoder_id for name, encoder in encoders.items()},
        dim=bundle.dim,
        backend=bundle.backend,
        precision=joined(encoder.precision for encoder in encoders.values()),
        source=items[0].name if len(items) == 1 else f"{len(items)} items",
        source_sha256="",
        order="stamp",
        windows={},
        labels=labels,
    )
