# SPDX-License-Identifier: Apache-2.0
"""The node's topics as one live source of the runtime; nothing here needs ROS.

Callbacks of the middleware hand over serialized messages; each becomes a block and goes into its
stream's ring at once, in the callback's thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TYPE_CHECKING

from sensebind.flow.incidents import told
from sensebind.metrics.histogram import Histogram
from sensebind.sources.base import LiveStreamInfo, SourceReport, StreamKind
from sensebind.sources.messages.wire import DecodeError
from sensebind.types import SampleBlock
from sensebind_ros.reading import FRAME_ID_BEGIN, FRAME_ID_LENGTH, frame_id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensebind.config import StreamConfig
    from sensebind.types import Block
    from sensebind_ros.reading import Reader

_MOST_PUBLISHERS = 64
"""One that is started again is another one."""

NOT_RUNNING = "not running"
"""The cause under which messages are counted that came while the pipeline was being set up."""


@dataclass(slots=True)
class Topic:
    """One subscribed topic and what became of its messages.

    received = delivered + waiting for the other half + all of `skipped`, and
    published = received + missing, from the first message received to the last.

    Attributes:
        name: as it was asked for.
        stream: what it belongs to.
        message_type: of its messages; "" as long as it is not known.
        reader: makes blocks of them.
        received: messages that came.
        skipped: messages that were not used, by cause.
        missing: messages that were not received, by the numbers their publishers give them; 0
            where the middleware does not pass these on.
        lost: messages that the middleware says it lost; it does not tell of those for which the
            queue had no room.
        frame_id: of the newest message.
        delay: from a message's stamp, if it has one, until its block was in the ring, since the
            last look.
        past_delay: the same before that.
        heard_ns: when the newest message came, by the monotonic clock; 0 before the first.
        described_by: the topic whose messages described these; "" if none did.
        misdescribed: why what describes these messages cannot be used; "" if it can.
        problem: why there are no messages; "" if nothing is known.
        liveliness: changes of it that the middleware told of; none were seen from Fast DDS.
        changes: how often publishers were matched, and how often one was lost again; 0 on Humble,
            which does not tell.
        publishers: how many there are.
        incompatible: publishers whose quality of service does not fit.
    """

    name: str
    stream: str
    message_type: str = ""
    reader: Reader | None = None
    received: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    lost: int = 0
    frame_id: str = ""
    delay: Histogram = field(default_factory=Histogram)
    past_delay: Histogram = field(default_factory=Histogram)
    heard_ns: int = 0
    described_by: str = ""
    misdescribed: str = ""
    problem: str = ""
    liveliness: int = 0
    changes: int = 0
    publishers: int = 0
    incompatible: int = 0
    _head: bytes = b"?"
    _numbers: dict[bytes, int] = field(default_factory=dict)

    def skip(self, cause: str) -> None:
        """Count a message that was not used."""
        self.skipped[cause] = self.skipped.get(cause, 0) + 1

    def note_number(self, publisher: bytes, number: int) -> None:
        """Take the number of a message among all of its publisher."""
        before = self._numbers.get(publisher)
        if before is None and len(self._numbers) >= _MOST_PUBLISHERS:
            self._numbers.clear()
        if before is not None and number > before + 1:
            self.missing += number - before - 1
        self._numbers[publisher] = number

    def take_delay(self) -> Histogram:
        """Delays since the last look; what another thread records meanwhile is counted next."""
        recent, self.delay = self.delay, Histogram()
        self.past_delay.merge(recent)
        return recent

    def note_frame(self, data: bytes) -> None:
        """Take the frame id of a message; it rarely changes."""
        if not data.startswith(self._head, FRAME_ID_BEGIN):
            self.frame_id = frame_id_of(data, self.message_type)
            length = FRAME_ID_LENGTH.size + len(self.frame_id) + 1
            self._head = data[FRAME_ID_BEGIN : FRAME_ID_BEGIN + length]


class TopicSource:
    """Topics as a live source.

    Attributes:
        name: of the source.
        report: messages delivered and not, by stream.
        opened: set while blocks are wanted.
    """

    def __init__(self, streams: Mapping[str, LiveStreamInfo], now_ns: Callable[[], int]) -> None:
        """Offer some streams; `now_ns` is the clock of the messages' stamps."""
        self.name = "ROS topics"
        self.report = SourceReport()
        self.opened = Event()
        self._streams = dict(streams)
        self._now_ns = now_ns
        self._deliver: Callable[[Block], None] | None = None
        self._lock = Lock()

    def streams(self) -> list[LiveStreamInfo]:
        """See `LiveSource.streams`."""
        return list(self._streams.values())

    def start(
        self,
        selected: dict[str, StreamConfig],
        deliver: Callable[[Block], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """See `LiveSource.start`; topics never fail, they fall silent."""
        del selected, fail
        self._deliver = deliver
        self.opened.set()

    def stop(self) -> None:
        """See `LiveSource.stop`; a message that is being taken is delivered before."""
        with self._lock:
            self.opened.clear()
            self._deliver = None

    def receive(self, topic: Topic, data: bytes) -> None:
        """Take a serialized message of a topic; never raises."""
        with self._lock:
            self._receive(topic, data)

    def configure(self, topic: Topic, config: StreamConfig) -> None:
        """Read what follows of a topic as another configuration says."""
        with self._lock:
            if topic.reader is not None:
                topic.reader.configure(config)

    def _receive(self, topic: Topic, data: bytes) -> None:
        topic.received += 1
        topic.heard_ns = time.monotonic_ns()
        deliver, reader = self._deliver, topic.reader
        assert reader is not None
        if deliver is None:
            self._skip(topic, NOT_RUNNING)
            return
        topic.note_frame(data)
        try:
            block = reader.block(data)
        except DecodeError as error:
            self._skip(topic, str(error))
            return
        except Exception as error:  # noqa: BLE001 - content of any kind costs its message only
            self._skip(topic, told(error))
            return
        if block is None:
            return
        deliver(block)
        self.report.count(topic.stream)
        stamp_ns = _newest_ns(block)
        if stamp_ns:  # 0 is none: placed by its arrival
            topic.delay.record(self._now_ns() - stamp_ns)

    def _skip(self, topic: Topic, cause: str) -> None:
        topic.skip(cause)
        self.report.skip(topic.stream, cause)


def stream_info(name: str, kind: StreamKind, message_type: str, rate_hz: float) -> LiveStreamInfo:
    """What a stream of the node is to the runtime: its stamps are those of the reference clock."""
    encoding = "as its messages tell" if kind is StreamKind.UNIFORM else ""
    return LiveStreamInfo(
        name=name, kind=kind, message_type=message_type, encoding=encoding, rate_hz=rate_hz
    )


def _newest_ns(block: Block) -> int:
    return int(block.stamps_ns[-1]) if isinstance(block, SampleBlock) else block.stamp_ns
