# SPDX-License-Identifier: Apache-2.0
"""Senses found in messages by their fields: JSON, protobuf and types a recording defines itself.

A message is a nested dictionary here. It holds a sense where it, or a part of it at most three
levels down, has the fields of an Imu (`linear_acceleration` and `angular_velocity` with x y z), an
Image (`width`, `height`, `encoding`, `data`), a RawAudio (`data`, `sample_rate`, `format`) or a
CompressedImage (`data`, `format`). The stamp is the `header.stamp`, `stamp` or `timestamp` beside
them, or the next one outside that is not 0.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sensebind.errors import MissingExtraError
from sensebind.grid import NS_PER_S
from sensebind.sources.base import StreamKind
from sensebind.sources.messages.cdr import Row, file_frame, raw_frame
from sensebind.sources.messages.compressed_depth import depth_frame
from sensebind.sources.messages.pcm import Sound, pcm_format
from sensebind.sources.messages.senses import full_type_name
from sensebind.sources.messages.structure import MessageLayout
from sensebind.sources.messages.wire import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sensebind.sources.bags.containers import Topic
    from sensebind.sources.messages.structure import Record
    from sensebind.sources.messages.wire import Wire
    from sensebind.types import Frame

    Content = Row | Frame | Sound
    RecordReader = Callable[[bytes | memoryview, Wire], Record]

_DEEPEST = 3
_SECONDS = ("sec", "secs", "seconds")
_NANOSECONDS = ("nanosec", "nsec", "nsecs", "nanos")
_RATES = ("sample_rate", "rate_hz")
_CHANNELS = ("number_of_channels", "channels")


class Found(NamedTuple):
    """A sense in a message: which one, and the names that lead to it from outside."""

    layout: str
    path: tuple[str, ...]


def record_reader(topic: Topic) -> RecordReader:
    """What turns the serialized messages of a topic into records.

    Raises:
        DecodeError: if the recording tells too little about them.
        MissingExtraError: if a package is needed that is not installed.
    """
    if topic.wire == "json":
        return _read_json
    if topic.wire == "protobuf":
        return _protobuf_reader(topic)
    name = full_type_name(topic.message_type)
    return MessageLayout(name, topic.definition, topic.definition_format).read


def find_sense(record: Record) -> Found | None:
    """The outermost sense in a record, the first of the level."""
    level: list[tuple[tuple[str, ...], Record]] = [((), record)]
    for _ in range(_DEEPEST + 1):
        for path, part in level:
            for name, (fits, _, _) in _LAYOUTS.items():
                if fits(part):
                    return Found(name, path)
        level = [
            ((*path, name), value)
            for path, part in level
            for name, value in part.items()
            if isinstance(value, dict)
        ]
    return None


def kind_of(found: Found) -> StreamKind:
    """How streams of a layout are stamped."""
    return _LAYOUTS[found.layout][1]


def content_of(record: Record, found: Found) -> tuple[int, Content]:
    """Stamp in ns (0 if none) and content of a record in which `found` was found before.

    Raises:
        DecodeError: if this one lacks it.
    """
    fits, _, read = _LAYOUTS[found.layout]
    parts = [record]
    for name in found.path:
        inner = parts[-1].get(name)
        parts.append(inner if isinstance(inner, dict) else {})
    if not fits(parts[-1]):
        raise DecodeError("malformed message")
    stamps = (_stamp_ns(part) for part in reversed(parts))
    try:
        return next((stamp for stamp in stamps if stamp), 0), read(parts[-1])
    except (TypeError, ValueError, OverflowError):
        raise DecodeError("malformed message") from None


def may_hold_sense(topic: Topic) -> bool:
    """Whether the names of the fields of some layout are in the type's definition."""
    return any(
        all(name.encode() in topic.definition for name in names) for names in _NEEDED_NAMES
    ) or (topic.wire == "json" and not topic.definition)


def _read_json(data: bytes | memoryview, wire: Wire) -> Record:
    del wire
    try:
        record = json.loads(bytes(data))
    except (ValueError, RecursionError):
        raise DecodeError("malformed message") from None
    if not isinstance(record, dict):
        raise DecodeError("malformed message")
    return record


def _protobuf_reader(topic: Topic) -> RecordReader:
    try:
        from google.protobuf.message import DecodeError as ProtobufError
        from mcap.exceptions import McapError
        from mcap.records import Schema
        from mcap_protobuf.decoder import DecoderFactory
    except ImportError:
        raise MissingExtraError("reading protobuf messages", "foxglove") from None
    schema = Schema(
        id=1, data=topic.definition, encoding=topic.definition_format, name=topic.message_type
    )
    try:
        decode = DecoderFactory().decoder_for("protobuf", schema)
    except (ProtobufError, McapError, TypeError, KeyError, RecursionError):
        decode = None
    if decode is None:
        raise DecodeError("its definition cannot be understood")

    def read(data: bytes | memoryview, wire: Wire) -> Record:
        del wire
        try:
            return _plain(decode(bytes(data)), 0)
        except (ProtobufError, RecursionError):
            raise DecodeError("malformed message") from None

    return read


