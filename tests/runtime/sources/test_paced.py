# SPDX-License-Identifier: Apache-2.0
"""Playing recordings like devices: when blocks come, with which stamps, and what faults do."""

from __future__ import annotations

import math
import threading
from importlib import resources
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.config import StreamConfig
from sensebind.errors import SourceError
from sensebind.sources import open_source
from sensebind.sources.base import REFERENCE_CLOCK, EndOfStream
from sensebind.sources.looped import LoopedSource
from sensebind.sources.paced import Faults, PacedSource
from sensebind.types import Frame, FrameBlock, Modality, SampleBlock, UniformBlock
from tests.support.playing import BlockSource, VirtualTime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.config import Order
    from sensebind.types import Block, Delivery

S = 1_000_000_000
MS = 1_000_000
BEGIN = 1_700_000_000 * S
SELECTED = {
    "/imu": StreamConfig(modality=Modality.IMU),
    "/mic": StreamConfig(modality=Modality.AUDIO),
    "/camera": StreamConfig(modality=Modality.VISION),
}


def imu_block(first_ms: float, count: int, period_ms: float = 10) -> SampleBlock:
    stamps = BEGIN + ((first_ms + np.arange(count) * period_ms) * MS).astype(np.int64)
    return SampleBlock("/imu", stamps, np.arange(count * 6, dtype=np.float64).reshape(count, 6))


def audio_block(first_ms: int, count: int) -> UniformBlock:
    values = np.arange(count, dtype=np.float32)[:, np.newaxis] / 1e4
    return UniformBlock("/mic", BEGIN + first_ms * MS, 1000.0, values)


def frame_block(at_ms: int) -> FrameBlock:
    return FrameBlock("/camera", BEGIN + at_ms * MS, Frame(bytes(3), "rgb8", 1, 1, 3))


IMU = (imu_block(0, 64), imu_block(640, 36))
AUDIO = audio_block(0, 700)
RECORDED: list[Block] = [IMU[0], AUDIO, frame_block(105), frame_block(305), IMU[1]]


class Device:
    """Takes what a source delivers, with the time of a virtual clock, until it ends or fails."""

    def __init__(self, source: PacedSource, time: VirtualTime) -> None:
        self.source, self._time = source, time
        self.got: list[tuple[int, Block]] = []
        self.ends: list[Exception] = []

    def play(self) -> Device:
        over = threading.Event()

        def fail(error: Exception) -> None:
            self.ends.append(error)
            over.set()

        self.source.start(
            SELECTED, lambda block: self.got.append((self._time.now_ns(), block)), fail
        )
        assert over.wait(20)
        self.source.stop()
        return self

    def stream(self, name: str) -> list[tuple[int, Block]]:
        return [(at, block) for at, block in self.got if block.stream == name]


def played(
    recorded: list[Block],
    *,
    factor: float = 1.0,
    block_s: float = 0.01,
    faults: Faults | None = None,
) -> Device:
    time = VirtualTime(5 * S)
    source = PacedSource(
        BlockSource(recorded),
        factor=factor,
        block_s=block_s,
        faults=faults or Faults(),
        waiter=time,
    )
    return Device(source, time).play()


def imu(device: Device) -> list[SampleBlock]:
    return [block for _, block in device.got if isinstance(block, SampleBlock)]


def audio(device: Device) -> list[UniformBlock]:
    return [block for _, block in device.got if isinstance(block, UniformBlock)]


def stamps(device: Device) -> list[int]:
    return [int(stamp) for block in imu(device) for stamp in block.stamps_ns]


def ends_of(device: Device) -> list[type[Exception]]:
    return [type(end) for end in device.ends]


def test_all_samples_come_in_order_with_their_stamps() -> None:
    device = played(RECORDED)
    assert ends_of(device) == [EndOfStream]
    assert stamps(device) == [BEGIN + 10 * MS * i for i in range(100)]
    rows = np.concatenate([block.values for block in imu(device)])
    assert np.array_equal(rows, np.concatenate([IMU[0].values, IMU[1].values]))
    assert np.array_equal(np.concatenate([b.values for b in audio(device)]), AUDIO.values)
    assert device.source.report.read == {"/imu": 100, "/mic": 700, "/camera": 2}
    assert device.source.report.skipped == {}


