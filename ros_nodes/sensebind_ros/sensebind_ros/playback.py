# SPDX-License-Identifier: Apache-2.0
"""What a recording plays: its topics, and its messages in order of time; nothing here needs ROS.

Messages of a bag are passed on as they are, where their type is installed. ROS 1 messages are
translated, senses of types that are not installed become messages of ours, and so do plain files.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from sensebind.errors import SourceError
from sensebind.grid import NS_PER_S
from sensebind.sources import open_source
from sensebind.sources.bags.bag_folder import FILE_FORMATS, BagFolder
from sensebind.sources.bags.containers import EVERYTHING
from sensebind.sources.bags.realsense import DeviceStamped, metadata_topics
from sensebind.sources.base import SourceReport, without_breaks
from sensebind.sources.layout import layout_of, sole_part
from sensebind.sources.mapping import map_streams
from sensebind.sources.messages.senses import AUDIO_INFO, full_type_name
from sensebind.sources.messages.wire import DecodeError
from sensebind.types import Modality
from sensebind_ros.block_messages import BlockWriter, message_type_of
from sensebind_ros.translation import translation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from sensebind.sources.bags.containers import Container, Payload, Span, Topic
    from sensebind.sources.base import Source
    from sensebind_ros.translation import Translate

    IsInstalled = Callable[[str], bool]
    Timed = TypeVar("Timed", bound=tuple[int, str, Payload])

HORIZON_NS = NS_PER_S
"""How far blocks of plain files may be out of order."""

_NOT_IN_NAMES = re.compile("[^A-Za-z0-9_/]+")
_TOKEN_BEGIN = re.compile("(^|/)(?=[0-9])")
_LATCHED_TYPES = ("sensor_msgs/msg/CameraInfo", AUDIO_INFO)
_LATCHED_NAMES = ("/tf_static", "/robot_description")
_TRANSIENT_LOCAL = re.compile(r"durability:\s*(?:1|transient_local)\b")


class PlayedMessage(NamedTuple):
    """A message that is due: when in the recording's time (ns), its topic, and its CDR bytes."""

    time_ns: int
    topic: str
    data: bytes


@dataclass(frozen=True, slots=True)
class PlayedTopic:
    """A topic that is published.

    Attributes:
        name: as ROS allows it.
        message_type: of what is published.
        note: how it differs from the recording's; "" if it does not.
        latched: whether late subscribers get the newest message.
        is_sense: whether it is a stream that can be encoded.
    """

    name: str
    message_type: str
    note: str = ""
    latched: bool = False
    is_sense: bool = False


class Playback(Protocol):
    """An open recording.

    Attributes:
        topics: what is published.
        report: what is not, and why.
        begin_ns: time of the first message.
    """

    topics: list[PlayedTopic]
    report: SourceReport
    begin_ns: int

    def messages(self, span: Span = EVERYTHING) -> Iterator[PlayedMessage]:
        """The messages of this part, in order of time."""
        ...


@contextmanager
def open_playback(
    path: Path, is_installed: IsInstalled, wanted: Collection[str] = ()
) -> Iterator[Playback]:
    """Open a recording to play it.

    Args:
        path: any that `sensebind.open_source` opens.
        is_installed: tells whether messages of a type ("sensor_msgs/msg/Imu") can be published.
        wanted: topics to play, as the recording names them; all if empty.

    Raises:
        SourceError: if it cannot be read, or has no topic that can be played.
    """
    layout = layout_of(path)
    if layout == "bag folder" and (part := sole_part(path)) is not None:
        path, layout = part, layout_of(part)
    if layout == "files":
        with open_source(path) as source:
            yield FilesPlayback(source, wanted)
        return
    report = SourceReport()
    container: Container = {**FILE_FORMATS, "bag folder": BagFolder}[layout](path, report)
    try:
        if metadata_topics(container.topics):
            container = DeviceStamped(container, report)
        yield BagPlayback(container, report, is_installed, wanted)
    finally:
        container.close()


