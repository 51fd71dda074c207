# SPDX-License-Identifier: Apache-2.0
"""How the messages of a recorded topic become messages that can be published here."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore

from sensebind.config import StreamConfig
from sensebind.sources.bags.containers import first_messages
from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.messages.senses import SENSES, full_type_name
from sensebind.sources.messages.wire import DecodeError
from sensebind.types import Modality
from sensebind_ros.block_messages import BlockWriter, message_type_of
from sensebind_ros.reading import make_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rosbags.typesys.store import Typestore

    from sensebind.sources.bags.containers import Container, Payload, Topic
    from sensebind_ros.reading import Reader

    Translate = Callable[[Payload], bytes]

_MODALITIES = {StreamKind.UNIFORM: Modality.AUDIO, StreamKind.FRAMES: Modality.VISION}
"""Senses that are written anew where their type is not installed, and what reads them: frames are
not decoded, so that any camera will do. IMU types are always installed."""


class Translation(NamedTuple):
    """What is published of a topic, and how it is made of the recorded bytes.

    Attributes:
        message_type: of what is published.
        translate: recorded bytes to CDR bytes; raises DecodeError, and nothing else.
        is_sense: whether it can be encoded.
    """

    message_type: str
    translate: Translate
    is_sense: bool


def translation(
    topic: Topic,
    is_installed: Callable[[str], bool],
    infos: Sequence[Topic],
    container: Container,
) -> Translation | str:
    """How a topic is played, or why it cannot be.

    Args:
        topic: as recorded.
        is_installed: tells whether messages of a type can be published.
        infos: topics of the recording that tell the format of sound.
        container: the recording.
    """
    name = full_type_name(topic.message_type)
    if topic.wire not in ("cdr", "ros1"):
        return f"its messages are serialized as {topic.wire}"
    to_cdr: Translate = bytes
    if topic.wire == "ros1":
        store = _store_of(topic)
        if name not in store.fielddefs:
            return f"the definition of {name} is not recorded"
        to_cdr = _from_ros1(store, name)
    if is_installed(name):
        return Translation(name, to_cdr, name in SENSES)
    sense = SENSES.get(name)
    modality = None if sense is None else _MODALITIES.get(sense.kind)
    if sense is None or modality is None or not sense.stamped:
        return f"messages of type {name} are not installed"
    info = StreamInfo(topic.name, sense.kind, name, _encoding_of(name))
    written = message_type_of(info)
    if not is_installed(written):
        return f"messages of type {name} are not installed, and {written} neither"
    reader = make_reader(topic.name, name, StreamConfig(modality=modality))
    if modality is Modality.AUDIO:
        _learn(reader, topic, infos, container)
    return Translation(written, _anew(reader, to_cdr), is_sense=True)


def _encoding_of(name: str) -> str:
    return "jpeg" if name.endswith("CompressedImage") else ""


def _anew(reader: Reader, to_cdr: Translate) -> Translate:
    """Read a sense and write it as a message of ours."""
    writer = BlockWriter()

    def translate(data: Payload) -> bytes:
        block = reader.block(to_cdr(data))
        written = list(writer.messages(block)) if block is not None else []
        if not written:
            raise DecodeError("its stamp is out of range")
        return written[0].data

    return translate


def _learn(reader: Reader, topic: Topic, infos: Sequence[Topic], container: Container) -> None:
    """Tell a reader of sound its format: of the AudioInfo beside it, or the only one there is."""
    folder = topic.name.rpartition("/")[0]
    beside = [each for each in infos if each.name.rpartition("/")[0] == folder]
    for info in beside[:1] or (infos if len(infos) == 1 else []):
        to_cdr: Translate = bytes
        if info.wire == "ros1":
            to_cdr = _from_ros1(_store_of(info), full_type_name(info.message_type))
        with suppress(DecodeError):  # told by the messages themselves, one by one
            for message in first_messages(container, info.name, 1):
                reader.learn(to_cdr(message.data))


def _store_of(topic: Topic) -> Typestore:
    """ROS 2's types and those that a ROS 1 topic's definition adds; headers are ROS 2's."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    if topic.wire == "ros1" and topic.definition:
        try:
            text = topic.definition.decode("utf-8", "replace")
            types = get_types_from_msg(text, full_type_name(topic.message_type))
        except TypesysError:
            return store
        store.register({name: t for name, t in types.items() if name not in store.fielddefs})
    return store


def _from_ros1(store: Typestore, name: str) -> Translate:
    def translate(data: Payload) -> bytes:
        try:
            return bytes(store.ros1_to_cdr(data, name))
        except Exception as error:
            raise DecodeError("malformed message") from error

    return translate
