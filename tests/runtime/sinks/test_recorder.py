# SPDX-License-Identifier: Apache-2.0
"""What a recorder is offered is read back to the bit, and by the tools of others too."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap.writer import Writer
from rosbags.highlevel import AnyReader

from sensebind.config import StreamConfig
from sensebind.errors import InputError, SourceError
from sensebind.sinks.recorder import Recorder
from sensebind.sources import open_source
from sensebind.sources.bags.recorded_times import recorded_times
from sensebind.sources.bags.several import SeveralSources
from sensebind.sources.bags.source import BagSource
from sensebind.types import Break, Frame, FrameBlock, Modality, SampleBlock, UniformBlock
from tests.support.bags import imu, write_mcap
from tests.support.recorded import (
    CAMERA,
    IMU,
    MICROPHONE,
    STREAMS,
    Taken,
    contents,
    offer,
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


def imu_block(begin_ns: int, count: int = 4) -> SampleBlock:
    times = begin_ns + np.arange(count) * 2_500_000
    return SampleBlock(IMU, times, np.arange(6.0 * count).reshape(count, 6))


def test_times_of_device_and_receipt_are_in_the_file(tmp_path: Path) -> None:
    device, mapped = imu_block(-7, 3), imu_block(START_NS, 3)
    record(tmp_path / "a.mcap", [Taken(START_NS + 9, mapped, device)])
    with (tmp_path / "a.mcap").open("rb") as stream:
        messages = [message for _, _, message in make_reader(stream).iter_messages()]
    assert [m.log_time for m in messages] == 3 * [START_NS + 9]
    assert [m.publish_time for m in messages] == [t % 2**64 for t in device.stamps_ns.tolist()]
    assert [m.sequence for m in messages] == [0, 1, 2]


@settings(max_examples=20, deadline=None)
@given(runs())
def test_all_times_can_be_told(run: list[Taken]) -> None:
    """Receive times are moved by no more than what keeps breaks and frames apart."""
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder) / "a.mcap", run)
        if not (Path(folder) / "a.mcap").exists() or all(t.device is None for t in run):
            return
        times = recorded_times(Path(folder) / "a.mcap")
    for stream, found in times.items():
        mine = [each for each in run if each.mapped.stream == stream and each.device is not None]
        assert found.device_ns.tolist() == [t for each in mine for t in _stamps(each.device)]
        assert found.stamps_ns.tolist() == [t for each in mine for t in _stamps(each.mapped)]
        received = [each.receive_ns for each in mine for _ in _stamps(each.mapped)]
        assert (np.abs(found.receive_ns - received) <= len(run)).all()


def _stamps(delivery: object) -> list[int]:
    if isinstance(delivery, SampleBlock):
        return list(map(int, delivery.stamps_ns))
    assert isinstance(delivery, UniformBlock | FrameBlock)
    return [delivery.stamp_ns]


def test_receive_times_that_cannot_be_are_skipped(tmp_path: Path) -> None:
    """MCAP's are unsigned, and a damaged one need not fit an int64."""
    path = tmp_path / "a.mcap"
    taken = [Taken(START_NS + k, imu_block(START_NS + k, 1)) for k in range(3)]
    record(path, [*taken, Taken(START_NS + 3, Break(IMU))])
    octets = path.read_bytes()
    for place in (1, 3):
        octets = octets.replace(pack("<Q", START_NS + place), bytes([255] * 8))
    path.write_bytes(octets)
    with open_source(path) as source:
        found = list(source.blocks({IMU: STREAMS[IMU]}, "log"))
        assert source.report.skipped == {IMU: {"receive time out of range": 1}}
    assert contents(found) == contents([taken[0].mapped, taken[2].mapped])
    assert recorded_times(path)[IMU].receive_ns.tolist() == [START_NS, START_NS + 2]


def test_a_bag_of_others_has_no_device_stamps(tmp_path: Path) -> None:
    path = write_mcap(tmp_path / "a.mcap", [imu("/imu", START_NS, range(6))])
    with pytest.raises(SourceError, match="not recorded by SenseBind"):
        recorded_times(path)


