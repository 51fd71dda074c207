# SPDX-License-Identifier: Apache-2.0
"""Blocks at hand to windows that begin where one likes, as a pipeline would cut them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from sensebind.types import SampleBlock, UniformBlock
from sensebind.windowing import make_windower, rules_for
from sensebind.windowing.frames import FrameWindower
from sensebind.windowing.samples import SampleWindower

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind.config import StreamConfig
    from sensebind.specs import EncoderSpec
    from sensebind.types import Window
    from sensebind.windowing import StreamCounters

TimedBlock: TypeAlias = SampleBlock | UniformBlock


@dataclass(frozen=True, slots=True)
class Cut:
    """Windows of a stream that has ended, and what became of its samples."""

    windows: list[Window]
    counters: StreamCounters


def cut_blocks(
    spec: EncoderSpec, stream: StreamConfig, blocks: Sequence[TimedBlock], begin_ns: int
) -> Cut:
    """Cut blocks into the windows that begin at `begin_ns` and every hop after it.

    A pipeline's windows end at multiples of the hop, so the stamps are moved to make one of them
    begin at `begin_ns`, and moved back afterwards.

    Args:
        spec: the encoder that will read the windows.
        stream: how the stream is windowed.
        blocks: all of one stream's blocks, in order; at least one.
        begin_ns: where the first window begins.

    Raises:
        InputError: if a block has another form than its kind has.
        ConfigError: if the blocks are not of the kind the encoder reads.
    """
    rules = rules_for(spec, stream)
    first_ns = -(-rules.length_ns // rules.hop_ns) * rules.hop_ns
    move_ns = first_ns - rules.length_ns - begin_ns
    windower = make_windower(blocks[0].stream, rules)
    assert not isinstance(windower, FrameWindower)
    windows = []
    for block in blocks:
        if isinstance(block, SampleBlock):
            assert isinstance(windower, SampleWindower)
            windows += windower.push(replace(block, stamps_ns=block.stamps_ns + move_ns))
        else:
            assert not isinstance(windower, SampleWindower)
            windows += windower.push(replace(block, stamp_ns=block.stamp_ns + move_ns))
    windows += windower.flush()
    moved = [_moved(w, -move_ns) for w in windows if w.grid_ns >= first_ns]
    return Cut(moved, windower.counters)


def _moved(window: Window, by_ns: int) -> Window:
    return replace(
        window,
        grid_ns=window.grid_ns + by_ns,
        start_ns=window.start_ns + by_ns,
        end_ns=window.end_ns + by_ns,
        stamp_ns=window.stamp_ns + by_ns,
        stamps_ns=window.stamps_ns + by_ns,
    )
