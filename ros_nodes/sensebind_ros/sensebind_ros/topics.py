# SPDX-License-Identifier: Apache-2.0
"""The topics of an active node: their types found out, subscribed to, and described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensebind.closing import Closing
from sensebind.errors import ConfigError
from sensebind.flow.incidents import told
from sensebind.sources.base import KIND_OF_SENSE, StreamKind
from sensebind.sources.imu_join import Half, ImuJoiner
from sensebind.sources.messages.senses import AUDIO_INFO, SENSES
from sensebind.sources.messages.wire import DecodeError
from sensebind.types import Modality
from sensebind_ros.frames import Frames
from sensebind_ros.inputs import Inputs
from sensebind_ros.reading import ImuReader, make_half_reader, make_reader
from sensebind_ros.source import Topic, TopicSource, stream_info
from sensebind_ros.subscriptions import describing_qos, sensor_qos

if TYPE_CHECKING:
    from collections.abc import Callable

    from rclpy.node import Node
    from rclpy.qos import QoSProfile

    from sensebind.config import StreamConfig
    from sensebind_ros.configs import TopicConfig
    from sensebind_ros.inputs import Subscribed
    from sensebind_ros.settings import Settings

_CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


@dataclass(slots=True)
class _Wanted:
    """One topic to subscribe to, and its half of an IMU that has two."""

    topic: Topic
    config: TopicConfig
    stream: StreamConfig
    half: Half | None = None
    joiner: ImuJoiner | None = None
    subscribed: Subscribed | None = None
    info: _Info | None = None


@dataclass(slots=True)
class _Info:
    """A topic that describes another one."""

    topic: Topic
    qos: QoSProfile
    subscribed: Subscribed


class Topics(Closing):
    """Subscribes to the topics of all streams as soon as their types are known.

    Attributes:
        source: what the messages become blocks of.
        all: the topics, of all streams.
    """

    def __init__(
        self,
        node: Node,
        settings: Settings,
        source: TopicSource,
        frames: Frames | None,
    ) -> None:
        """Subscribe to nothing yet.

        Args:
            node: knows the publishers, and is the one that the subscriptions are for.
            settings: which topics, and how they are read.
            source: takes the messages.
            frames: where static transforms are asked for.

        Raises:
            ConfigError: if a topic has a name that ROS does not allow.
        """
        for name, config in settings.topics.items():
            _check_names(node, name, config)
        self.source = source
        self._node = node
        self._frames = frames
        self._wanted = [
            each
            for name, config in settings.topics.items()
            for each in _wanted(name, config, settings.pipeline.streams[name])
        ]
        self.all = [each.topic for each in self._wanted]
        self._inputs = Inputs(node)

    def look(self) -> bool:
        """Look for publishers, and subscribe to topics that now have one; whether any are left.

        What stands in the way of a topic is told as its `problem`; the others go on.
        """
        self._inputs.count_events()
        for each in self._wanted:
            topic = each.topic
            try:
                self._look_at(each)
            except Exception as error:  # noqa: BLE001 - ours, or of the middleware
                if topic.problem != told(error):
                    self._node.get_logger().error(f"{topic.name}: {told(error)}")
                topic.problem = told(error)
        return any(map(_waits, self._wanted))

    def configure(self, settings: Settings) -> None:
        """Read what follows as other settings say."""
        for each in self._wanted:
            each.stream = settings.pipeline.streams[each.topic.stream]
            self.source.configure(each.topic, each.stream)

    def close(self) -> None:
        """Take what waits, and receive nothing any more; count what was not joined."""
        self._inputs.close()
        for each in self._wanted:
            if each.half is Half.ROTATION and each.joiner is not None:
                each.joiner.flush()
                for cause, count in each.joiner.lost.items():
                    self.source.report.skip(each.topic.stream, cause, count)

    def _look_at(self, wanted: _Wanted) -> None:
        topic = wanted.topic
        # Which remaps nothing itself, unlike what tells about a topic's publishers.
        resolved = self._node.resolve_topic_name(topic.name)
        topic.publishers = self._node.count_publishers(resolved)
        if wanted.subscribed is None:
            self._try(wanted)
            return
        topic.problem = "" if topic.received else self._other_type(topic)
        if wanted.info is not None:
            self._look_again(topic, wanted.info)
        if isinstance(topic.reader, ImuReader) and topic.reader.waits:
            self._turn(topic, topic.reader, wanted.config)

    def _try(self, wanted: _Wanted) -> None:
        """Subscribe to a topic, if its type is known and can be read.

        Raises:
            SenseBindError: if its messages cannot be read as the stream's modality, or not at all.
        """
        topic, config = wanted.topic, wanted.config
        topic.message_type = config.type or self._published_type(topic.name)
        if not topic.message_type:
            topic.problem = f"nobody publishes {topic.name!r}; the node waits for its type"
            return
        if wanted.half is None:
            reader = make_reader(topic.stream, topic.message_type, wanted.stream)
        else:
            assert wanted.joiner is not None
            reader = make_half_reader(topic.stream, topic.message_type, wanted.half, wanted.joiner)
        if isinstance(reader, ImuReader):
            reader.waits = config.target_frame is not None
        topic.reader = reader
        wanted.info = self._described(wanted)
        wanted.subscribed = self._inputs.subscribe(
            topic,
            sensor_qos(config, wanted.stream.modality),
            lambda data: self.source.receive(topic, data),
        )
        topic.problem = ""

    def _turn(self, topic: Topic, reader: ImuReader, config: TopicConfig) -> None:
        """Find the rotation of a topic's frame, once that is known."""
        assert self._frames is not None
        assert config.target_frame is not None
        if not topic.frame_id:
            return
        reader.rotation = self._frames.rotation(config.target_frame, topic.frame_id)
        reader.waits = reader.rotation is None
        topic.problem = (
            f"no transform from {topic.frame_id!r} to {config.target_frame!r} is published yet"
            if reader.waits
            else ""
        )

    def _other_type(self, topic: Topic) -> str:
        """That a topic is published with types that are not its own; "" if it is not."""
        publishers = self._node.get_publishers_info_by_topic(topic.name)
        types = sorted({each.topic_type for each in publishers})
        if not types or topic.message_type in types:
            return ""
        return (
            f"{topic.name!r} is published as {', '.join(types)}, not as {topic.message_type}; "
            f"correct {topic.stream}.type, or leave it out"
        )

    def _published_type(self, name: str) -> str:
        """The type that a topic is published with; "" if nobody does."""
        publishers = self._node.get_publishers_info_by_topic(name)
        types = [each.topic_type for each in publishers]
        return next((each for each in types if each in SENSES), types[0] if types else "")

    def _described(self, wanted: _Wanted) -> _Info | None:
        """Subscribe to what describes a topic, if that is needed."""
        kind = _describing_type(wanted.topic.message_type, wanted.stream.modality)
        if not kind or wanted.info is not None:
            return wanted.info
        name = wanted.config.info_topic or _beside(wanted.topic.name, kind)
        return self._subscribed(wanted.topic, Topic(name, wanted.topic.stream, kind))

    def _subscribed(self, topic: Topic, info: Topic) -> _Info:
        """Subscribe to `info`, which describes `topic`."""
        qos = describing_qos(self._node, info.name)
        learn = lambda data: _learn(topic, info, data)  # noqa: E731
        return _Info(info, qos, self._inputs.subscribe(info, qos, learn))

    def _look_again(self, topic: Topic, info: _Info) -> None:
        """Ask a describing topic for what it keeps, if it turns out that it does."""
        if not info.topic.received:
            qos = describing_qos(self._node, info.topic.name)
            if (qos.durability, qos.reliability) != (info.qos.durability, info.qos.reliability):
                self._inputs.unsubscribe(info.subscribed)
                new = self._subscribed(topic, info.topic)
                info.qos, info.subscribed = new.qos, new.subscribed