def test_ros_tools_read_every_message(tmp_path: Path) -> None:
    run = [
        Taken(START_NS, imu_block(START_NS)),
        Taken(START_NS, UniformBlock(MICROPHONE, START_NS, 16e3, np.ones((5, 2), np.float32), 1.5)),
        Taken(START_NS, FrameBlock(CAMERA, START_NS, Frame(b"abcdef", "mono8", 3, 2, 3))),
        Taken(START_NS, FrameBlock(CAMERA, START_NS + 1, Frame(b"\xff\xd8\xff", "jpeg"))),
        Taken(START_NS, Break(IMU)),
    ]
    record(tmp_path / "a.mcap", run)
    with AnyReader([tmp_path / "a.mcap"]) as reader:
        found: list[tuple[str, Any]] = [
            (connection.topic, reader.deserialize(data, connection.msgtype))
            for connection, _, data in reader.messages()
        ]
    messages = dict(found)
    assert list(messages) == [
        "/robot/imu", "/microphone", "/camera/image_raw", "/camera/image_raw_2", "/sensebind/break",
    ]  # fmt: skip
    imu, sound, picture, jpeg, lost = messages.values()
    assert (imu.header.stamp.sec, imu.header.frame_id) == (START_NS // 10**9, "imu")
    assert (imu.linear_acceleration.x, imu.angular_velocity.z) == (18.0, 23.0)
    assert imu.orientation_covariance[0] == -1  # REP 145: there is no orientation
    assert not imu.linear_acceleration_covariance.any()
    assert (sound.rate_hz, sound.clock_rate_hz, sound.channels) == (16e3, 1.5, 2)
    assert sound.samples.tolist() == 10 * [1.0]
    assert (picture.encoding, picture.width, picture.step) == ("mono8", 3, 3)
    assert bytes(picture.data) == b"abcdef"
    assert (jpeg.format, bytes(jpeg.data)) == ("jpeg", b"\xff\xd8\xff")
    assert lost.data == IMU


def test_settings_are_kept_but_for_those_that_were_applied(tmp_path: Path) -> None:
    streams = {
        IMU: StreamConfig(modality=Modality.IMU, unit="g", frame="optical", hop_s=0.25),
        MICROPHONE: StreamConfig(modality=Modality.AUDIO, rate_hz=8000, format="S16LE", channels=2),
        CAMERA: StreamConfig(modality=Modality.DEPTH, trigger="frame", scale=0.001, unit=None),
    }
    recorder = Recorder(tmp_path / "a.mcap", queue_bytes=1 << 16)
    recorder.begin(streams, {IMU: {"clock": "monotonic", "rate_hz": 400.0}}, {"robot": "rover 7"})
    offer(recorder, Taken(START_NS, imu_block(START_NS)))
    recorder.close()
    with open_source(tmp_path / "a.mcap") as source:
        assert isinstance(source, BagSource)
        recorded = source.recorded
        assert recorded is not None
        kinds = {info.name: (info.kind.value, info.count) for info in source.streams()}
    assert recorded.facts == {"robot": "rover 7"}
    imu, microphone, camera = recorded.streams.values()
    assert (imu.clock, imu.rate_hz) == ("monotonic", 400.0)
    assert imu.applied == {"frame": "optical", "unit": "g"}
    assert imu.config == StreamConfig(modality=Modality.IMU, frame="optical", hop_s=0.25)
    assert microphone.config == StreamConfig(modality=Modality.AUDIO)
    assert camera.config == streams[CAMERA]
    # Streams that sent nothing are there, so that a replay with the same settings finds them.
    assert kinds == {IMU: ("samples", 4), MICROPHONE: ("uniform", 0), CAMERA: ("frames", 0)}


def test_frames_whose_facts_change_keep_them(tmp_path: Path) -> None:
    run = [
        Taken(START_NS, FrameBlock(CAMERA, START_NS + k, Frame(b"ab", "16UC1", 1, 1, 2, scale=s)))
        for k, s in enumerate([0.001, 0.001, 0.00025, None, 0.1 + 0.2, 0.001])
    ]
    record(tmp_path / "a.mcap", run)
    read = read_back(tmp_path / "a.mcap")
    scales = [each.frame.scale for each in read if isinstance(each, FrameBlock)]
    assert scales == [0.001, 0.001, 0.00025, None, 0.1 + 0.2, 0.001]


def test_in_order_of_stamps_breaks_stay_between_their_blocks(tmp_path: Path) -> None:
    run = [Taken(START_NS + 50 * k, imu_block(START_NS + 10_000_000 * k)) for k in range(4)]
    run.insert(2, Taken(run[2].receive_ns, Break(IMU)))
    record(tmp_path / "a.mcap", run)
    expected = contents(each.mapped for each in run)
    assert contents(read_back(tmp_path / "a.mcap", "stamp")) == expected


def test_several_recordings_are_replayed_as_one(tmp_path: Path) -> None:
    first, second = (Taken(START_NS + k, imu_block(START_NS + k * 10**9)) for k in range(2))
    for name, taken in (("a.mcap", first), ("b.mcap", second)):
        record(tmp_path / name, [taken])
    source = open_source([tmp_path / "b.mcap", tmp_path / "a.mcap"])
    with source:
        assert isinstance(source, SeveralSources)
        assert source.recorded is not None
        assert {n: s.config for n, s in source.recorded.streams.items()} == STREAMS
        read = contents(source.blocks(STREAMS, "log"))
    assert read == contents([first.mapped, second.mapped])


def test_packed_chunks_hold_the_same(tmp_path: Path) -> None:
    for compress in (False, True):
        with Recorder(tmp_path / f"{compress}.mcap", compress=compress) as recorder:
            recorder.begin(STREAMS)
            for k in range(100):
                offer(recorder, Taken(START_NS + k, imu_block(START_NS + k * 10_000_000)))
    plain, packed = tmp_path / "False.mcap", tmp_path / "True.mcap"
    assert contents(read_back(plain)) == contents(read_back(packed))
    assert packed.stat().st_size < plain.stat().st_size / 4


def test_what_ros_cannot_express_is_counted_and_leaves_a_break(tmp_path: Path) -> None:
    late = imu_block(LATEST_NS - 5_000_000, 4)  # the last of them after January 2038
    beyond = replace(late, stamps_ns=np.array([-1, 2**62 + 1, START_NS, START_NS + 1]))
    recorder = record(
        tmp_path / "a.mcap", [Taken(0, beyond), Taken(1, late), Taken(2, imu_block(START_NS, 1))]
    )
    assert recorder.report.lost == {IMU: {"stamp that ROS cannot express": 3}}
    assert recorder.report.written[IMU] == 6
    # No window takes a stamp below 0 or beyond 2**62: leaving them out breaks nothing.
    read = contents(read_back(tmp_path / "a.mcap"))[IMU]
    assert list(map(_kind, read)) == ["row"] * 5 + ["break", "row"]


def _kind(part: object) -> str:
    return "break" if part == "break" else "row"


@pytest.mark.parametrize(
    "block",
    [
        SampleBlock(IMU, np.arange(3), np.zeros((2, 6))),
        SampleBlock(IMU, np.arange(2), np.zeros((2, 5))),
        SampleBlock(IMU, np.arange(2), np.zeros((2, 6), np.float32)),
        SampleBlock(IMU, np.arange(2.0), np.zeros((2, 6))),  # type: ignore[arg-type]
        UniformBlock(IMU, 0, 16e3, np.zeros(4, np.float32)),
        FrameBlock(IMU, 0, Frame("text", "rgb8")),  # type: ignore[arg-type]
    ],
)
def test_malformed_blocks_are_counted(tmp_path: Path, block: Block) -> None:
    good = Taken(1, imu_block(START_NS))
    recorder = record(tmp_path / "a.mcap", [Taken(0, block), good])
    assert recorder.report.lost == {IMU: {"malformed block": 1}}
    assert contents(read_back(tmp_path / "a.mcap")) == contents([good.mapped])


def test_a_stream_that_was_not_begun_is_counted(tmp_path: Path) -> None:
    recorder = record(tmp_path / "a.mcap", [Taken(0, replace(imu_block(0), stream="/other"))])
    assert recorder.report.lost == {"/other": {"not a stream of the recording": 4}}


def test_an_earlier_recording_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(b"earlier")
    recorder = Recorder(path)
    recorder.begin(STREAMS)
    offer(recorder, Taken(0, imu_block(0)))
    with pytest.raises(InputError, match=r"sensebind recover .*a\.mcap"):
        Recorder(path).begin(STREAMS)
    assert path.read_bytes() == b"earlier"
    recorder.close()
    assert len(contents(read_back(path))[IMU]) == 4
    assert [each.name for each in tmp_path.iterdir()] == ["a.mcap"]


def test_a_recording_of_nothing_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.mcap").write_bytes(b"earlier")
    with Recorder(tmp_path / "a.mcap") as recorder:
        recorder.begin(STREAMS)
    assert (tmp_path / "a.mcap").read_bytes() == b"earlier"
    assert [each.name for each in tmp_path.iterdir()] == ["a.mcap"]


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"end the name with \.mcap"):
        Recorder(tmp_path / "a.parquet")


