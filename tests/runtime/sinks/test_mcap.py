# SPDX-License-Identifier: Apache-2.0
"""Embeddings as ROS 2 messages: other people's readers get back what was written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from sensebind.errors import InputError
from sensebind.sinks import open_sink
from sensebind.sinks.base import finishing
from sensebind.sinks.mcap import topic_part
from tests.support.records import record, run_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.records import Record

LABELS = ("still", "driving")


def written(path: Path, labels: tuple[str, ...] = ()) -> list[Record]:
    scores = [0.25, 0.75] if labels else None
    records = [record(index, scores=scores, labels=labels) for index in range(5)]
    with finishing(open_sink(path, run_metadata(labels=labels))) as sink:
        for each in records:
            sink.write(each)
    return records


def test_rosbags_reads_every_field(tmp_path: Path) -> None:
    path = tmp_path / "out.mcap"
    records = written(path, LABELS)
    # The types come from the file alone: the store knows nothing of ours.
    with AnyReader([path], default_typestore=get_typestore(Stores.EMPTY)) as reader:
        messages: list[tuple[str, int, Any]] = [
            (connection.topic, stamp, reader.deserialize(raw, connection.msgtype))
            for connection, stamp, raw in reader.messages()
        ]
    embeddings = [m for m in messages if m[0] == "/sensebind/embedding/imu"]
    scores = [m for m in messages if m[0] == "/sensebind/zero_shot/imu"]
    assert len(embeddings) == len(scores) == len(records)
    for each, (_, received_ns, message), (_, _, scored) in zip(
        records, embeddings, scores, strict=True
    ):
        e = each.embedding
        assert received_ns == message.grid_ns == scored.grid_ns == e.grid_ns
        stamp = message.header.stamp
        assert stamp.sec * 10**9 + stamp.nanosec == e.stamp_ns
        assert (message.stream, message.modality) == ("/imu", "imu")
        assert (message.start_ns, message.end_ns) == (e.start_ns, e.end_ns)
        assert (message.coverage, message.valid_fraction) == (0.975, 1.0)
        assert (message.encoder_id, message.space_id) == (e.encoder_id, "a" * 64)
        assert message.vector.tobytes() == e.vector.tobytes()
        assert (scored.label, scored.labels) == ("driving", list(LABELS))
        np.testing.assert_array_equal(scored.scores, np.array([0.25, 0.75], np.float32))


def test_mcap_reads_profile_schemas_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "out.mcap"
    records = written(path)
    with path.open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        assert reader.get_header().profile == "ros2"
        summary = reader.get_summary()
        metadata = {m.name: m.metadata for m in reader.iter_metadata()}
    assert summary is not None
    (schema,) = summary.schemas.values()
    (channel,) = summary.channels.values()
    assert (schema.name, schema.encoding) == ("sensebind_msgs/msg/Embedding", "ros2msg")
    assert b"MSG: builtin_interfaces/Time" in schema.data
    assert (channel.message_encoding, channel.metadata) == ("cdr", {"stream": "/imu"})
    assert summary.statistics is not None
    assert summary.statistics.message_count == len(records)
    assert json.loads(metadata["sensebind"]["sensebind.space_id"]) == "a" * 64


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    written(tmp_path / "a.mcap", LABELS)
    written(tmp_path / "b.mcap", LABELS)
    assert (tmp_path / "a.mcap").read_bytes() == (tmp_path / "b.mcap").read_bytes()


@pytest.mark.parametrize(
    ("stream", "topic"),
    [
        ("/camera/depth", "camera/depth"),
        ("/device_0/sensor_0/Depth Data", "device_0/sensor_0/Depth_Data"),
        ("usb:mic#2", "usb_mic_2"),
        ("//0/1st", "_0/_1st"),
        ("/", "_"),
    ],
)
def test_streams_become_topics_ros_accepts(stream: str, topic: str) -> None:
    assert topic_part(stream) == topic


def test_a_stamp_ros_cannot_express_is_named(tmp_path: Path) -> None:
    late = record(index=10**10)
    with (
        pytest.raises(InputError, match=r"stream '/imu' has the stamp \d+ ns, which ROS cannot"),
        finishing(open_sink(tmp_path / "out.mcap", run_metadata())) as sink,
    ):
        sink.write(late)
    assert not list(tmp_path.iterdir())
