# SPDX-License-Identifier: Apache-2.0
"""A publisher process, the node and a subscriber process: nothing is lost, and bytes are equal."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sensebind import Bundle, Pipeline
from sensebind.config import PipelineConfig, StreamConfig
from sensebind.sources import open_source
from sensebind.types import Modality
from tests.support import bags, messages
from tests.support.ros import (
    DEACTIVATE,
    Examiner,
    NodeUnderTest,
    publisher,
    received,
    subscriber,
)
from tests.support.ros_publisher import Plan, Planned, at

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.types import Embedding
    from tests.support.bags import Message

pytestmark = pytest.mark.ros

SECONDS = 4.0
NS = 1_000_000_000
AUDIO_BLOCK = "sensebind_msgs/msg/AudioBlock"
STREAMS = {
    "imu": StreamConfig(modality=Modality.IMU, hop_s=0.5),
    "mic": StreamConfig(modality=Modality.AUDIO, hop_s=0.5),
    "depth": StreamConfig(modality=Modality.DEPTH, hop_s=0.5, trigger="grid"),
    "camera": StreamConfig(modality=Modality.VISION, hop_s=0.5, trigger="frame"),
}
"""Streams of the node; the topic of "imu" is "/imu"."""


def imu_messages(noise: np.random.Generator) -> list[Message]:
    return [
        bags.imu("/imu", k * 2_500_000, list(noise.standard_normal(6)))
        for k in range(round(SECONDS * 400))
    ]


def sound_messages(noise: np.random.Generator) -> list[Message]:
    """16 kHz in blocks of 20 ms; each tells its first sample."""
    return [
        messages.serialized(
            AUDIO_BLOCK,
            "/mic",
            k * 20_000_000,
            rate_hz=16_000.0,
            clock_rate_hz=0.0,
            channels=1,
            first_sample=k * 320,
            samples=(0.1 * noise.standard_normal(320)).astype(np.float32),
        )
        for k in range(round(SECONDS * 50))
    ]


def depth_messages(noise: np.random.Generator) -> list[Message]:
    return [
        bags.image(
            "/depth", k * NS // 15, noise.integers(400, 4000, (480, 640)).astype("<u2"), "16UC1"
        )
        for k in range(round(SECONDS * 15))
    ]


def picture_messages(noise: np.random.Generator) -> list[Message]:
    found = []
    for k in range(round(SECONDS * 10)):
        out = io.BytesIO()
        Image.fromarray(noise.integers(0, 255, (48, 64, 3)).astype(np.uint8)).save(out, "JPEG")
        found.append(bags.compressed_image("/camera", k * NS // 10, out.getvalue(), "jpeg"))
    return found


def all_messages() -> list[Message]:
    noise = np.random.default_rng(5)
    makers = (imu_messages, sound_messages, depth_messages, picture_messages)
    found = [message for make in makers for message in make(noise)]
    return sorted(found, key=lambda message: message.log_ns)


def planned(found: list[Message], **options: bool) -> Plan:
    return Plan(
        types={message.topic: message.message_type for message in found},
        messages=[Planned(m.topic, m.log_ns, bags.serialize(m)) for m in found],
        **options,
    )


def recorded(path: Path, found: list[Message], plan: Plan, begin_ns: int) -> Path:
    """The same bytes as a bag."""
    from mcap.writer import CompressionType, Writer

    writer = Writer(str(path), compression=CompressionType.NONE)
    writer.start("ros2", "tests")
    channels: dict[str, int] = {}
    for message, each in zip(found, plan.messages, strict=True):
        if message.topic not in channels:
            text, _ = bags.type_store().generate_msgdef(message.message_type, ros_version=2)
            schema = writer.register_schema(message.message_type, "ros2msg", text.encode())
            channels[message.topic] = writer.register_channel(message.topic, "cdr", schema)
        time_ns = begin_ns + each.after_ns
        writer.add_message(channels[message.topic], time_ns, at(each, begin_ns), time_ns)
    writer.finish()  # type: ignore[no-untyped-call]
    return path


def replayed(bundle_folder: Path, bag: Path) -> dict[tuple[str, int], Embedding]:
    """What the runtime makes of the bag without ROS."""
    streams = {f"/{name}": config for name, config in STREAMS.items()}
    with (
        Bundle.load(bundle_folder) as bundle,
        Pipeline(bundle, PipelineConfig(streams=streams)) as pipe,
    ):
        return {(e.stream[1:], e.grid_ns): e for e in pipe.run(open_source(bag))}


def parameters(bundle_folder: Path) -> dict[str, object]:
    values: dict[str, object] = {"bundle": str(bundle_folder), "streams": list(STREAMS)}
    for name, config in STREAMS.items():
        values[f"{name}.modality"] = config.modality.value
        values[f"{name}.hop_s"] = config.hop_s
        values[f"{name}.policy"] = "block"  # a busy machine must not cost windows
        if config.trigger is not None:
            values[f"{name}.trigger"] = config.trigger
        values[f"{name}.queue_s"] = 4.0
    return values


@pytest.mark.parametrize("reliable", [False, True])
def test_every_window_is_that_of_the_replay(
    reliable: bool, examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    found = all_messages()
    plan = planned(found, reliable=reliable)
    with (
        NodeUnderTest(examiner, tmp_path, parameters(bundle_folder)) as node,
        subscriber(tmp_path, node.name, *STREAMS) as listening,
        publisher(tmp_path, plan) as publishing,
    ):
        assert listening.ask() == "ready"
        node.start()
        assert publishing.ask() == "matched"
        assert listening.ask("known") == "known"
        node.until_known(*STREAMS)
        begin_ns = time.time_ns() + NS // 2
        assert publishing.ask(str(begin_ns)) == "done"
        sent = {name: sum(m.topic == f"/{name}" for m in found) for name in STREAMS}
        for name, count in sent.items():
            status = node.until_received(f"stream {name}", count)
            assert (int(status["messages"]), status["not received"]) == (count, "0")
            assert status["lost by the middleware"] == "0"
        assert node.change(DEACTIVATE)
        expected = replayed(bundle_folder, recorded(tmp_path / "a.mcap", found, plan, begin_ns))
        got = received(listening, len(expected))
        latency_ms = [(g.received_ns - g.stamp_ns) / 1e6 for g in got]
        assert node.interrupt() == 0, node.errors
    assert {(g.stream, g.grid_ns) for g in got} == expected.keys()
    for g in got:
        e = expected[g.stream, g.grid_ns]
        assert g.vector == e.vector.tobytes(), (g.stream, g.grid_ns)
        assert (g.start_ns, g.end_ns, g.stamp_ns) == (e.start_ns, e.end_ns, e.stamp_ns)
        assert (g.coverage, g.valid_fraction) == (e.coverage, e.valid_fraction)
        assert g.encoder_id == e.encoder_id
    print("age at the subscriber, ms: p50, p99", np.percentile(latency_ms, [50, 99]))
