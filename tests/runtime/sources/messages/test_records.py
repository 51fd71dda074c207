# SPDX-License-Identifier: Apache-2.0
"""JSON, protobuf and types a recording defines itself, through files written by others' code."""

from __future__ import annotations

import base64
import json
import sys
from struct import pack
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st
from mcap.writer import Writer

from sensebind.config import StreamConfig
from sensebind.sources import open_source
from sensebind.sources.base import StreamKind, without_breaks
from sensebind.sources.mapping import map_streams
from sensebind.sources.messages.records import content_of, find_sense
from sensebind.sources.messages.structure import MessageLayout
from sensebind.sources.messages.wire import DecodeError
from sensebind.types import FrameBlock, Modality, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sensebind.types import Block

STAMP_NS = 1_700_000_000_250_000_000
SECONDS, NANOSECONDS = divmod(STAMP_NS, 1_000_000_000)
PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
STAMP = {"sec": SECONDS, "nsec": NANOSECONDS}
SEPARATOR = "=" * 80


def vector(*values: float) -> dict[str, float]:
    return dict(zip("xyz", values, strict=True))


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def write(
    path: Path, encoding: str, channels: Iterable[tuple[str, str, str, bytes, bytes]]
) -> Path:
    """An .mcap file; channels are topic, type, schema format, schema and one message."""
    writer = Writer(str(path))
    writer.start()
    for topic, message_type, layout, schema, message in channels:
        number = writer.register_schema(message_type, layout, schema)
        channel = writer.register_channel(topic, encoding, number)
        writer.add_message(channel, STAMP_NS + 5, message, STAMP_NS + 5)
    writer.finish()  # type: ignore[no-untyped-call]
    return path


def read(path: Path, **modalities: str) -> dict[str, Block]:
    """The block of each stream asked for; streams are named without their slash."""
    source = open_source(path)
    configs = {f"/{n}": StreamConfig(modality=Modality(m)) for n, m in modalities.items()}
    return {block.stream[1:]: block for block in without_breaks(source.blocks(configs, "stamp"))}


IMAGE = {"timestamp": STAMP, "frame_id": "c", "width": 4, "height": 2, "encoding": "rgb8",
         "step": 12, "data": base64_of(PIXELS.tobytes())}  # fmt: skip
AUDIO = {"timestamp": STAMP, "format": "pcm-s16", "sample_rate": 8000, "number_of_channels": 2,
         "data": base64_of(pack("<4h", 16384, 0, -16384, 0))}  # fmt: skip
JPEG = b"\xff\xd8\xff\xe0" + bytes(9)
IMU = {"header": {"stamp": {"sec": SECONDS, "nanosec": NANOSECONDS}},
       "linear_acceleration": vector(1, 2, 3), "angular_velocity": vector(4, 5, 6)}  # fmt: skip
VIDEO = {"timestamp": STAMP, "frame_id": "", "data": "", "format": "h264"}


def json_file(path: Path) -> Path:
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("/image", "foxglove.RawImage", IMAGE),
        ("/audio", "foxglove.RawAudio", AUDIO),
        ("/jpeg", "foxglove.CompressedImage",
         {"timestamp": STAMP, "frame_id": "", "data": base64_of(JPEG), "format": "jpeg"}),
        ("/imu", "sensor_msgs/Imu", IMU),
        ("/own", "robot.State", {"battery": 0.5, "body": {"imu": IMU}}),
        ("/video", "foxglove.CompressedVideo", VIDEO),
        ("/log", "foxglove.Log", {"message": "linear_acceleration"}),
    ]  # fmt: skip
    return write(
        path,
        "json",
        [
            (topic, name, "jsonschema", json.dumps(dict.fromkeys(_names(row))).encode(),
             json.dumps(row).encode())
            for topic, name, row in rows
        ],
    )  # fmt: skip


def _names(row: dict[str, Any]) -> Iterable[str]:
    for name, value in row.items():
        yield name
        if isinstance(value, dict):
            yield from _names(value)


def check(blocks: dict[str, Block]) -> None:
    image, audio, imu, jpeg = (blocks[name] for name in ("image", "audio", "imu", "jpeg"))
    assert isinstance(image, FrameBlock)
    assert (image.frame.encoding, image.frame.width, image.frame.height) == ("rgb8", 4, 2)
    assert bytes(image.frame.data) == PIXELS.tobytes()
    assert isinstance(jpeg, FrameBlock)
    assert (jpeg.frame.encoding, bytes(jpeg.frame.data)) == ("jpeg", JPEG)
    assert isinstance(audio, UniformBlock)
    assert (audio.rate_hz, audio.values.tolist()) == (8000, [[0.5, 0], [-0.5, 0]])
    assert isinstance(imu, SampleBlock)
    assert imu.values.tolist() == [[1, 2, 3, 4, 5, 6]]
    assert imu.stamps_ns.tolist() == [STAMP_NS]
    assert image.stamp_ns == audio.stamp_ns == jpeg.stamp_ns == STAMP_NS