def _plain(message: Any, depth: int) -> Record:  # noqa: ANN401 - generated protobuf classes
    """A protobuf message as a dictionary, sequences of messages left out."""
    return {
        field.name: (
            _plain(getattr(message, field.name), depth + 1)
            if field.message_type is not None
            else getattr(message, field.name)
        )
        for field in message.DESCRIPTOR.fields
        if not (field.message_type is not None and (field.is_repeated or depth > _DEEPEST))
    }


def _stamp_ns(part: Record) -> int | None:
    header = part.get("header")
    holders = (header if isinstance(header, dict) else {}, part)
    stamps = (holder.get(name) for holder in holders for name in ("stamp", "timestamp"))
    for stamp in stamps:
        if isinstance(stamp, dict):
            return _whole(stamp, _SECONDS) * NS_PER_S + _whole(stamp, _NANOSECONDS)
    return None


def _whole(stamp: Record, names: tuple[str, ...]) -> int:
    value = next((stamp[name] for name in names if name in stamp), 0)
    try:
        whole = int(value)
    except (TypeError, ValueError, OverflowError):
        raise DecodeError("malformed message") from None
    if abs(whole) >= 1 << 40:
        raise DecodeError("malformed message")
    return whole


def _octets(value: object) -> bytes | memoryview:
    """Bytes as they come: as they are, in base64, or as a list of numbers."""
    if isinstance(value, bytes | memoryview):
        return value
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise DecodeError("malformed message") from None
    if isinstance(value, list):
        return bytes(value)
    raise DecodeError("malformed message")


def _is_octets(value: object) -> bool:
    return isinstance(value, bytes | memoryview | str | list)


def _is_vector(value: object) -> bool:
    return isinstance(value, dict) and {"x", "y", "z"} <= value.keys()


def _is_imu(part: Record) -> bool:
    return _is_vector(part.get("linear_acceleration")) and _is_vector(part.get("angular_velocity"))


def _is_image(part: Record) -> bool:
    sizes = (part.get("width"), part.get("height"))
    whole = all(isinstance(size, int) for size in sizes)
    return whole and isinstance(part.get("encoding"), str) and _is_octets(part.get("data"))


def _is_audio(part: Record) -> bool:
    return any(name in part for name in _RATES) and _is_compressed(part)


def _is_compressed(part: Record) -> bool:
    return isinstance(part.get("format"), str) and _is_octets(part.get("data"))


def _imu(part: Record) -> Row:
    vectors = (part["linear_acceleration"], part["angular_velocity"])
    return tuple(float(vector[axis]) for vector in vectors for axis in "xyz")


def _image(part: Record) -> Frame:
    width, height, step = part["width"], part["height"], int(part.get("step") or 0)
    pixels = _octets(part["data"])
    if not (0 <= width < 1 << 31 and 0 <= height < 1 << 31 and 0 <= step < 1 << 31):
        raise DecodeError("malformed message")
    big_endian = bool(part.get("is_bigendian"))
    return raw_frame(pixels, part["encoding"], width, height, step, big_endian=big_endian)


def _audio(part: Record) -> Sound:
    rate_hz = float(next(part[name] for name in _RATES if name in part))
    channels = int(next((part[name] for name in _CHANNELS if name in part), 1))
    layout = pcm_format(rate_hz, channels, part["format"])
    return Sound(memoryview(_octets(part["data"])), layout)


def _compressed(part: Record) -> Frame:
    picture = _octets(part["data"])
    if "compressedDepth" in part["format"]:
        return depth_frame(part["format"], memoryview(picture))
    return file_frame(picture)


_LAYOUTS: dict[str, tuple[Callable[[Record], bool], StreamKind, Callable[[Record], Content]]] = {
    "Imu": (_is_imu, StreamKind.SAMPLES, _imu),
    "Image": (_is_image, StreamKind.FRAMES, _image),
    "RawAudio": (_is_audio, StreamKind.UNIFORM, _audio),
    "CompressedImage": (_is_compressed, StreamKind.FRAMES, _compressed),
}
_NEEDED_NAMES = (
    ("linear_acceleration", "angular_velocity"),
    ("width", "height", "encoding", "data"),
    ("format", "data"),
)


def parts_of(found: Found) -> str:
    """Say what was found where: "the fields of an Imu in 'imu'"."""
    article = "an" if found.layout[0] in "AEIOU" else "a"
    where = f" in {'.'.join(found.path)!r}" if found.path else ""
    return f"the fields of {article} {found.layout}{where}"


def sense_in(records: Iterator[Record]) -> Found | None:
    """The sense in the first record that has one."""
    return next((found for record in records if (found := find_sense(record))), None)
