# SPDX-License-Identifier: Apache-2.0
"""What a recorder is offered is read back to the bit, and by the tools of others too."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader

from sensebind.types import Break, Frame, FrameBlock, SampleBlock, UniformBlock
from tests.support.recorded import (
    CAMERA,
    IMU,
    MICROPHONE,
    STREAMS,
    Taken,
    contents,
    read_back,
    record,
)

if TYPE_CHECKING:
    from sensebind.types import Block

START_NS = 1_700_000_000_000_000_000
LATEST_NS = (1 << 31) * 10**9 - 1

stamps = st.integers(0, LATEST_NS)
device_stamps = st.integers(-(2**63), 2**63 - 1)
rates = st.floats(1.0, 1e6)
seeds = st.integers(0, 2**32 - 1)
facts = st.none() | st.floats(allow_nan=False, allow_infinity=False)
encodings = st.sampled_from(["rgb8", "16UC1", "32FC1", "jpeg", "png", "bayer_rggb16", "ÿ", ""])


@st.composite
def samples(draw: st.DrawFn) -> tuple[Block, Block]:
    count = draw(st.integers(1, 70))
    times = np.array(draw(st.lists(stamps, min_size=count, max_size=count)), np.int64)
    device = np.array(draw(st.lists(device_stamps, min_size=count, max_size=count)), np.int64)
    bits = np.random.default_rng(draw(seeds)).integers(0, 256, (count, 48), np.uint8)
    values = bits.view(np.float64)  # any numbers, not a number in all its forms among them
    return SampleBlock(IMU, device, values), SampleBlock(IMU, times, values)


@st.composite
def sounds(draw: st.DrawFn) -> tuple[Block, Block]:
    shape = draw(st.integers(0, 300)), draw(st.integers(1, 4))
    bits = np.random.default_rng(draw(seeds)).integers(0, 256, (shape[0], 4 * shape[1]), np.uint8)
    mapped = UniformBlock(
        MICROPHONE, draw(stamps), draw(rates), bits.view(np.float32), draw(st.just(0.0) | rates)
    )
    return replace(mapped, stamp_ns=draw(device_stamps), clock_rate_hz=0.0), mapped


@st.composite
def frames(draw: st.DrawFn) -> tuple[Block, Block]:
    size = st.integers(0, 2**32 - 1)
    frame = Frame(
        draw(st.binary(max_size=200)),
        draw(encodings),
        draw(size),
        draw(size),
        draw(size),
        draw(st.booleans()),
        draw(facts),
        draw(facts),
    )
    mapped = FrameBlock(CAMERA, draw(stamps), frame)
    return replace(mapped, stamp_ns=draw(device_stamps)), mapped


@st.composite
def runs(draw: st.DrawFn) -> list[Taken]:
    """Blocks and breaks in any order, many of them received in the same nanosecond."""
    receive_ns = draw(st.integers(0, 2**62))
    taken = []
    for _ in range(draw(st.integers(1, 30))):
        receive_ns += draw(st.sampled_from([0, 0, 1, 1_000_000, 700_000_000]))
        if draw(st.integers(0, 5)) == 0:
            taken.append(Taken(receive_ns, Break(draw(st.sampled_from(list(STREAMS))))))
        else:
            device, mapped = draw(st.one_of(samples(), sounds(), frames()))
            taken.append(Taken(receive_ns, mapped, device))
    return taken


@settings(max_examples=60, deadline=None)
@given(runs(), st.booleans())
def test_what_was_offered_is_read_back_to_the_bit(run: list[Taken], finished: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mcap"
        recorder = record(path, run)
        assert recorder.report.lost == {}
        if not finished:  # as after a crash: no index, and the last record cut
            path.write_bytes(_without_index(path))
        deliveries = read_back(path) if path.exists() else []
        assert contents(deliveries) == contents(each.mapped for each in run)


def _without_index(path: Path) -> bytes:
    """The file up to where its index begins."""
    with path.open("rb") as stream:
        footer = make_reader(stream).get_summary()
        assert footer is not None
        last = footer.chunk_indexes[-1]
    end = last.chunk_start_offset + last.chunk_length + last.message_index_length
    return path.read_bytes()[:end]
