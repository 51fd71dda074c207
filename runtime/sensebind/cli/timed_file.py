# SPDX-License-Identifier: Apache-2.0
"""A file of one stream that lasts some time (IMU table, audio file), held in memory."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from sensebind.config import StreamConfig
from sensebind.errors import InputError
from sensebind.grid import NS_PER_S
from sensebind.sources import open_source
from sensebind.sources.base import StreamKind
from sensebind.sources.files.source import FileSource
from sensebind.types import Modality, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.cutting import TimedBlock

_MODALITY_OF_KIND = {StreamKind.SAMPLES: Modality.IMU, StreamKind.UNIFORM: Modality.AUDIO}


def read_blocks(name: str, path: Path, modality: Modality) -> list[TimedBlock]:
    """All blocks of a file, as those of the stream `name`.

    Raises:
        InputError: if the file is damaged, holds nothing, or something else than `modality`.
    """
    with open_source(path) as source:
        infos = source.streams()
        if not isinstance(source, FileSource):  # whatever its name says
            raise InputError(
                f"{path} is a recording; encode it with: sensebind replay {path} --out FILE.parquet"
            )
        (info,) = infos
        if info.kind is StreamKind.OTHER:
            raise InputError(info.note)
        found = _MODALITY_OF_KIND.get(info.kind, Modality.VISION)
        if found is not modality:
            raise InputError(f"{path} holds {found}, expected {modality}; give another file")
        selected = {info.name: StreamConfig(modality=modality)}
        blocks: list[TimedBlock] = [
            replace(block, stream=name)
            for block in source.blocks(selected, "stamp")
            if isinstance(block, (SampleBlock, UniformBlock)) and len(block.values)
        ]
    if not blocks:
        raise InputError(f"{path} holds no samples; give a file with some")
    return blocks


def span_ns(blocks: list[TimedBlock]) -> tuple[int, int]:
    """Stamp of the first sample, and stamp at which the last one's interval ends."""
    last = blocks[-1]
    begin_ns = blocks[0].first_ns
    if isinstance(last, UniformBlock):
        return begin_ns, last.stamp_ns + round(len(last.values) * NS_PER_S / last.rate_hz)
    newest_ns = int(last.stamps_ns[-1])
    count = sum(len(block.values) for block in blocks)
    return begin_ns, newest_ns + (newest_ns - begin_ns) // max(count - 1, 1)


def starting_at(blocks: list[TimedBlock], begin_ns: int) -> list[TimedBlock]:
    """The blocks without the samples before `begin_ns`."""
    trimmed = (_trimmed(block, begin_ns) for block in blocks)
    return [block for block in trimmed if len(block.values)]


def _trimmed(block: TimedBlock, begin_ns: int) -> TimedBlock:
    if isinstance(block, SampleBlock):
        kept = block.stamps_ns >= begin_ns
        return replace(block, stamps_ns=block.stamps_ns[kept], values=block.values[kept])
    skipped = max(math.ceil((begin_ns - block.stamp_ns) * block.rate_hz / NS_PER_S), 0)
    stamp_ns = block.stamp_ns + round(skipped * NS_PER_S / block.rate_hz)
    return replace(block, stamp_ns=stamp_ns, values=block.values[skipped:])