ALL = {"image": "vision", "audio": "audio", "imu": "imu", "jpeg": "vision"}


def test_json(tmp_path: Path) -> None:
    path = json_file(tmp_path / "a.mcap")
    check(read(path, **ALL))
    own = read(path, own="imu")["own"]
    assert isinstance(own, SampleBlock)
    assert (own.values.tolist(), own.stamps_ns.tolist()) == ([[1, 2, 3, 4, 5, 6]], [STAMP_NS])


def test_an_inner_stamp_of_0_gives_way_to_the_outer_one() -> None:
    inner = {"header": {"stamp": {"sec": 0, "nanosec": 0}}} | {
        name: {"x": 1.0, "y": 2.0, "z": 3.0} for name in ("linear_acceleration", "angular_velocity")
    }
    record = {"header": IMU["header"], "imu": inner}
    found = find_sense(record)
    assert found is not None
    assert content_of(record, found) == (STAMP_NS, (1, 2, 3, 1, 2, 3))


def test_what_is_told_of_types_one_by_one(tmp_path: Path) -> None:
    mapping = map_streams(open_source(json_file(tmp_path / "a.mcap")).streams(), set(Modality), {})
    told = {d.stream: (d.used, d.reason) for d in mapping.decisions}
    assert told["/audio"] == (True, "foxglove.RawAudio is audio (S16LE, 8000 Hz, 2 channels)")
    assert told["/image"] == (True, "encoding rgb8")
    assert told["/own"] == (
        False,
        "robot.State has the fields of an Imu in 'body.imu'; such types are read on request only",
    )
    assert told["/log"] == (False, "foxglove.Log is not a sense")
    used, reason = told["/video"]
    assert not used
    assert "coded video" in reason
    assert "ffmpeg -i video.h264" in reason


def proto_file(fields: dict[str, dict[str, str]]) -> descriptor_pb2.FileDescriptorSet:
    """Message types in one proto3 file: their fields' types by name."""
    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {"string": kinds.TYPE_STRING, "bytes": kinds.TYPE_BYTES, "double": kinds.TYPE_DOUBLE,
               "fixed32": kinds.TYPE_FIXED32, "int64": kinds.TYPE_INT64}  # fmt: skip
    file = descriptor_pb2.FileDescriptorProto(name="a.proto", package="foxglove", syntax="proto3")
    for message_type, parts in fields.items():
        message = file.message_type.add(name=message_type)
        for number, (name, kind) in enumerate(parts.items(), 1):
            field = message.field.add(name=name, number=number, label=kinds.LABEL_OPTIONAL)
            field.type = scalars.get(kind, kinds.TYPE_MESSAGE)
            if kind not in scalars:
                field.type_name = f".foxglove.{kind}"
    return descriptor_pb2.FileDescriptorSet(file=[file])


PROTO = proto_file({
    "Time": {"seconds": "int64", "nanos": "fixed32"},
    "Vector3": {"x": "double", "y": "double", "z": "double"},
    "Imu": {"timestamp": "Time", "linear_acceleration": "Vector3", "angular_velocity": "Vector3"},
    "RawImage": {"timestamp": "Time", "frame_id": "string", "width": "fixed32",
                 "height": "fixed32", "encoding": "string", "step": "fixed32", "data": "bytes"},
    "CompressedImage": {"timestamp": "Time", "frame_id": "string", "data": "bytes",
                        "format": "string"},
    "RawAudio": {"timestamp": "Time", "data": "bytes", "format": "string",
                 "sample_rate": "fixed32", "number_of_channels": "fixed32"},
})  # fmt: skip


def protobuf_file(path: Path) -> Path:
    pool = DescriptorPool()
    pool.Add(PROTO.file[0])

    def made(message_type: str, **values: Any) -> bytes:
        cls = GetMessageClass(pool.FindMessageTypeByName(f"foxglove.{message_type}"))
        stamp = {"seconds": SECONDS, "nanos": NANOSECONDS}
        return bytes(cls(timestamp=stamp, **values).SerializeToString())

    def row(topic: str, message_type: str, **values: Any) -> tuple[str, str, str, bytes, bytes]:
        schema = PROTO.SerializeToString()
        message = made(message_type, **values)
        return topic, f"foxglove.{message_type}", "protobuf", schema, message

    image = {key: IMAGE[key] for key in ("width", "height", "encoding", "step")}
    audio = {key: AUDIO[key] for key in ("format", "sample_rate", "number_of_channels")}
    vectors = {key: IMU[key] for key in ("linear_acceleration", "angular_velocity")}
    return write(path, "protobuf", [
        row("/image", "RawImage", data=PIXELS.tobytes(), **image),
        row("/audio", "RawAudio", data=pack("<4h", 16384, 0, -16384, 0), **audio),
        row("/jpeg", "CompressedImage", data=JPEG, format="jpeg"),
        row("/imu", "Imu", **vectors),
    ])  # fmt: skip