def test_metadata_that_moved_is_found(tmp_path: Path) -> None:
    """As after `mcap filter` and the like, which write a file anew."""
    record(tmp_path / "a.mcap", [Taken(START_NS, imu_block(START_NS)), Taken(START_NS, Break(IMU))])
    with (tmp_path / "a.mcap").open("rb") as old, (tmp_path / "b.mcap").open("wb") as new:
        reader, writer = make_reader(old), Writer(new)
        writer.start()
        channels: dict[int, int] = {}
        for schema, channel, message in reader.iter_messages():
            assert schema is not None
            if channel.id not in channels:
                key = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.id] = writer.register_channel(
                    channel.topic, "cdr", key, channel.metadata
                )
            key = channels[channel.id]
            writer.add_message(key, message.log_time, message.data, message.publish_time)
        for record_ in reader.iter_metadata():
            writer.add_metadata(record_.name, record_.metadata)
        writer.finish()  # type: ignore[no-untyped-call]
    expected = read_back(tmp_path / "a.mcap")
    assert contents(read_back(tmp_path / "b.mcap")) == contents(expected)


def test_a_folder_with_one_recording_is_that_recording(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    block = SampleBlock(IMU, np.array([START_NS]), np.ones((1, 6)))
    record(folder / "live.mcap", [Taken(START_NS, block)])
    source = open_source(folder)
    assert isinstance(source, BagSource)
    assert source.recorded is not None
    assert list(source.recorded.streams) == list(STREAMS)


def test_recordings_in_a_folder_are_not_taken_for_parts_of_one(tmp_path: Path) -> None:
    for name in ("a.mcap", "b.mcap"):
        block = SampleBlock(IMU, np.array([START_NS]), np.ones((1, 6)))
        record(tmp_path / name, [Taken(START_NS, block)])
    with pytest.raises(SourceError, match=r"a\.mcap in this folder is the recording of a live run"):
        open_source(tmp_path).streams()
