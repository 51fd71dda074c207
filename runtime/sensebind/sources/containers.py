# SPDX-License-Identifier: Apache-2.0
"""What every bag format gives: topics, and raw messages in order of receipt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from sensebind.sources.base import SourceReport


class RawMessage(NamedTuple):
    """A serialized message: its topic, its receive time in ns and its bytes."""

    topic: str
    log_ns: int
    data: bytes | memoryview


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
    """

    name: str
    message_type: str
    wire: str
    count: int = -1
    definition: bytes = field(default=b"", repr=False)
    definition_format: str = ""


class Container(Protocol):
    """A bag file or folder, opened by the constructor.

    Constructors take the path and the report to write notes and skipped messages to, and raise
    SourceError for a file that cannot be read.
    """

    topics: list[Topic]

    def __init__(self, path: Path, report: SourceReport) -> None: ...

    @property
    def fraction(self) -> float:
        """Share of the recording the latest `messages` call has passed, 0..1."""
        ...

    def messages(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """Yield the messages of some topics in receive-time order, streaming.

        Messages received at the same time come in the order of the file.
        """
        ...

    def close(self) -> None:
        """Release the file."""
        ...


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
