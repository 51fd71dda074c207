# SPDX-License-Identifier: Apache-2.0
"""Topics as a live source: counts add up, and nothing raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensebind.config import StreamConfig
from sensebind.sources.base import StreamKind
from sensebind.types import Modality
from sensebind_ros.reading import make_reader
from sensebind_ros.source import NOT_RUNNING, Topic, TopicSource, stream_info
from tests.support import bags

if TYPE_CHECKING:
    from sensebind.types import Block

S = 1_000_000_000
CONFIG = StreamConfig(modality=Modality.IMU)


def opened(now_ns: int = 2 * S) -> tuple[TopicSource, Topic, list[Block]]:
    info = stream_info("imu", StreamKind.SAMPLES, bags.IMU, 400.0)
    source = TopicSource({"imu": info}, lambda: now_ns)
    blocks: list[Block] = []
    source.start({"imu": CONFIG}, blocks.append, lambda _: None)
    return source, Topic("/imu", "imu", bags.IMU, make_reader("imu", bags.IMU, CONFIG)), blocks


def imu(stamp_ns: int, frame_id: str = "imu_link", **options: Any) -> bytes:
    message = bags.imu("/imu", stamp_ns, (0.0,) * 6, frame_id=frame_id, **options)
    return bags.serialize(message)


def test_messages_become_blocks_at_once() -> None:
    source, topic, blocks = opened(now_ns=2 * S)
    assert source.opened.is_set()
    source.receive(topic, imu(S))
    assert [block.stream for block in blocks] == ["imu"]
    assert (topic.received, topic.skipped, source.report.read) == (1, {}, {"imu": 1})
    assert (topic.delay.count, topic.delay.max_ns) == (1, S)
    assert topic.heard_ns > 0


def test_a_message_without_a_stamp_has_no_delay() -> None:
    source, topic, blocks = opened()
    source.receive(topic, imu(0))
    assert (len(blocks), topic.delay.count) == (1, 0)


def test_frame_ids_are_followed() -> None:
    source, topic, _ = opened()
    for frame_id in ("imu_link", "imu_link", "imu", "imu_link2", ""):
        source.receive(topic, imu(S, frame_id))
        assert topic.frame_id == frame_id


def test_what_is_not_used_is_counted() -> None:
    source, topic, blocks = opened()
    source.receive(topic, imu(S, gyro_covariance=-1.0))
    source.receive(topic, b"")
    source.receive(topic, imu(S)[:50])
    source.stop()
    assert not source.opened.is_set()
    source.receive(topic, imu(S))
    causes = {
        "no angular velocity": 1,
        "unknown encapsulation": 1,
        "malformed message": 1,
        NOT_RUNNING: 1,
    }
    assert (topic.received, topic.skipped, blocks) == (4, causes, [])
    assert source.report.skipped == {"imu": causes}


def test_a_reader_that_fails_costs_its_message_only() -> None:
    source, topic, blocks = opened()
    reader = topic.reader
    assert reader is not None

    def fail(data: bytes) -> Block | None:
        raise MemoryError(len(data))

    reader.block = fail  # type: ignore[method-assign]
    source.receive(topic, b"1234")
    assert (topic.skipped, blocks) == ({"MemoryError: 4": 1}, [])


def test_it_can_be_started_again() -> None:
    source, topic, _ = opened()
    source.stop()
    again: list[Block] = []
    source.start({"imu": CONFIG}, again.append, lambda _: None)
    source.receive(topic, imu(S))
    assert len(again) == 1
    assert [info.name for info in source.streams()] == ["imu"]


def test_numbers_tell_what_is_missing() -> None:
    topic = Topic("/imu", "imu")
    for number in (7, 8, 11):  # what came before the first is not known
        topic.note_number(b"one", number)
    assert topic.missing == 2
    topic.note_number(b"two", 1)
    topic.note_number(b"one", 12)
    topic.note_number(b"two", 3)
    assert topic.missing == 3
    topic.note_number(b"one", 1)  # another publisher by the same name
    topic.note_number(b"one", 2)
    assert topic.missing == 3
    for k in range(200):
        topic.note_number(b"%d" % k, 1)
    assert len(topic._numbers) <= 64
