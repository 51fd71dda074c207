# SPDX-License-Identifier: Apache-2.0
"""Mapping blocks: bounds of the error, order, relocks, and stamps that are none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensebind.clock import REFERENCE_CLOCK, ClockModels
from sensebind.types import Block, Frame, FrameBlock, SampleBlock, UniformBlock
from tests.support.devices import BEGIN_NS, MS, Device, Message, S

if TYPE_CHECKING:
    from sensebind.clock import StampMapper

RATE_HZ = 16_000.0


@dataclass(frozen=True, slots=True)
class Stream:
    name: str
    clock: str = "device"
    rate_hz: float = 0.0


def mapper(clock: str = "device") -> StampMapper:
    return ClockModels().mapper(Stream("s", clock))


def samples(*stamps_ns: int) -> SampleBlock:
    return SampleBlock("s", np.array(stamps_ns, np.int64), np.zeros((len(stamps_ns), 6)))


def sound(stamp_ns: int, count: int = 320) -> UniformBlock:
    return UniformBlock("s", stamp_ns, RATE_HZ, np.zeros((count, 1), np.float32))


def picture(stamp_ns: int) -> FrameBlock:
    return FrameBlock("s", stamp_ns, Frame(b"", "jpeg"))


def stamps_of(block: Block) -> list[int]:
    if isinstance(block, SampleBlock):
        return [int(stamp) for stamp in block.stamps_ns]
    return [block.stamp_ns]


@settings(max_examples=30, deadline=None)
@given(
    drift=st.sampled_from([-1e-4, 0.0, 1e-4]),
    jitter_ns=st.sampled_from([0.3e6, 2e6]),
    loss=st.sampled_from([0.0, 0.05]),
    jump=st.sampled_from([(1e9, 0), (20.0, -3 * S), (20.0, -19 * S), (20.0, 7 * S)]),
    seed=st.integers(0, 99),
    frames=st.booleans(),
)
def test_mapped_stamps_are_near_the_truth_and_in_order(
    drift: float, jitter_ns: float, loss: float, jump: tuple[float, int], seed: int, frames: bool
) -> None:
    device = Device(
        drift=drift, jitter_ns=jitter_ns, loss=loss, epoch_ns=900 * S,
        jump_at_s=jump[0], jump_ns=jump[1],
    )  # fmt: skip
    mapping = mapper()
    newest_ns, worst_ns = 0, 0
    make = picture if frames else samples
    for message in device.messages(40, seed):
        (mapped_ns,) = stamps_of(mapping.map_block(make(message.device_ns), message.receive_ns))
        assert mapped_ns > newest_ns
        newest_ns = mapped_ns
        since_s = (message.true_ns - BEGIN_NS) / S
        if 2 < since_s < jump[0] or since_s > jump[0] + 2:
            worst_ns = max(worst_ns, abs(mapped_ns - message.true_ns))
    assert worst_ns < 1.5 * MS + 2 * jitter_ns
    assert mapping.by_arrival <= 3
    assert mapping.relocks < 25


@pytest.mark.parametrize("drift", [1e-4, -1e-4])
def test_the_figures_of_the_page_on_time(drift: float) -> None:
    for seed in range(4):
        mapping = mapper()
        for message in Device(drift=drift, jitter_ns=1e6).messages(60, seed):
            mapped = mapping.map_block(samples(message.device_ns), message.receive_ns)
            if message.true_ns >= BEGIN_NS + S:
                assert abs(stamps_of(mapped)[0] - message.true_ns) < 1.2 * MS
        assert 1 <= mapping.relocks <= 3


def map_sound(
    mapping: StampMapper, off: float, seconds: float, loss: float = 0.0, jitter_ns: float = 1e6
) -> tuple[list[tuple[int, UniformBlock]], list[float]]:
    """Blocks of 20 ms, stamped by a card whose clock is `off` by a share, and times of relocks."""
    rng = np.random.default_rng(0)
    blocks: list[tuple[int, UniformBlock]] = []
    relocks: list[float] = []
    received_ns = 0
    for i in range(int(seconds * 50)):
        true_ns = BEGIN_NS + round(i * 20 * MS / (1 + off))
        arrival_ns = true_ns + 20 * MS + round(rng.exponential(jitter_ns))
        received_ns = max(received_ns, arrival_ns)
        if rng.random() < loss:
            continue
        block = mapping.map_block(sound(5 * S + i * 20 * MS), received_ns)
        assert isinstance(block, UniformBlock)
        blocks.append((true_ns, block))
        if mapping.relocks > len(relocks):
            relocks.append(i / 50)
    return blocks, relocks


@pytest.mark.parametrize("off", [1e-4, -1e-4])
def test_sound_that_drifts_is_relocked_once_and_then_known(off: float) -> None:
    blocks, relocks = map_sound(mapper(), off, 600)
    assert len(relocks) == 1
    assert 10 < relocks[0] < 90
    errors = [abs(block.stamp_ns - true_ns) for true_ns, block in blocks[250:]]
    assert max(errors) < 5.1 * MS
    rates = {block.clock_rate_hz for _, block in blocks}
    assert len(rates) == 2
    assert blocks[-1][1].clock_rate_hz == pytest.approx(RATE_HZ * (1 + off), rel=8e-6)


@pytest.mark.slow
@pytest.mark.parametrize("off", [1e-4, -1e-4])
def test_an_hour_of_drifting_sound_has_two_relocks(off: float) -> None:
    blocks, relocks = map_sound(mapper(), off, 3600, loss=0.001)
    assert len(relocks) <= 2
    assert max(abs(b.stamp_ns - true_ns) for true_ns, b in blocks[250:]) < 6 * MS
    assert blocks[-1][1].clock_rate_hz == pytest.approx(RATE_HZ * (1 + off), rel=2e-6)


def test_the_card_drifts_against_the_clock_that_stamps_it() -> None:
    """Stamps of the reference clock stay as they are; their rate is measured when it matters."""
    mapping = mapper(REFERENCE_CLOCK)
    off, rates = 1e-4, []
    for i in range(50 * 120):
        block = sound(BEGIN_NS + round(i * 20 * MS / (1 + off)))
        mapped = mapping.map_block(block, block.stamp_ns + 20 * MS)
        assert isinstance(mapped, UniformBlock)
        assert mapped.stamp_ns == block.stamp_ns
        assert mapped is block or mapped.clock_rate_hz > 0
        rates.append(mapped.clock_rate_hz)
    assert rates[0] == 0.0
    assert rates[-1] == pytest.approx(RATE_HZ * (1 + off), rel=1e-7)
    assert mapping.relocks == 1


def test_lost_sound_is_a_hole_and_no_relock() -> None:
    blocks, relocks = map_sound(mapper(), 0.0, 60, loss=0.02)
    assert relocks == []
    assert len(blocks) < 2990
    assert max(abs(b.stamp_ns - true_ns) for true_ns, b in blocks[50:]) < 3 * MS
    assert {b.clock_rate_hz for _, b in blocks} == {RATE_HZ}


def test_the_reference_clock_is_not_mapped() -> None:
    mapping = mapper(REFERENCE_CLOCK)
    for block in (samples(BEGIN_NS), picture(BEGIN_NS + 1), samples(), sound(7, count=0)):
        assert mapping.map_block(block, BEGIN_NS + S) is block


@pytest.mark.parametrize("clock", [REFERENCE_CLOCK, "device"])
@pytest.mark.parametrize(
    ("stamp_ns", "fault"), [(0, "most header stamps are 0"), (77, "all header stamps are the same")]
)
def test_without_stamps_arrival_counts(clock: str, stamp_ns: int, fault: str) -> None:
    mapping = mapper(clock)
    stamps = [
        stamps_of(mapping.map_block(samples(*[stamp_ns] * 4), BEGIN_NS + i * 10 * MS))
        for i in range(1, 100)
    ]
    assert mapping.note == f"{fault}; receive times are used instead"
    assert mapping.by_arrival >= 97
    flat = [stamp for block in stamps[3:] for stamp in block]
    assert flat[3::4] == [BEGIN_NS + i * 10 * MS for i in range(4, 100)]
    assert set(np.diff(flat)) == {2_500_000}


def test_sound_without_stamps_is_counted() -> None:
    mapping = mapper()
    rng = np.random.default_rng(1)
    errors = []
    for i in range(3000):
        end_ns = BEGIN_NS + (i + 1) * 20 * MS
        block = mapping.map_block(sound(0), end_ns + round(rng.exponential(4e6)))
        assert isinstance(block, UniformBlock)
        errors.append(abs(block.stamp_ns - (end_ns - 20 * MS)))
    assert max(errors[100:]) < 6 * MS
    assert mapping.by_arrival == 3000


def test_a_stamp_that_cannot_be_is_placed_by_arrival() -> None:
    mapping = mapper()
    before = [5 * S + i * 10 * MS for i in range(100)]
    for stamp_ns in before:
        mapping.map_block(samples(stamp_ns), BEGIN_NS + stamp_ns + 3 * MS)
    for i, wrong_ns in enumerate([0, 3 * S, 10**6 * S, -5, 1 << 62]):
        receive_ns = BEGIN_NS + before[-1] + (i + 1) * 10 * MS + 3 * MS
        (mapped_ns,) = stamps_of(mapping.map_block(samples(wrong_ns), receive_ns))
        assert mapped_ns == receive_ns
    assert mapping.by_arrival == 5
    assert mapping.note == ""
    mapped = mapping.map_block(samples(6 * S, 1 << 62, -7, 6 * S + 1), BEGIN_NS + 6 * S + 3 * MS)
    assert stamps_of(mapped) == [BEGIN_NS + 6 * S + 3 * MS, -1, -1, BEGIN_NS + 6 * S + 3 * MS + 1]


def test_streams_that_name_a_clock_share_its_model() -> None:
    models = ClockModels()
    imu, camera = models.mapper(Stream("imu", "usb")), models.mapper(Stream("camera", "usb"))
    models.mapper(Stream("mic", "card"))
    for message in Device(period_ns=10 * MS, jitter_ns=1e5, epoch_ns=S).messages(5):
        imu.map_block(samples(message.device_ns), message.receive_ns)
    frame = camera.map_block(picture(5 * S), BEGIN_NS + 4 * S + 80 * MS)
    assert abs(stamps_of(frame)[0] - (BEGIN_NS + 4 * S)) < MS // 5
    assert set(models.status()) == {"usb", "card"}
    assert models.status()["usb"].observations == 501
    assert {name: s.clock for name, s in models.stream_status().items()} == {
        "imu": "usb", "camera": "usb", "mic": "card",
    }  # fmt: skip


def test_counts_of_a_stream_outlive_its_device() -> None:
    models = ClockModels()
    for _ in range(3):
        mapping = models.mapper(Stream("imu"))
        mapping.map_block(samples(0), BEGIN_NS)
    assert models.stream_status()["imu"].by_arrival == 3


def test_a_new_device_clock_after_a_restart_is_found() -> None:
    models = ClockModels()
    device = Device(epoch_ns=10**6 * S)
    first: list[Message] = list(device.messages(30))
    second = [
        replace(m, device_ns=m.device_ns - 10**6 * S) for m in device.messages(60, begin_s=31)
    ]
    for part in (first, second):
        mapping = models.mapper(Stream("imu"))
        errors = []
        for message in part:
            mapped = mapping.map_block(samples(message.device_ns), message.receive_ns)
            errors.append(abs(stamps_of(mapped)[0] - message.true_ns))
        assert max(errors[10:]) < 8 * MS
    assert models.status()["device"].jumps == 1


@given(
    late_ms=st.lists(st.floats(0, 40), min_size=2, max_size=60), off=st.sampled_from([0.0, 1e-4])
)
def test_sound_that_was_not_lost_is_never_torn(late_ms: list[float], off: float) -> None:
    """Late arrivals move the clock's line; then a new segment begins, and no sample is dropped."""
    mapping, received_ns, mapped = mapper(), 0, []
    for i, late in enumerate(late_ms):
        true_ns = BEGIN_NS + round(i * 20 * MS / (1 + off))
        received_ns = max(received_ns, true_ns + 20 * MS + round(late * MS))
        block = mapping.map_block(sound(5 * S + i * 20 * MS), received_ns)
        assert isinstance(block, UniformBlock)
        mapped.append(block)
    for before, after in pairwise(mapped):
        if before.clock_rate_hz == after.clock_rate_hz:
            length_ns = len(before.values) / before.clock_rate_hz * S
            assert abs(after.stamp_ns - before.stamp_ns - length_ns) < 10