@pytest.mark.parametrize("factor", [0.5, 1.0, 4.0])
def test_a_block_comes_when_its_last_sample_was_taken(factor: float) -> None:
    device = played(RECORDED, factor=factor)
    for at_ns, block in device.got:
        last = block.stamps_ns[-1] if isinstance(block, SampleBlock) else block.stamp_ns
        if isinstance(block, UniformBlock):
            last += (len(block.values) - 1) * MS
        assert at_ns == 5 * S + int((last - BEGIN) / factor)
    times = [at for at, _ in device.got]
    assert times == sorted(times)


@pytest.mark.parametrize(("block_s", "longest"), [(0.0, 1), (0.01, 1), (0.03, 3), (10.0, 64)])
def test_blocks_are_as_short_as_a_devices(block_s: float, longest: int) -> None:
    sizes = [len(block.stamps_ns) for block in imu(played(RECORDED, block_s=block_s))]
    assert max(sizes) == longest
    assert sum(sizes) == 100


def test_pieces_of_sound_have_the_stamps_of_their_first_samples() -> None:
    pieces = audio(played(RECORDED, block_s=0.25))
    assert [block.stamp_ns - BEGIN for block in pieces] == [0, 250 * MS, 500 * MS]
    assert [len(block.values) for block in pieces] == [250, 250, 200]


def test_infinitely_fast_nothing_is_waited_for() -> None:
    device = played(RECORDED, factor=math.inf)
    assert {at for at, _ in device.got} == {5 * S}
    assert len(stamps(device)) == 100


def test_stamps_move_to_the_time_of_the_start_if_asked() -> None:
    time = VirtualTime(5 * S)
    source = PacedSource(BlockSource(RECORDED), begin_ns=lambda: 77 * S, waiter=time)
    device = Device(source, time).play()
    assert stamps(device) == [77 * S + 10 * MS * i for i in range(100)]
    frames = [block.stamp_ns for _, block in device.got if isinstance(block, FrameBlock)]
    assert frames == [77 * S + 105 * MS, 77 * S + 305 * MS]


def test_the_begin_is_asked_for_at_the_start_and_not_when_the_recording_was_opened() -> None:
    time = VirtualTime(5 * S)

    class Slow(BlockSource):
        def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Delivery]:
            time.time_ns += 7 * S
            return super().blocks(selected, order)

    source = PacedSource(Slow(RECORDED), begin_ns=time.now_ns, waiter=time)
    device = Device(source, time).play()
    assert stamps(device)[0] == 5 * S


def test_streams_tell_their_clock_and_rate() -> None:
    source = PacedSource(BlockSource(RECORDED), clock="robot", rates_hz={"/imu": 100.0})
    infos = {info.name: info for info in source.streams()}
    assert {info.clock for info in infos.values()} == {"robot"}
    assert [infos[name].rate_hz for name in ("/imu", "/mic")] == [100.0, 0.0]
    assert infos["/mic"].encoding == "S16LE"
    assert PacedSource(BlockSource(RECORDED)).streams()[0].clock == REFERENCE_CLOCK


def test_a_factor_of_nothing_is_refused() -> None:
    with pytest.raises(SourceError, match="the factor is 0, expected more than 0"):
        PacedSource(BlockSource(RECORDED), factor=0)


def test_jitter_delays_blocks_and_keeps_the_order_of_a_stream() -> None:
    plain, late = played(RECORDED), played(RECORDED, faults=Faults(jitter_s=0.05))
    assert stamps(late) == stamps(plain)
    pairs = zip(plain.stream("/imu"), late.stream("/imu"), strict=True)
    delays = [there - here for (here, _), (there, _) in pairs]
    assert min(delays) >= 0
    assert 20 * MS < max(delays) <= 50 * MS
    assert len(set(delays)) > 10
    times = [at for at, _ in late.got]
    assert times == sorted(times)


def test_lost_blocks_are_counted_and_the_same_each_time() -> None:
    faults = Faults(loss=0.3, seed=4)
    one, two = played(RECORDED, faults=faults), played(RECORDED, faults=faults)
    assert stamps(one) == stamps(two)
    lost = one.source.report.skipped["/imu"]["lost, as the faults say"]
    assert len(stamps(one)) + lost == 100
    assert 10 < lost < 60


