# SPDX-License-Identifier: Apache-2.0
"""The channels of a recording: topics, message types and what their frames have in common."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sensebind.recording import BREAK_TOPIC, PICTURE_KEY, STREAM_KEY, PictureFacts
from sensebind.sinks.mcap import topic_part
from sensebind.sinks.raw.mcap_stream import MOST_CHANNELS
from sensebind.storage import data_folder

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

    from sensebind.sinks.raw.mcap_stream import McapStream

IMU = "sensor_msgs/msg/Imu"
IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
AUDIO_BLOCK = "sensebind_msgs/msg/AudioBlock"
STRING = "std_msgs/msg/String"


class Channels:
    """Channel ids of a file, which are declared in it when they are first needed."""

    def __init__(self, stream: McapStream) -> None:
        self._stream = stream
        self._schemas: dict[str, int] = {}
        self._channels: dict[tuple[str, str, PictureFacts | None], int] = {}
        self._topics: dict[tuple[str, str], str] = {}

    def of_breaks(self) -> int:
        """The channel of the breaks in all streams."""
        key = ("", STRING, None)
        if key not in self._channels:
            self._channels[key] = self._stream.add_channel(BREAK_TOPIC, self._schema(STRING), {})
        return self._channels[key]

    def of(self, stream: str, message_type: str, facts: PictureFacts | None = None) -> int:
        """The channel of a stream's messages of a type, and of frames with these facts.

        Raises:
            OSError: if it cannot be declared.
            ValueError: if there are too many.
        """
        key = (stream, message_type, facts)
        if key not in self._channels:
            if len(self._channels) >= MOST_CHANNELS - 1:
                raise ValueError("too many kinds of frames")
            metadata = {STREAM_KEY: stream}
            if facts is not None and facts != PictureFacts():
                metadata[PICTURE_KEY] = facts.encode()
            self._channels[key] = self._stream.add_channel(
                self._topic(stream, message_type), self._schema(message_type), metadata
            )
        return self._channels[key]

    def _topic(self, stream: str, message_type: str) -> str:
        """A topic of this stream and type alone, as like the stream's name as ROS allows."""
        key = (stream, message_type)
        if key not in self._topics:
            plain = topic = "/" + topic_part(stream)
            number = 2
            while topic in (BREAK_TOPIC, *self._topics.values()):
                topic, number = f"{plain}_{number}", number + 1
            self._topics[key] = topic
        return self._topics[key]

    def _schema(self, message_type: str) -> int:
        if message_type not in self._schemas:
            text, _ = _typestore().generate_msgdef(message_type, ros_version=2)
            self._schemas[message_type] = self._stream.add_schema(message_type, text)
        return self._schemas[message_type]


@lru_cache(maxsize=1)
def _typestore() -> Typestore:
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    text = (data_folder() / "msgs" / "AudioBlock.msg").read_text()
    store.register(get_types_from_msg(text, AUDIO_BLOCK))
    return store
