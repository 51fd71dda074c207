# SPDX-License-Identifier: Apache-2.0
"""What every bag format gives: topics, and stretches of raw messages in order of receipt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from sensebind.sources.messages.wire import Wire


Payload = bytes | memoryview
"""The bytes of a serialized message."""

EARLIEST_NS, LATEST_NS = -(2**63), 2**63 - 1
"""The receive times there can be."""

STRETCH_BYTES = 4 << 20
"""A stretch ends once it holds as many bytes of messages, in formats without chunks."""

STRETCH_MESSAGES = 1024
"""It ends as well once it holds as many messages."""

FIRST_CHUNKS_BYTES = 48 << 20
"""So much of a file's beginning is kept unpacked until it was read."""

FIRST_STRETCH_MESSAGES = 64
"""The first stretch is shorter, for those who only look at the first messages of a topic."""


class RawMessage(NamedTuple):
    """A serialized message: its topic, its receive time in ns and its bytes."""

    topic: str
    log_ns: int
    data: Payload


class Column(NamedTuple):
    """Consecutive messages of one topic: their receive times in ns and their bytes."""

    logs_ns: list[int]
    data: list[Payload]


class Stretch(NamedTuple):
    """Consecutive messages of a recording.

    Attributes:
        columns: the messages by topic; those of a topic are in the order of the file.
        frontier_ns: no later stretch holds a message received before this time, unless the
            recording's clock went back further than `ordering.HORIZON_NS`.
    """

    columns: dict[str, Column]
    frontier_ns: int


class Span(NamedTuple):
    """Receive times from `begin_ns` to before `end_ns`."""

    begin_ns: int = EARLIEST_NS
    end_ns: int = LATEST_NS + 1

    def meets(self, first_ns: int, last_ns: int) -> bool:
        """Whether messages received from `first_ns` to `last_ns` can be in it."""
        return first_ns < self.end_ns and last_ns >= self.begin_ns


EVERYTHING = Span()


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of a bag.

    Attributes:
        name: topic name, unique in the bag.
        message_type: type name as recorded.
        wire: serialization format: "cdr", "ros1" or another name.
        count: number of messages, -1 if the file does not say.
        definition: the message type's definition as the file has it; empty if it has none.
        definition_format: "ros2msg", "ros2idl", "ros1msg", "protobuf", "jsonschema" or "".
        metadata: what else the file tells of it.
    """

    name: str
    message_type: str
    wire: str
    count: int = -1
    definition: bytes = field(default=b"", repr=False)
    definition_format: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def layout(self) -> Wire:
        """The byte layout of its messages; "cdr" where their reader does not ask."""
        return "ros1" if self.wire == "ros1" else "cdr"


class Container(Protocol):
    """An open bag file or folder.

    Attributes:
        topics: the topics, sorted by name.
        span: receive times of the first message and just after the last; None without messages.
    """

    topics: list[Topic]
    span: Span | None

    @property
    def fraction(self) -> float:
        """Share of the recording the latest `stretches` call has passed, 0..1."""
        ...

    def stretches(self, topics: Collection[str], span: Span = EVERYTHING) -> Iterator[Stretch]:
        """Yield the messages of some topics, stretch by stretch in order of receipt.

        What was received outside of `span` is left out where that saves reading it; the caller
        drops the rest.
        """
        ...

    def close(self) -> None:
        """Release the file."""
        ...


class FirstChunks:
    """The chunks at the beginning of a file, unpacked.

    They are needed several times: every topic's first messages are looked at before the recording
    is read. Once they no longer fit, the reader is past the beginning and none are kept.
    """

    def __init__(self) -> None:
        self._chunks: dict[int, bytes] = {}
        self._free_bytes = FIRST_CHUNKS_BYTES

    def get(self, position: int, unpack: Callable[[], bytes]) -> bytes:
        """The records of the chunk at a position in the file, unpacked unless they are known."""
        known = self._chunks.get(position)
        if known is not None:
            return known
        chunk = unpack()
        self._free_bytes -= len(chunk)
        if self._free_bytes >= 0:
            self._chunks[position] = chunk
        else:
            self._chunks.clear()
        return chunk


def by_topic(
    lists: Mapping[int, Column], names: Mapping[int, str], chunk_bytes: int
) -> dict[str, Column]:
    """A chunk's messages per channel as columns per topic.

    Views keep the whole chunk in memory while they wait for their turn; where they are less than
    half of it, they are copied.
    """
    columns: dict[str, Column] = {}
    kept_bytes = sum(len(data) for column in lists.values() for data in column.data)
    for key, column in lists.items():
        data = column.data if 2 * kept_bytes > chunk_bytes else list(map(bytes, column.data))
        known = columns.setdefault(names[key], Column([], []))
        known.logs_ns.extend(column.logs_ns)  # a topic can have several channels
        known.data.extend(data)
    return columns


def within(column: Column, span: Span) -> Column:
    """The messages of a column that were received in `span`."""
    if span == EVERYTHING:
        return column
    kept = [k for k, log_ns in enumerate(column.logs_ns) if span.begin_ns <= log_ns < span.end_ns]
    return Column([column.logs_ns[k] for k in kept], [column.data[k] for k in kept])


def first_messages(container: Container, topic: str, count: int) -> Iterator[RawMessage]:
    """Yield the first messages of a topic, in order of the file."""
    left = count
    for stretch in container.stretches([topic]):
        for column in stretch.columns.values():
            for log_ns, data in islice(zip(*column, strict=True), left):
                yield RawMessage(topic, log_ns, data)
                left -= 1
        if left <= 0:
            return


class ColumnBuilder:
    """Gathers single messages into a stretch."""

    def __init__(self) -> None:
        self.columns: dict[str, Column] = {}
        self.newest_ns = EARLIEST_NS
        self._bytes = 0
        self._messages = 0
        self._limit = FIRST_STRETCH_MESSAGES

    def add(self, topic: str, log_ns: int, data: Payload) -> None:
        """Add a message."""
        column = self.columns.get(topic)
        if column is None:
            column = self.columns[topic] = Column([], [])
        column.logs_ns.append(log_ns)
        column.data.append(data)
        if log_ns > self.newest_ns:
            self.newest_ns = log_ns
        self._bytes += len(data)
        self._messages += 1

    @property
    def is_full(self) -> bool:
        """Whether it is time to pass the stretch on."""
        return self._messages >= self._limit or self._bytes >= STRETCH_BYTES

    def taken(self, behind_ns: int = 0) -> Stretch:
        """What was gathered, known up to `behind_ns` before the newest message; begins anew."""
        stretch = Stretch(self.columns, max(self.newest_ns - behind_ns, EARLIEST_NS))
        self.columns = {}
        self._bytes = self._messages = 0
        self._limit = STRETCH_MESSAGES
        return stretch


def merged_topics(topics: list[Topic]) -> list[Topic]:
    """One topic per name, sorted by name; counts of connections and parts add up."""
    merged: dict[str, Topic] = {}
    for topic in topics:
        known = merged.get(topic.name)
        if known is not None:
            count = -1 if -1 in (known.count, topic.count) else known.count + topic.count
            topic = replace(known, count=count)  # noqa: PLW2901
        merged[topic.name] = topic
    return [merged[name] for name in sorted(merged)]


def joined_span(spans: list[Span | None]) -> Span | None:
    """The span of all that have one."""
    known = [span for span in spans if span is not None]
    if not known:
        return None
    return Span(min(span.begin_ns for span in known), max(span.end_ns for span in known))
