# SPDX-License-Identifier: Apache-2.0
"""MCAP files as they are found: huge, cut, damaged, without index, with odd channels."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter

from sensebind.errors import SourceError
from sensebind.sources import open_source
from sensebind.sources.bags import containers, mcap_index, ordering, ros1_index
from sensebind.sources.bags.mcap_file import McapFile
from sensebind.sources.bags.ros1_file import Ros1File
from sensebind.sources.base import SourceReport, StreamKind
from sensebind.sources.messages.wire import unpacked_lz4
from sensebind.types import SampleBlock
from tests.support import bags
from tests.support.blocks import all_streams, plain, read_all, reading_notes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from tests.support.bags import Message

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000


@cache
def rows(count: int, step_ms: int = 10) -> tuple[Message, ...]:
    return tuple(bags.imu("/imu", START_NS + k * step_ms * MS, [k] * 6) for k in range(count))


def first_column(path: Path) -> list[float]:
    blocks = read_all(open_source(path))
    return [x for block in blocks if isinstance(block, SampleBlock) for x in block.values[:, 0]]


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_a_chunk_is_read_only_when_its_messages_are_due(
    tmp_path: Path, indexed: bool, compression: str
) -> None:
    path = bags.write_mcap(
        tmp_path / "a.mcap", rows(2000), compression=compression, indexed=indexed
    )
    source = open_source(path)
    selected = all_streams(source)
    with source:
        counted = CountedFile(source._container._stream)  # type: ignore[attr-defined]
        source._container._stream = counted  # type: ignore[attr-defined]
        blocks = source.blocks(selected, "stamp")
        block = next(iter(blocks))
        assert isinstance(block, SampleBlock)
        # one tick of rows and a second of look-ahead: 110 of 2000 rows, and a chunk of 12
        assert 0 < counted.bytes < path.stat().st_size // 4
        rest = sum(len(b.stamps_ns) for b in blocks if isinstance(b, SampleBlock))
        assert rest == 2000 - len(block.stamps_ns)


class CountedFile:
    """A file that counts the bytes that are read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.bytes = 0

    def seek(self, position: int) -> None:
        self._stream.seek(position)

    def read(self, size: int) -> bytes:
        self.bytes += size
        return self._stream.read(size)

    def close(self) -> None:
        self._stream.close()


@pytest.mark.parametrize("chunk_bytes", [4096, 1 << 20])
def test_messages_of_other_topics_are_not_read(tmp_path: Path, chunk_bytes: int) -> None:
    pixels = np.zeros((200, 400), np.uint8)
    frames = [bags.image("/big", START_NS + k * MS, pixels, "mono8") for k in range(50)]
    messages = sorted([*rows(5), *frames], key=lambda message: message.log_ns)
    path = bags.write_mcap(tmp_path / "a.mcap", messages, chunk_bytes=chunk_bytes)
    container = McapFile(path, SourceReport())
    counted = CountedFile(container._stream)
    container._stream = counted  # type: ignore[assignment]
    stretches = container.stretches(["/imu"])
    assert sum(len(column.data) for s in stretches for column in s.columns.values()) == 5
    container.close()
    assert counted.bytes < path.stat().st_size // 4