def test_protobuf(tmp_path: Path) -> None:
    check(read(protobuf_file(tmp_path / "a.mcap"), **ALL))


def test_without_its_packages_protobuf_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcap_protobuf.decoder", None)
    infos = open_source(protobuf_file(tmp_path / "a.mcap")).streams()
    assert {info.kind for info in infos} == {StreamKind.OTHER}
    assert infos[0].note.endswith("Install them with: pip install 'sensebind[foxglove]'")


def test_a_definition_that_is_none_says_so(tmp_path: Path) -> None:
    schema = b"linear_acceleration[ angular_velocity"
    rows = [("/a", "foxglove.Imu", "protobuf", schema, b"")]
    (info,) = open_source(write(tmp_path / "a.mcap", "protobuf", rows)).streams()
    assert info.note == "foxglove.Imu cannot be read: its definition cannot be understood"
    rows = [("/a", "my_msgs/msg/Imu", "ros2msg", schema, b"")]
    (info,) = open_source(write(tmp_path / "b.mcap", "cdr", rows)).streams()
    assert info.note == "my_msgs/msg/Imu cannot be read: its definition cannot be understood"


STATE = f"""std_msgs/Header header
string[] names
float32[3] matrix
Part[] parts
geometry_msgs/Vector3 linear_acceleration
geometry_msgs/Vector3 angular_velocity
{SEPARATOR}
MSG: my_msgs/Part
uint8 a
float64 b
{SEPARATOR}
MSG: geometry_msgs/Vector3
float64 x
float64 y
float64 z
"""


def state_message(*, ros1: bool = False) -> bytes:
    """A my_msgs/State by hand: CDR aligns to sizes, ROS 1 packs and begins with a number."""
    head = b"" if ros1 else b"\x00\x01\x00\x00"
    body = bytearray(pack("<I", 7) if ros1 else b"")

    def put(layout: str, *values: Any, size: int = 4) -> None:
        if not ros1:
            body.extend(bytes(-len(body) % size))
        body.extend(pack("<" + layout, *values))

    def text(value: bytes) -> None:
        value = value if ros1 else value + b"\0"
        put("I", len(value))
        body.extend(value)

    put("iI", SECONDS, NANOSECONDS)
    text(b"base")
    put("I", 2)
    text(b"a")
    text(b"bcd")
    put("3f", 1, 2, 3)
    put("I", 2)
    for k in range(2):
        put("B", k, size=1)
        put("d", k, size=8)
    for value in range(1, 7):
        put("d", value, size=8)
    return head + bytes(body)


@pytest.mark.parametrize("ros1", [False, True])
def test_types_of_the_recordings_own(tmp_path: Path, ros1: bool) -> None:
    wire, layout = ("ros1", "ros1msg") if ros1 else ("cdr", "ros2msg")
    name = "my_msgs/State" if ros1 else "my_msgs/msg/State"
    rows = [("/state", name, layout, STATE.encode(), state_message(ros1=ros1))]
    path = write(tmp_path / "a.mcap", wire, rows)
    (info,) = open_source(path).streams()
    assert info.kind is StreamKind.SAMPLES
    assert info.on_request.endswith("the fields of an Imu; such types are read on request only")
    block = read(path, state="imu")["state"]
    assert isinstance(block, SampleBlock)
    assert (block.values.tolist(), block.stamps_ns.tolist()) == ([[1, 2, 3, 4, 5, 6]], [STAMP_NS])


def test_every_truncation_of_an_own_type_is_a_cause() -> None:
    layout = MessageLayout("my_msgs/msg/State", STATE.encode(), "ros2msg")
    data = state_message()
    assert layout.read(data, "cdr")["names"] == ["a", "bcd"]
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            layout.read(data[:length], "cdr")


def test_types_within_themselves_and_many_parts_are_causes() -> None:
    layout = MessageLayout("a/msg/A", b"A[] more\n", "ros2msg")
    with pytest.raises(DecodeError, match="too many parts"):
        layout.read(b"\x00\x01\x00\x00" + b"\xff" * 4, "cdr")
    with pytest.raises(DecodeError, match="its definition lacks a/msg/A"):
        layout.read(b"\x00\x01\x00\x00" + b"\x01\x00\x00\x00" * 40, "cdr")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*IMAGE, *AUDIO, *IMU, *"xyz", "sec"]), inner, max_size=8)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from([*IMAGE, *AUDIO, *IMU]), json_values, max_size=8))
def test_any_record_is_a_sense_or_a_cause(changes: dict[str, Any]) -> None:
    for record in (IMAGE, AUDIO, IMU, {}):
        changed = {**record, **changes}
        found = find_sense(changed)
        if found is None:
            continue
        try:
            stamp_ns, _ = content_of(changed, found)
        except DecodeError:
            continue
        assert isinstance(stamp_ns, int)
