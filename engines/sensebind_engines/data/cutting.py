# SPDX-License-Identifier: Apache-2.0
"""Files and recordings to windows, with the runtime's sources, mapping and windowers.

What a pipeline would cut from the same stream is what training sees, byte for byte. The time of a
file is told from its first sample: its first window begins there and the others follow at the hop,
as `sensebind embed` cuts it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sensebind.cutting import cut_blocks
from sensebind.errors import InputError
from sensebind.sources import open_source
from sensebind.sources.base import KIND_OF_SENSE, StreamKind, without_breaks
from sensebind.sources.mapping import map_streams
from sensebind.types import Break, FrameBlock, Modality, SampleBlock, UniformBlock, Window
from sensebind.windowing import make_windower, rules_for
from sensebind.windowing.frames import FrameWindower
from sensebind.windowing.samples import SampleWindower
from sensebind_engines.data.imu_tables import SUFFIXES, read_imu_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from sensebind.config import StreamConfig
    from sensebind.sources.base import StreamInfo
    from sensebind.specs import EncoderSpec
    from sensebind.types import Block, Delivery
    from sensebind.windowing import Windower

TIMED = (Modality.AUDIO, Modality.IMU)
"""Modalities whose files last some time; the others' files are stills."""


def map_recording(
    path: Path, wanted: Mapping[Modality, tuple[str | None, StreamConfig]]
) -> dict[Modality, tuple[str, StreamConfig]]:
    """Streams of a recording by modality; one whose name is None is found as `replay` finds it.

    Returns:
        names and configurations; a modality that no stream maps to is left out.

    Raises:
        InputError, SourceError: naming a stream that is not there or does not fit.
    """
    named = {name: config for name, config in wanted.values() if name is not None}
    with open_source(path) as source:
        selected = map_streams(source.streams(), tuple(wanted), named).selected
    found: dict[Modality, tuple[str, StreamConfig]] = {}
    for modality, (name, config) in wanted.items():
        chosen = next((s for s, c in selected.items() if c.modality is modality), None)
        if name is not None:
            found[modality] = (name, config)
        elif chosen is not None:
            trigger = selected[chosen].trigger
            found[modality] = (chosen, msgspec.structs.replace(config, trigger=trigger))
    return found


def cut_stream(path: Path, stream: str, config: StreamConfig, spec: EncoderSpec) -> list[Window]:
    """Every window of one stream of a recording, on the grid of the recording's clock.

    Raises:
        InputError, SourceError: if the recording or the stream cannot be read.
    """
    windower = make_windower(stream, rules_for(spec, config))
    with open_source(path) as source:
        return list(_pushed(windower, source.blocks({stream: config}, "stamp")))


def cut_file(path: Path, config: StreamConfig, spec: EncoderSpec) -> list[Window]:
    """Windows of a file that lasts some time, in time since its first sample; or its one picture.

    Raises:
        InputError, SourceError: naming the file and why it gives no window.
    """
    blocks = list(_blocks_of_file(path, config))
    if not blocks:
        raise InputError(f"{path} holds nothing that can be read")
    if isinstance(blocks[0], FrameBlock):
        return [_still(blocks[0])]
    timed = [block for block in blocks if not isinstance(block, FrameBlock)]
    begin_ns = timed[0].first_ns
    windows = cut_blocks(spec, config, timed, begin_ns).windows
    if not windows:
        assert spec.window is not None
        raise InputError(
            f"{path} has no whole window of {spec.window.length_s:g} s without a gap; "
            "give a longer recording"
        )
    return [_since(window, begin_ns) for window in windows]


def _blocks_of_file(path: Path, config: StreamConfig) -> Iterator[Block]:
    if config.modality is Modality.IMU and path.suffix.lower() in SUFFIXES:
        yield read_imu_table(path, config.unit)
        return
    with open_source(path) as source:
        infos = source.streams()
        if len(infos) != 1:
            raise InputError(f"{path} is a recording; name it as the row's 'recording'")
        _check_kind(path, infos[0], config.modality)
        yield from without_breaks(source.blocks({infos[0].name: config}, "stamp"))


def _check_kind(path: Path, info: StreamInfo, modality: Modality) -> None:
    needed = KIND_OF_SENSE[modality]
    if info.kind is StreamKind.OTHER:
        raise InputError(f"{path}: {info.note}")
    if info.kind is not needed:
        raise InputError(f"{path} has {info.kind.value}, expected {needed.value} for {modality}")


def _still(block: FrameBlock) -> Window:
    nothing = np.empty(0, np.int64)
    return Window(block.stream, 0, 0, 0, 0, 1.0, nothing, np.empty((0, 0)), (block.frame,))


def _pushed(windower: Windower, blocks: Iterable[Delivery]) -> Iterator[Window]:
    for block in blocks:
        if isinstance(block, Break):
            windower.break_off()
        elif isinstance(windower, SampleWindower):
            assert isinstance(block, SampleBlock)
            yield from windower.push(block)
        elif isinstance(windower, FrameWindower):
            assert isinstance(block, FrameBlock)
            yield from windower.push(block)
        else:
            assert isinstance(block, UniformBlock)
            yield from windower.push(block)
    yield from windower.flush()


def _since(window: Window, begin_ns: int) -> Window:
    """The window in time since `begin_ns`."""
    return replace(
        window,
        grid_ns=window.grid_ns - begin_ns,
        start_ns=window.start_ns - begin_ns,
        end_ns=window.end_ns - begin_ns,
        stamp_ns=window.stamp_ns - begin_ns,
        stamps_ns=window.stamps_ns - begin_ns,
    )