def test_a_fast_clock_gains_on_the_true_one() -> None:
    recorded: list[Block] = [imu_block(0, 2, 1e6)]
    first, last = played(recorded, faults=Faults(drift_ppm=100)).stream("/imu")
    assert last[0] - first[0] == pytest.approx(1000 * S / 1.0001, abs=10)


def test_a_clock_that_jumps_moves_stamps_only() -> None:
    plain = played(RECORDED)
    jumped = played(RECORDED, faults=Faults(reset_at_s=0.5, reset_by_s=-0.2))
    assert [at for at, _ in jumped.got] == [at for at, _ in plain.got]
    expected = [s if s < BEGIN + 500 * MS else s - 200 * MS for s in stamps(plain)]
    assert stamps(jumped) == expected


def test_a_device_that_failed_goes_on_where_it_would_be() -> None:
    time = VirtualTime(5 * S)
    source = PacedSource(BlockSource(RECORDED), faults=Faults(fail_at_s=(0.4,)), waiter=time)
    device = Device(source, time).play()
    assert ends_of(device) == [SourceError]
    time.time_ns += 200 * MS
    device.play()
    assert ends_of(device) == [SourceError, EndOfStream]
    lost = device.source.report.skipped["/imu"]
    assert len(stamps(device)) + sum(lost.values()) == 100
    gap = max(b - a for a, b in pairwise(stamps(device)))
    assert 200 * MS <= gap <= 230 * MS


def test_nothing_is_delivered_after_a_stop() -> None:
    time = VirtualTime(0)
    source = PacedSource(BlockSource(RECORDED), waiter=time)
    got: list[Block] = []
    ends: list[Exception] = []

    def deliver(block: Block) -> None:
        got.append(block)
        if len(got) == 10:
            source.stop()

    source.start(SELECTED, deliver, ends.append)
    source.stop()
    assert len(got) <= 10
    assert ends == []


def test_a_broken_recording_ends_the_device() -> None:
    class Broken(BlockSource):
        def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Delivery]:  # noqa: ARG002
            yield IMU[0]
            raise SourceError("the file ends in the middle of a message")

    time = VirtualTime(0)
    device = Device(PacedSource(Broken(RECORDED), waiter=time), time).play()
    assert "in the middle" in str(device.ends[0])


class TestLoops:
    def test_stamps_go_on_evenly(self) -> None:
        recorded: list[Block] = [imu_block(0, 50), audio_block(0, 500)]
        source = LoopedSource(BlockSource(recorded), 3)
        blocks = list(source.blocks(SELECTED, "stamp"))
        imu = np.concatenate([b.stamps_ns for b in blocks if isinstance(b, SampleBlock)])
        assert np.array_equal(imu, BEGIN + 10 * MS * np.arange(150))
        audio = [b.stamp_ns - BEGIN for b in blocks if isinstance(b, UniformBlock)]
        assert audio == [0, 500 * MS, 1000 * MS]
        assert source.report.read == {"/imu": 150, "/mic": 1500}

    def test_without_a_number_of_rounds_there_is_no_end(self) -> None:
        blocks = LoopedSource(BlockSource([imu_block(0, 50)])).blocks(SELECTED, "stamp")
        assert len(list(islice(blocks, 1000))) == 1000

    def test_a_recording_without_samples_ends(self) -> None:
        assert list(LoopedSource(BlockSource([])).blocks(SELECTED, "stamp")) == []

    def test_it_can_be_played(self) -> None:
        time = VirtualTime(0)
        looped = LoopedSource(BlockSource([imu_block(0, 50)]), 4)
        device = Device(PacedSource(looped, waiter=time), time).play()
        assert stamps(device) == [BEGIN + 10 * MS * i for i in range(200)]

    def test_a_recording_on_disk_is_read_anew(self) -> None:
        sample = resources.files("sensebind") / "_data" / "sample" / "sample.mcap"
        streams = {"/imu/data": StreamConfig(modality=Modality.IMU)}
        with resources.as_file(sample) as path, LoopedSource(open_source(path), 2) as source:
            blocks = list(source.blocks(streams, "stamp"))
            assert source.progress() == 1.0
            counted = open_source(path)
            list(counted.blocks(streams, "stamp"))
            once = counted.report.read["/imu/data"]
        found = np.concatenate([b.stamps_ns for b in blocks if isinstance(b, SampleBlock)])
        assert len(found) == 2 * once > 0
        assert np.diff(found).min() > 0
        assert source.report.read == {"/imu/data": 2 * once}
