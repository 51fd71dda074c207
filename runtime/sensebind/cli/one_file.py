# SPDX-License-Identifier: Apache-2.0
"""Embeddings of one item: a picture, a text, or a file that lasts some time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sensebind.cli import output
from sensebind.cli.timed_file import read_blocks, shifted, span_ns, starting_at
from sensebind.config import PipelineConfig, StreamConfig
from sensebind.errors import InputError
from sensebind.grid import NS_PER_S, nanoseconds
from sensebind.pipeline import Pipeline
from sensebind.types import Embedding, Modality

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sensebind.bundle import Bundle
    from sensebind.cli.inputs import Item
    from sensebind.cli.timed_file import TimedBlock

IMAGEBIND_CLIPS = 3
"""Clips per file in ImageBind's loaders; clip i starts at i * (duration - length) / clips."""


def embed_item(bundle: Bundle, item: Item, *, clips: bool) -> Iterator[Embedding]:
    """Embed one item: one vector, or one per window of a file that lasts some time.

    Args:
        bundle: what encodes it.
        item: what to embed.
        clips: give one vector for ImageBind's three clips of a file instead of one per window.

    Raises:
        InputError: naming the file and what is wrong with it.
        BundleError: if the bundle lacks the modality.
    """
    if item.path is None:
        yield _still(bundle, item, bundle.encode_text([item.name])[0])
    elif item.modality not in (Modality.IMU, Modality.AUDIO):
        yield _still(bundle, item, bundle.encode(item.modality, item.path)[0])
    else:
        blocks = read_blocks(item.name, item.path)
        lasting = _mean_of_clips if clips else _all_windows
        yield from lasting(bundle, item, blocks)


def _still(bundle: Bundle, item: Item, vector: NDArray[np.float32]) -> Embedding:
    """The embedding of something without time: all its stamps are 0."""
    encoder_id = bundle.manifest.encoder_id(item.modality)
    return Embedding(item.name, item.modality, 0, 0, 0, 0, 1.0, 1.0, encoder_id, vector)


def _all_windows(bundle: Bundle, item: Item, blocks: list[TimedBlock]) -> Iterator[Embedding]:
    return _windows(bundle, item, blocks, span_ns(blocks)[0])


def _mean_of_clips(bundle: Bundle, item: Item, blocks: list[TimedBlock]) -> Iterator[Embedding]:
    """The normalised mean of ImageBind's clips; its span reaches from the first to the last."""
    begin_ns, end_ns = span_ns(blocks)
    spare_ns = max(end_ns - begin_ns - _length_and_hop_ns(bundle, item.modality)[0], 0)
    starts_ns = [begin_ns + i * spare_ns // IMAGEBIND_CLIPS for i in range(IMAGEBIND_CLIPS)]
    clips = [next(_windows(bundle, item, starting_at(blocks, s), s)) for s in starts_ns]
    mean = np.stack([clip.vector for clip in clips]).mean(axis=0, dtype=np.float64)
    vector: NDArray[np.float32] = np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)
    yield replace(clips[-1], start_ns=clips[0].start_ns, vector=vector)


def _windows(
    bundle: Bundle, item: Item, blocks: list[TimedBlock], begin_ns: int
) -> Iterator[Embedding]:
    """Embeddings of the windows that begin at `begin_ns` and every hop after it.

    The pipeline's windows end at multiples of the hop, so the stamps are moved to make one of them
    begin at `begin_ns`, and moved back afterwards.
    """
    length_ns, hop_ns = _length_and_hop_ns(bundle, item.modality)
    move_ns = -(-length_ns // hop_ns) * hop_ns - length_ns - begin_ns
    config = PipelineConfig(streams={item.name: StreamConfig(modality=item.modality)})
    found = False
    with Pipeline(bundle, config) as pipeline:
        for embedding in _pushed(pipeline, blocks, move_ns):
            found = True
            yield embedding
        report = pipeline.report.streams[item.name]
    lost = {"gap": report.counters.gap, **report.failed}
    if found and any(lost.values()):
        causes = ", ".join(f"{count} {cause}" for cause, count in lost.items() if count)
        output.warning(f"{item.name}: windows without a vector: {causes}")
    if not found:
        raise InputError(
            f"{item.path} has no whole window of {length_ns / NS_PER_S:g} s without a gap; "
            "give a longer recording"
        )


def _pushed(pipeline: Pipeline, blocks: list[TimedBlock], move_ns: int) -> Iterator[Embedding]:
    for block in blocks:
        pipeline.push(shifted(block, move_ns))
        yield from (_moved(e, -move_ns) for e in pipeline.poll())
    yield from (_moved(e, -move_ns) for e in pipeline.flush())


def _moved(embedding: Embedding, by_ns: int) -> Embedding:
    stamps = ("grid_ns", "start_ns", "end_ns", "stamp_ns")
    return replace(embedding, **{name: getattr(embedding, name) + by_ns for name in stamps})


def _length_and_hop_ns(bundle: Bundle, modality: Modality) -> tuple[int, int]:
    window = bundle.encoder(modality).window
    assert window is not None
    return nanoseconds(window.length_s), nanoseconds(window.hop_s)
