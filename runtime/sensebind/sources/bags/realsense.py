# SPDX-License-Identifier: Apache-2.0
"""RealSense .db3 recordings: frames and readings with the stamps the device gave them.

librealsense from 2.59 on records rosbag2 databases. Their header stamps and receive times count
from the start of the recording and bunch up as frames came in; when the device took a frame is
told, in milliseconds, by the message of the same receive time on the topic `…/metadata` beside it.
(Layout as written by pyrealsense2 2.59.1's software device. Recordings up to 2.57 are ROS 1 bags
whose header stamps are the device's.)
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from struct import Struct
from typing import TYPE_CHECKING

from sensebind.grid import NS_PER_S
from sensebind.sources.bags.containers import EVERYTHING, LATEST_NS, Column, Span, Stretch
from sensebind.sources.messages.wire import Cursor, DecodeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sensebind.sources.bags.containers import Container, Payload, Topic
    from sensebind.sources.base import SourceReport

_DATA = re.compile(r"(/device_\d+/sensor_\d+/[^/]+/(?:image|imu))/data(?:/.*)?")
_TIMESTAMP = re.compile(r"(?:^|;)timestamp=([^;]+);")
_STAMP = Struct("<iI")
_STAMP_AT = 4  # behind the encapsulation
_NS_PER_MS = 1_000_000
_NO_METADATA = "no metadata tells its stamp"


def metadata_topics(topics: Sequence[Topic]) -> dict[str, str]:
    """The metadata topic of each RealSense stream that has one; empty for other recordings."""
    texts = {t.name for t in topics if t.message_type.endswith("/String") and t.wire == "cdr"}
    matches = ((topic.name, _DATA.fullmatch(topic.name)) for topic in topics)
    pairs = ((name, f"{match[1]}/metadata") for name, match in matches if match)
    return {name: metadata for name, metadata in pairs if metadata in texts}


class DeviceStamped:
    """A RealSense .db3 whose messages carry their device stamps in their headers."""

    def __init__(self, container: Container, report: SourceReport) -> None:
        self.topics = container.topics
        self.span = container.span
        self._container = container
        self._report = report
        self._metadata = metadata_topics(container.topics)

    @property
    def fraction(self) -> float:
        """Share of the recording the latest `stretches` call has passed, 0..1."""
        return self._container.fraction

    def stretches(self, topics: Collection[str], span: Span = EVERYTHING) -> Iterator[Stretch]:
        """Yield the messages of some topics, each with the stamp its metadata tells."""
        pairs = {name: _Pairs() for name in topics if name in self._metadata}
        beside = {self._metadata[name] for name in pairs}
        for stretch in self._container.stretches({*topics, *beside}, span):
            columns = {name: c for name, c in stretch.columns.items() if name in topics}
            for name, paired in pairs.items():
                texts = stretch.columns.get(self._metadata[name], Column([], []))
                columns[name] = paired.add(columns.get(name, Column([], [])), texts)
            first_ns = min((each.first_ns for each in pairs.values()), default=LATEST_NS)
            yield Stretch(columns, min(stretch.frontier_ns, first_ns))
        for name, paired in pairs.items():
            if paired.waiting:
                self._report.skip(name, _NO_METADATA, len(paired.waiting))

    def close(self) -> None:
        """Release the file."""
        self._container.close()


class _Pairs:
    """Messages of one stream that wait for their stamps, and stamps that wait for theirs."""

    def __init__(self) -> None:
        self.waiting: list[tuple[int, Payload]] = []
        self._stamps_ns: list[tuple[int, int]] = []

    @property
    def first_ns(self) -> int:
        return self.waiting[0][0] if self.waiting else LATEST_NS

    def add(self, messages: Column, texts: Column) -> Column:
        """Take messages and metadata; give those that found each other, in order.

        A later receive time on one side means that the other side's partner is missing.
        """
        self.waiting.extend(zip(*messages, strict=True))
        for log_ns, text in zip(*texts, strict=True):
            stamp_ns = _device_stamp_ns(text)
            if stamp_ns is not None:
                self._stamps_ns.append((log_ns, stamp_ns))
        stamped = Column([], [])
        left: list[tuple[int, Payload]] = []
        place = 0
        for log_ns, data in self.waiting:
            while place < len(self._stamps_ns) and self._stamps_ns[place][0] < log_ns:
                place += 1
            if place < len(self._stamps_ns) and self._stamps_ns[place][0] == log_ns:
                stamped.logs_ns.append(log_ns)
                stamped.data.append(_with_stamp(data, self._stamps_ns[place][1]))
                place += 1
            else:
                left.append((log_ns, data))
        self.waiting, self._stamps_ns = left, self._stamps_ns[place:]
        return stamped


def _device_stamp_ns(text: Payload) -> int | None:
    """The device's stamp in a metadata message: "…;timestamp=1033.333333;…", milliseconds."""
    try:
        match = _TIMESTAMP.search(Cursor(text, "cdr").text())
        stamp_ns = int((Decimal(match[1]) * _NS_PER_MS).to_integral_value()) if match else -1
    except (DecodeError, InvalidOperation, ValueError, OverflowError):
        return None
    return stamp_ns if 0 <= stamp_ns // NS_PER_S < 1 << 31 else None


def _with_stamp(data: Payload, stamp_ns: int) -> Payload:
    """The message with another header stamp; a message too short for one stays as it is."""
    end = _STAMP_AT + _STAMP.size
    if len(data) < end or data[1] != 1:
        return data
    return b"".join((data[:_STAMP_AT], _STAMP.pack(*divmod(stamp_ns, NS_PER_S)), data[end:]))