@pytest.mark.parametrize("size", [1000, 5000, 16_000, 17_000, 40_000, 1_200_000])
@pytest.mark.parametrize("chunk_bytes", [4096, 1 << 20])
def test_messages_of_every_length_are_those_of_a_compressed_file(
    tmp_path: Path, size: int, chunk_bytes: int
) -> None:
    rng = np.random.default_rng(size)
    count = max(3, min(300, 4_000_000 // size))
    messages: list[Message] = []
    for k in range(count):
        pixels = rng.integers(0, 256, (1, int(rng.integers(size // 2, size))), np.uint8)
        messages.append(bags.image("/camera", START_NS + k * 10 * MS, pixels, "mono8"))
        messages.extend(rows(count)[k : k + 1])
    found = []
    for compression in ("none", "lz4"):
        path = tmp_path / f"{compression}.mcap"
        bags.write_mcap(path, messages, compression=compression, chunk_bytes=chunk_bytes)
        container = McapFile(path, SourceReport())
        columns = [s.columns for s in container.stretches(["/camera", "/imu"])]
        found.append(
            {
                topic: [
                    (log_ns, bytes(data))
                    for each in columns
                    if topic in each
                    for log_ns, data in zip(*each[topic], strict=True)
                ]
                for topic in ("/camera", "/imu")
            }
        )
        container.close()
    assert [len(messages) for messages in found[0].values()] == [count, count]
    assert found[0] == found[1]


def test_a_long_record_beyond_the_end_of_its_chunk_is_damage(tmp_path: Path) -> None:
    pixels = np.zeros((100, 400), np.uint8)
    frames = [bags.image("/camera", START_NS + k * MS, pixels, "mono8") for k in range(4)]
    path = bags.write_mcap(tmp_path / "a.mcap", frames, chunk_bytes=90_000)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"\x05" + (len(bags.serialize(frames[3])) + 22).to_bytes(8, "little"))
    data[place + 1 : place + 9] = (10**6).to_bytes(8, "little")
    path.write_bytes(data)
    source = open_source(path)
    assert len(read_all(source)) == 3
    assert any("damaged chunk" in note for note in reading_notes(source))


@pytest.mark.parametrize("write", ["mcap", "ros1"])
def test_the_beginning_is_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    if write == "mcap":
        path = bags.write_mcap(tmp_path / "a.mcap", rows(300), compression="lz4")
    else:
        path = bags.write_ros1(tmp_path / "a.bag", rows(300), "lz4", chunk_bytes=4096)
    module = mcap_index if write == "mcap" else ros1_index
    unpacked: list[bytes] = []

    def counted(packed: bytes | memoryview, limit: int) -> bytes:
        unpacked.append(bytes(packed))
        return unpacked_lz4(packed, limit)

    monkeypatch.setattr(module, "unpacked_lz4", counted)
    with open_source(path) as source:
        kept = read_all(source)
    assert len(unpacked) == len(set(unpacked)) > 10
    monkeypatch.setattr(containers, "FIRST_CHUNKS_BYTES", 2 * 4096)
    with open_source(path) as source:
        fresh = read_all(source)
    assert len(unpacked) > 2 * len(set(unpacked))
    assert plain(kept) == plain(fresh)


@pytest.mark.parametrize("write", [bags.write_mcap, bags.write_ros1])
@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_messages_do_not_keep_what_was_not_selected_in_memory(
    tmp_path: Path, write: Callable[..., Path], compression: str
) -> None:
    pixels = {"/big": np.zeros((90, 1000), np.uint8), "/small": np.zeros((6, 1000), np.uint8)}
    frames = [
        bags.image(topic, START_NS + k * MS, pixels[topic], "mono8")
        for k in range(40)
        for topic in ("/big", "/small")
    ]
    path = write(tmp_path / "a", frames, compression=compression, chunk_bytes=1 << 20)
    views = bytes if write is bags.write_mcap and compression == "none" else memoryview
    for topics, kind in ((["/small"], bytes), (["/big", "/small"], views)):
        container = (McapFile if write is bags.write_mcap else Ros1File)(path, SourceReport())
        data = [d for s in container.stretches(topics) for c in s.columns.values() for d in c.data]
        assert len(data) == 40 * len(topics)
        assert {type(each) for each in data} == {kind}
        container.close()


def test_receive_times_that_stand_still_do_not_gather_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "HELD_MESSAGES", 20)
    messages = [bags.imu("/imu", 0, [k] * 6, stamp_ns=k + 1) for k in range(900)]
    source = open_source(bags.write_mcap(tmp_path / "a.mcap", messages))
    blocks = source.blocks(all_streams(source), "stamp")
    next(iter(blocks))
    assert 0 < source.progress() < 0.1
    assert sum(len(b.stamps_ns) for b in blocks if isinstance(b, SampleBlock)) > 800


def test_chunks_that_overlap_are_merged_by_receive_time(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(300)
    path = bags.write_mcap(tmp_path / "a.mcap", [rows(300, 1)[k] for k in order])
    assert first_column(path) == list(range(300))


@given(keep=st.floats(0, 1))
def test_a_cut_file_gives_what_is_before_the_cut(
    keep: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = bags.write_mcap(folder / "a.mcap", rows(60)).read_bytes()
    path = folder / "cut.mcap"
    path.write_bytes(whole[: 8 + int(keep * (len(whole) - 9))])
    source = open_source(path)
    blocks = [block for block in read_all(source) if isinstance(block, SampleBlock)]
    values = [x for block in blocks for x in block.values[:, 0]]
    assert values == list(range(len(values)))
    assert len(values) == 60 or any("truncated" in note for note in source.report.notes)


def test_a_cut_file_loses_no_whole_chunk(tmp_path: Path) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", rows(200))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    per_chunk = 4096 // 350 + 1
    assert 100 - 3 * per_chunk < len(first_column(path)) <= 100


@pytest.mark.parametrize("compression", ["none", "zstd", "lz4"])
def test_a_damaged_chunk_is_skipped_and_noted(tmp_path: Path, compression: str) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", rows(200), compression=compression)
    source = open_source(path)
    with source:
        place = source._container._index.chunks[1]  # type: ignore[attr-defined]
    data = bytearray(path.read_bytes())
    start, end = place.position + 60, place.position + place.length
    data[start:end] = b"\xff" * (end - start)
    path.write_bytes(data)
    source = open_source(path)
    values = [x for b in read_all(source) if isinstance(b, SampleBlock) for x in b.values[:, 0]]
    missing = sorted(set(range(200)) - set(values))
    assert 0 < len(missing) < 60
    assert missing == list(range(missing[0], missing[-1] + 1))
    assert reading_notes(source) == [
        f"a.mcap: the chunk at byte {place.position} is skipped: "
        + ("damaged chunk" if compression == "none" else "damaged compression")
    ]


@given(data=st.data())
def test_mutated_files_are_read_or_refused(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mutated")
    compression = data.draw(st.sampled_from(["none", "zstd"]))
    whole = bytearray(
        bags.write_mcap(folder / "a.mcap", rows(30), compression=compression).read_bytes()
    )
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(8, len(whole) - 1))
        whole[place] ^= data.draw(st.integers(1, 255))
    path = folder / "b.mcap"
    path.write_bytes(whole)
    source = open_source(path)
    total = sum(len(b.stamps_ns) for b in read_all(source) if isinstance(b, SampleBlock))
    assert total <= 60


def test_unknown_channels_do_not_disturb_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    writer = McapWriter(str(path), compression=CompressionType.NONE)
    writer.start("ros2", "tests")
    odd = writer.register_channel("/odd", "json", 0)
    schema = writer.register_schema("strange_msgs/msg/Thing", "ros2idl", b"\xff not idl")
    strange = writer.register_channel("/strange", "cdr", schema)
    named = writer.register_schema(bags.IMU, "", b"")
    imu = writer.register_channel("/imu", "cdr", named)
    for k, message in enumerate(rows(5)):
        writer.add_message(odd, message.log_ns, b"{", message.log_ns, k)
        writer.add_message(strange, message.log_ns, b"\0", message.log_ns, k)
        writer.add_message(imu, message.log_ns, bags.serialize(message), message.log_ns, k)
    writer.finish()  # type: ignore[no-untyped-call]
    source = open_source(path)
    infos = {info.name: info for info in source.streams()}
    assert infos["/odd"].kind is infos["/strange"].kind is StreamKind.OTHER
    assert infos["/odd"].note == "a topic without type is not a sense"
    assert infos["/strange"].note == "strange_msgs/msg/Thing is not a sense"
    assert first_column(path) == [0, 1, 2, 3, 4]


def test_malformed_messages_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    writer = McapWriter(str(path), compression=CompressionType.NONE)
    writer.start("ros2", "tests")
    schema = writer.register_schema(bags.IMU, "", b"")
    channel = writer.register_channel("/imu", "cdr", schema)
    for k, message in enumerate(rows(6)):
        data = bags.serialize(message)
        data = {1: data[:50], 2: b"", 3: b"\x09" + data}.get(k, data)
        writer.add_message(channel, message.log_ns, data, message.log_ns, k)
    writer.finish()  # type: ignore[no-untyped-call]
    source = open_source(path)
    (block,) = read_all(source)
    assert isinstance(block, SampleBlock)
    assert block.values[:, 0].tolist() == [0, 4, 5]
    assert source.report.skipped == {"/imu": {"malformed message": 1, "unknown encapsulation": 2}}


def test_receive_times_beyond_int64_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    writer = McapWriter(str(path), compression=CompressionType.NONE)
    writer.start("ros2", "tests")
    schema = writer.register_schema(bags.IMU, "", b"")
    channel = writer.register_channel("/imu", "cdr", schema)
    for message in rows(3):
        writer.add_message(channel, 2**63, bags.serialize(message), 0)
    writer.add_message(channel, 2**63 - 1, bags.serialize(rows(3)[0]), 0)
    writer.finish()  # type: ignore[no-untyped-call]
    source = open_source(path)
    assert sum(len(row) for row in plain(read_all(source))) > 0
    assert source.report.skipped["/imu"]["receive time out of range"] == 3


def test_not_an_mcap_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(b"something else entirely")
    with pytest.raises(SourceError, match=r"not an MCAP file, it begins with b'somethin'"):
        McapFile(path, SourceReport())
