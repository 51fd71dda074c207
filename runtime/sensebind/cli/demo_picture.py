# SPDX-License-Identifier: Apache-2.0
"""From a demo's runs to what is drawn of them: pictures, signals, truth, labels and scores."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from sensebind.config import StreamConfig
from sensebind.plot import Labels, Picture, Signal, Span, StreamRow
from sensebind.preprocess.pictures import decode_frame
from sensebind.sources import open_source
from sensebind.sources.base import without_breaks
from sensebind.types import Frame, FrameBlock, Modality, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sensebind.demo import ModalityRun
    from sensebind.records import Record
    from sensebind.types import Block

PICTURES = 9
_NS = 1e9
_AXES = ("x", "y", "z")


def stream_rows(
    runs: Sequence[ModalityRun], recording: Path, nature: str
) -> tuple[list[StreamRow], float]:
    """What to draw of each run, pictures before signals, and the length in seconds."""
    blocks = _read(recording, {s: r.modality for r in runs for s in r.metadata.windows})
    stamps_ns = [stamp_ns for block in blocks for stamp_ns in _ends_ns(block)]
    begin_ns, end_ns = min(stamps_ns), max(stamps_ns)
    rows = [
        StreamRow(
            title=run.modality.value,
            note=f"{run.binding} · {nature} · {accuracy(run)}",
            pictures=_pictures(_own(blocks, run), begin_ns, end_ns),
            signals=_signals(_own(blocks, run), begin_ns),
            labels=_labels(run, begin_ns),
        )
        for run in sorted(runs, key=lambda run: run.modality is Modality.IMU)
    ]
    return rows, (end_ns - begin_ns) / _NS


def accuracy(run: ModalityRun) -> str:
    """How many truth segments got the true label, in words."""
    total = len(run.results)
    share = f" ({run.right / total:.0%})" if total else ""
    return f"{run.right} of {total} segments right{share}"


def _read(recording: Path, modalities: dict[str, Modality]) -> list[Block]:
    selected = {stream: StreamConfig(modality=m) for stream, m in modalities.items()}
    with open_source(recording) as source:
        return list(without_breaks(source.blocks(selected, "stamp")))


def _own(blocks: Sequence[Block], run: ModalityRun) -> list[Block]:
    return [block for block in blocks if block.stream in run.metadata.windows]


def _ends_ns(block: Block) -> tuple[int, int]:
    """First and last stamp."""
    if isinstance(block, SampleBlock):
        return int(block.stamps_ns[0]), int(block.stamps_ns[-1])
    return block.stamp_ns, block.stamp_ns


def _pictures(blocks: Sequence[Block], begin_ns: int, end_ns: int) -> tuple[Picture, ...]:
    """Frames nearest to the middles of equal parts of the time."""
    frames = [block for block in blocks if isinstance(block, FrameBlock)]
    if not frames:
        return ()
    stamps_ns = np.array([block.stamp_ns for block in frames])
    pictures = []
    for index in range(PICTURES):
        middle_ns = begin_ns + (2 * index + 1) * (end_ns - begin_ns) // (2 * PICTURES)
        nearest = frames[int(np.abs(stamps_ns - middle_ns).argmin())]
        pictures.append(Picture((middle_ns - begin_ns) / _NS, _pixels(nearest.frame)))
    return tuple(pictures)


def _pixels(frame: Frame) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(decode_frame(frame), dtype=np.uint8)


def _signals(blocks: Sequence[Block], begin_ns: int) -> tuple[Signal, ...]:
    """Acceleration and rotation of an IMU."""
    samples = [block for block in blocks if isinstance(block, SampleBlock)]
    if not samples:
        return ()
    times_s = (np.concatenate([block.stamps_ns for block in samples]) - begin_ns) / _NS
    values = np.concatenate([block.values for block in samples])
    return (
        Signal("acceleration\nm/s²", _AXES, times_s, values[:, :3]),
        Signal("rotation\nrad/s", _AXES, times_s, values[:, 3:6]),
    )


def _labels(run: ModalityRun, begin_ns: int) -> Labels:
    truth = tuple(
        Span(
            (result.segment.start_ns - begin_ns) / _NS,
            (result.segment.end_ns - begin_ns) / _NS,
            result.segment.label,
        )
        for result in run.results
    )
    (window,) = run.metadata.windows.values()
    middles_s = [_middle_s(record, begin_ns) for record in run.records]
    return Labels(
        truth=truth,
        given=tuple(_given(run.records, middles_s, window.hop_s, truth)),
        classes=run.metadata.labels,
        times_s=np.array(middles_s),
        scores=np.stack([record.scores for record in run.records if record.scores is not None]),
    )


def _middle_s(record: Record, begin_ns: int) -> float:
    embedding = record.embedding
    return ((embedding.start_ns + embedding.end_ns) / 2 - begin_ns) / _NS


def _given(
    records: Sequence[Record], middles_s: Sequence[float], hop_s: float, truth: Sequence[Span]
) -> list[Span]:
    """Runs of equal labels; each window stands for one hop around its middle."""
    cells = [
        (record.label or "", any(s.start_s <= middle <= s.end_s for s in truth), middle)
        for record, middle in zip(records, middles_s, strict=True)
    ]
    spans: list[Span] = []
    for (label, sure), group in groupby(cells, key=lambda cell: cell[:2]):
        for _, _, middle_s in group:
            start_s, end_s = middle_s - hop_s / 2, middle_s + hop_s / 2
            last = spans[-1] if spans else None
            joins = last and (last.label, last.sure) == (label, sure)
            if last and joins and start_s - last.end_s < hop_s / 2:
                spans[-1] = Span(last.start_s, end_s, label, sure)
            else:
                spans.append(Span(start_s, end_s, label, sure))
    return spans