class BagPlayback:
    """The messages of a bag."""

    def __init__(
        self,
        container: Container,
        report: SourceReport,
        is_installed: IsInstalled,
        wanted: Collection[str],
    ) -> None:
        _check_wanted(wanted, [topic.name for topic in container.topics])
        self.report = report
        self._container = container
        self._translations: dict[str, Translate] = {}
        self._names: dict[str, str] = {}
        topics = [t for t in container.topics if t.count and (not wanted or t.name in wanted)]
        infos = [t for t in container.topics if full_type_name(t.message_type) == AUDIO_INFO]
        self.topics: list[PlayedTopic] = []
        for topic in topics:
            translated = translation(topic, is_installed, infos, container)
            if isinstance(translated, str):
                report.note(f"{topic.name} is not played: {translated}")
                continue
            self._translations[topic.name] = translated.translate
            self._names[topic.name] = _ros_name(topic.name, self._names.values())
            self.topics.append(
                PlayedTopic(
                    self._names[topic.name],
                    translated.message_type,
                    _note(topic, self._names[topic.name], translated.message_type),
                    _is_latched(topic),
                    translated.is_sense,
                )
            )
        _check_any(self.topics, report)
        self.begin_ns = container.span.begin_ns if container.span is not None else 0

    def messages(self, span: Span = EVERYTHING) -> Iterator[PlayedMessage]:
        """See Playback."""
        for log_ns, topic, data in _by_time(self._batches(span)):
            if not span.begin_ns <= log_ns < span.end_ns:
                continue
            try:
                yield PlayedMessage(log_ns, self._names[topic], self._translations[topic](data))
            except DecodeError as error:
                self.report.skip(topic, str(error))

    def _batches(self, span: Span) -> Iterator[tuple[Iterator[tuple[int, str, Payload]], int]]:
        """Raw messages at their receive times; see `_by_time`."""
        for stretch in self._container.stretches(self._translations, span):
            messages = (
                (log_ns, topic, data)
                for topic, column in stretch.columns.items()
                for log_ns, data in zip(*column, strict=True)
            )
            yield messages, stretch.frontier_ns


class FilesPlayback:
    """Plain files as messages of ours, by the stamps of their samples."""

    def __init__(self, source: Source, wanted: Collection[str]) -> None:
        infos = {info.name: info for info in source.streams()}
        _check_wanted(wanted, infos)
        mapped = map_streams(list(infos.values()), list(Modality), {}).selected
        self._source = source
        self._selected = {
            name: config for name, config in mapped.items() if not wanted or name in wanted
        }
        self._names: dict[str, str] = {}
        for name in self._selected:
            self._names[name] = _ros_name(name, self._names.values())
        self.report = source.report
        self.topics = [
            PlayedTopic(
                played, message_type_of(infos[name]), f"from {infos[name].message_type}",
                is_sense=True,
            )
            for name, played in self._names.items()
        ]  # fmt: skip
        _check_any(self.topics, self.report)
        self.begin_ns = next((message.time_ns for message in self.messages()), 0)

    def messages(self, span: Span = EVERYTHING) -> Iterator[PlayedMessage]:
        """See Playback."""
        for message in _by_time(self._batches()):
            if span.begin_ns <= message.time_ns < span.end_ns:
                yield message

    def _batches(self) -> Iterator[tuple[list[PlayedMessage], int]]:
        """The messages of each block; see `_by_time`."""
        writers = {name: BlockWriter() for name in self._selected}
        newest_ns = 0
        for block in without_breaks(self._source.blocks(self._selected, "stamp")):
            topic = self._names[block.stream]
            messages = [
                PlayedMessage(stamp_ns, topic, data)
                for stamp_ns, data in writers[block.stream].messages(block)
            ]
            newest_ns = max([newest_ns, *(message.time_ns for message in messages)])
            yield messages, newest_ns - HORIZON_NS


def _by_time(batches: Iterable[tuple[Iterable[Timed], int]]) -> Iterator[Timed]:
    """Messages, their time first, in order of it; those of one time as they come.

    Args:
        batches: messages, and the time that no message of a later batch is before.
    """
    waiting: list[tuple[int, int, Timed]] = []
    number = count()
    for messages, frontier_ns in batches:
        for message in messages:
            heappush(waiting, (message[0], next(number), message))
        while waiting and waiting[0][0] < frontier_ns:
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]


def _ros_name(name: str, taken: Iterable[str]) -> str:
    """A topic name that ROS 2 allows and that no other topic has."""
    plain = _NOT_IN_NAMES.sub("_", name).strip("/")
    plain = "/" + (re.sub("/+", "/", _TOKEN_BEGIN.sub(r"\1_", plain)) or "topic")
    others = set(taken)
    candidates = (plain if number == 1 else f"{plain}_{number}" for number in count(1))
    return next(each for each in candidates if each not in others)


def _note(topic: Topic, name: str, message_type: str) -> str:
    notes = []
    if name != topic.name:
        notes.append(f"recorded as {topic.name!r}")
    if message_type != full_type_name(topic.message_type):
        notes.append(f"from {topic.message_type}")
    elif topic.wire != "cdr":
        notes.append("from ROS 1")
    return ", ".join(notes)


def _is_latched(topic: Topic) -> bool:
    told: Mapping[str, str] = topic.metadata
    return (
        full_type_name(topic.message_type) in _LATCHED_TYPES
        or topic.name.endswith(_LATCHED_NAMES)
        or bool(_TRANSIENT_LOCAL.search(told.get("offered_qos_profiles", "")))
    )


def _check_wanted(wanted: Collection[str], known: Collection[str]) -> None:
    for name in wanted:
        if name not in known:
            raise SourceError(f"no topic {name!r}; there are: {', '.join(known) or 'none'}")


def _check_any(topics: list[PlayedTopic], report: SourceReport) -> None:
    if not topics:
        reasons = "; ".join(report.notes) or "it has no messages"
        raise SourceError(f"nothing in this recording can be played: {reasons}")
