# SPDX-License-Identifier: Apache-2.0
"""From a demo's runs to what is drawn of them: pictures, signals, truth, labels and scores."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from sensebind.config import StreamConfig
from sensebind.plot import Labels, Pair, Picture, Signal, Span, Spectrogram, StreamRow
from sensebind.preprocess.grey_frames import grey_pixels
from sensebind.preprocess.pictures import decode_frame
from sensebind.sources import open_source
from sensebind.sources.base import without_breaks
from sensebind.types import FrameBlock, Modality, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sensebind.demo import ModalityRun
    from sensebind.demo_queries import Question
    from sensebind.records import Record
    from sensebind.types import Block

PICTURES = 11
_NS = 1e9
_AXES = ("x", "y", "z")
_COLOURS = {Modality.DEPTH: "viridis_r", Modality.THERMAL: "inferno"}
_BINS, _COLUMNS = 256, 1200
_LEAST_POWER = 1e-9


def stream_rows(
    runs: Sequence[ModalityRun], recording: Path, configs: Mapping[str, StreamConfig]
) -> tuple[list[StreamRow], dict[str, list[Block]], float]:
    """What to draw of each run, the blocks of each stream, and the length in seconds.

    `configs` tells how streams are read, of those that are not read by type alone.
    """
    plain = {s: StreamConfig(modality=r.modality) for r in runs for s in r.metadata.windows}
    blocks = _read(recording, {stream: configs.get(stream, plain[stream]) for stream in plain})
    begin_ns, end_ns = span_of(blocks)
    rows = []
    shown: set[str] = set()
    for run in runs:
        (stream,) = run.metadata.windows
        own = [] if stream in shown else blocks[stream]  # clips show what the frames showed
        shown.add(stream)
        rows.append(
            StreamRow(
                title=run.name,
                note=f"{run.binding} · {run.nature} · {accuracy(run)}",
                pictures=_pictures(own, run.modality, begin_ns, end_ns),
                spectrogram=_spectrogram(own, begin_ns),
                signals=_signals(own, begin_ns),
                labels=_labels(run, begin_ns),
            )
        )
    return rows, blocks, (end_ns - begin_ns) / _NS


def question_row(
    question: Question,
    asked: tuple[Modality, Sequence[Block]],
    found: tuple[Modality, Sequence[Block]],
) -> StreamRow:
    """The queries of a kind: what was asked beside what was found, by the streams' pictures."""
    pairs = []
    for answer in question.answers:
        middle_ns = (answer.asked.start_ns + answer.asked.end_ns) // 2
        pairs.append(
            Pair(
                _picture_at(*asked, middle_ns, 0),
                _picture_at(*found, answer.at_ns, 0),
                f"{answer.wanted} → {answer.found} ({answer.score:.2f})",
                answer.right,
            )
        )
    total = len(question.answers)
    return StreamRow(
        title=question.name,
        note=f"{question.right} of {total} right, by chance {question.chance * total:.1f}",
        pairs=tuple(pairs),
    )


def span_of(blocks: Mapping[str, Sequence[Block]]) -> tuple[int, int]:
    """First and last stamp of all."""
    stamps_ns = [stamp_ns for own in blocks.values() for b in own for stamp_ns in _ends_ns(b)]
    return min(stamps_ns), max(stamps_ns)


def accuracy(run: ModalityRun) -> str:
    """How many truth segments got the true label, in words."""
    total = len(run.results)
    share = f" ({run.right / total:.0%})" if total else ""
    return f"{run.right} of {total} segments right{share}"


def _read(recording: Path, selected: dict[str, StreamConfig]) -> dict[str, list[Block]]:
    blocks: dict[str, list[Block]] = {stream: [] for stream in selected}
    with open_source(recording) as source:
        for block in without_breaks(source.blocks(selected, "stamp")):
            blocks[block.stream].append(block)
    return blocks


def _ends_ns(block: Block) -> tuple[int, int]:
    """First and last stamp."""
    if isinstance(block, SampleBlock):
        return int(block.stamps_ns[0]), int(block.stamps_ns[-1])
    return block.stamp_ns, block.stamp_ns


def _pictures(
    blocks: Sequence[Block], modality: Modality, begin_ns: int, end_ns: int
) -> tuple[Picture, ...]:
    """Frames nearest to the middles of equal parts of the time."""
    if not any(isinstance(block, FrameBlock) for block in blocks):
        return ()
    return tuple(
        _picture_at(
            modality,
            blocks,
            begin_ns + (2 * index + 1) * (end_ns - begin_ns) // (2 * PICTURES),
            begin_ns,
        )
        for index in range(PICTURES)
    )


def _picture_at(
    modality: Modality, blocks: Sequence[Block], stamp_ns: int, begin_ns: int
) -> Picture:
    """The frame nearest to a stamp, drawn at that stamp."""
    frames = [block for block in blocks if isinstance(block, FrameBlock)]
    nearest = min(frames, key=lambda block: abs(block.stamp_ns - stamp_ns)).frame
    time_s = (stamp_ns - begin_ns) / _NS
    if modality is Modality.VISION:
        return Picture(time_s, np.asarray(decode_frame(nearest), dtype=np.uint8))
    counts = np.asarray(grey_pixels(nearest), dtype=np.float32)
    values = np.where(counts > 0, counts, np.nan).astype(np.float32)
    return Picture(time_s, values, _COLOURS.get(modality, "viridis"))


def _spectrogram(blocks: Sequence[Block], begin_ns: int) -> Spectrogram | None:
    """Levels of a sound's first channel, in as many columns as can be seen."""
    sound = [block for block in blocks if isinstance(block, UniformBlock)]
    if not sound:
        return None
    rate_hz = sound[0].rate_hz
    samples = np.concatenate([block.values[:, 0] for block in sound])
    step = max(len(samples) // _COLUMNS, 1)
    starts = np.arange(0, len(samples) - 2 * _BINS, step)
    pieces = np.stack([samples[s : s + 2 * _BINS] for s in starts]) * np.hanning(2 * _BINS)
    power = np.square(np.abs(np.fft.rfft(pieces, axis=1)[:, :_BINS])).T
    levels_db = 10 * np.log10(np.maximum(power, _LEAST_POWER)).astype(np.float32)
    end_s = (sound[0].stamp_ns - begin_ns) / _NS + len(samples) / rate_hz
    return Spectrogram(rate_hz / 2000, end_s, levels_db)


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