def _check_names(node: Node, stream: str, config: TopicConfig) -> None:
    """Check that a stream's topics have names that ROS allows."""
    for option in ("topic", "accel_topic", "gyro_topic", "info_topic"):
        name = getattr(config, option)
        try:
            if name is not None:
                node.resolve_topic_name(name)
        except RuntimeError as error:  # RCLError, which has no public name
            raise ConfigError(
                f"{stream}.{option} is {name!r}, which no topic is called: {error}"
            ) from None


def _waits(wanted: _Wanted) -> bool:
    """Whether something is not known yet of a topic."""
    if wanted.subscribed is None or (wanted.info is not None and not wanted.info.topic.received):
        return True
    return isinstance(wanted.topic.reader, ImuReader) and wanted.topic.reader.waits


def frames_for(node: Node, settings: Settings) -> Frames | None:
    """What listens to static transforms, if a stream asks for one.

    Raises:
        InputError: if tf2_ros is needed and not installed.
    """
    wanted = any(topic.target_frame is not None for topic in settings.topics.values())
    return Frames(node) if wanted else None


def make_source(settings: Settings, now_ns: Callable[[], int]) -> TopicSource:
    """The source of all streams; they are known before any topic is."""
    streams = {
        name: stream_info(
            name,
            KIND_OF_SENSE[stream.modality],
            settings.topics[name].type or "",
            _ring_rate_hz(stream, settings.topics[name]),
        )
        for name, stream in settings.pipeline.streams.items()
    }
    return TopicSource(streams, now_ns)


def _wanted(name: str, config: TopicConfig, stream: StreamConfig) -> list[_Wanted]:
    if config.accel_topic is None or config.gyro_topic is None:
        return [_Wanted(Topic(config.topic or name, name), config, stream)]
    joiner = ImuJoiner()
    return [
        _Wanted(Topic(topic, name), config, stream, half, joiner)
        for topic, half in zip((config.accel_topic, config.gyro_topic), Half, strict=True)
    ]


def _describing_type(message_type: str, modality: Modality) -> str:
    if message_type.startswith("audio_common_msgs/msg/AudioData"):
        return AUDIO_INFO
    return _CAMERA_INFO if modality is Modality.DEPTH else ""


def _beside(topic: str, message_type: str) -> str:
    parent, _, _ = topic.rpartition("/")
    name = "audio_info" if message_type == AUDIO_INFO else "camera_info"
    return f"{parent}/{name}" if parent else name


def _ring_rate_hz(stream: StreamConfig, topic: TopicConfig) -> float:
    """Samples per second at most, where it is known; it sizes the ring."""
    if KIND_OF_SENSE[stream.modality] is StreamKind.UNIFORM:
        return stream.rate_hz or 0.0
    return topic.message_rate_hz or 0.0


def _learn(topic: Topic, info: Topic, data: bytes) -> None:
    """Take what a message of `info` says of `topic`."""
    assert topic.reader is not None
    info.received += 1
    try:
        topic.reader.learn(data)
        topic.described_by, topic.misdescribed = info.name, ""
    except DecodeError as error:
        topic.misdescribed = f"{info.name}: {error}"
