# SPDX-License-Identifier: Apache-2.0
"""Less usual inputs and outputs of the node, held against the offline replay of the same bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from sensebind import Bundle, Pipeline
from sensebind.config import PipelineConfig, StreamConfig
from sensebind.sources import open_source
from sensebind.types import Modality
from tests.support import bags
from tests.support.calibrations import IDENTITY, provenance, write_calibration
from tests.support.ros import ACTIVATE, CONFIGURE, DEACTIVATE, Examiner, NodeUnderTest, Sender

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.types import Embedding
    from tests.support.bags import Message

pytestmark = pytest.mark.ros

S = 1_000_000_000
ACCEL, GYRO = "/cam/accel", "/cam/gyro"
DEPTH, INFO, HEAT = "/cam/depth/packed", "/cam/depth/camera_info", "/heat"
STREAMS = {
    f"{ACCEL}+{GYRO}": StreamConfig(modality=Modality.IMU, hop_s=0.5, frame="optical"),
    DEPTH: StreamConfig(modality=Modality.DEPTH, hop_s=0.5, trigger="grid"),
    HEAT: StreamConfig(modality=Modality.THERMAL, hop_s=0.5, trigger="grid", scale=0.01),
}
NAMES = {"motion": f"{ACCEL}+{GYRO}", "depth": DEPTH, "heat": HEAT}


def motion(noise: np.random.Generator) -> list[Message]:
    """Accelerations at 100 Hz, angular velocities at 200 Hz, a little apart."""
    lacks: dict[str, Any] = {"gyro_covariance": -1.0}
    found = [
        bags.imu(ACCEL, S + k * 10_000_000, [*noise.standard_normal(3), 0, 0, 0], **lacks)
        for k in range(300)
    ]
    lacks = {"acceleration_covariance": -1.0}
    return found + [
        bags.imu(GYRO, S + k * 5_000_000 + 700_000, [0, 0, 0, *noise.standard_normal(3)], **lacks)
        for k in range(600)
    ]


def packed_depth(noise: np.random.Generator) -> list[Message]:
    found = []
    for k in range(30):
        out = io.BytesIO()
        pixels = noise.integers(300, 5000, (60, 80)).astype(np.uint16)
        Image.fromarray(pixels).save(out, "PNG")
        header = np.zeros(3, np.float32).tobytes()
        found.append(
            bags.compressed_image(
                DEPTH, S + k * 100_000_000, header + out.getvalue(), "16UC1; compressedDepth png"
            )
        )
    return found


def heat(noise: np.random.Generator) -> list[Message]:
    return [
        bags.image(
            HEAT,
            S + k * 100_000_000,
            noise.integers(29_000, 31_000, (60, 80)).astype("<u2"),
            "mono16",
        )
        for k in range(30)
    ]


def camera_info() -> Message:
    def build(store: Any, header: Any) -> object:
        types = store.types
        region = types["sensor_msgs/msg/RegionOfInterest"](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        return types["sensor_msgs/msg/CameraInfo"](
            header=header, height=60, width=80, distortion_model="plumb_bob", d=np.zeros(5),
            k=np.array([70.0, 0, 40, 0, 70, 30, 0, 0, 1]), r=np.zeros(9), p=np.zeros(12),
            binning_x=0, binning_y=0, roi=region,
        )  # fmt: skip

    return bags.Message(INFO, "sensor_msgs/msg/CameraInfo", S, S, build)


def replayed(
    bundle: Path, bag: Path, config: PipelineConfig | None = None
) -> dict[tuple[str, int], Embedding]:
    with Bundle.load(bundle) as loaded, Pipeline(loaded, config) as pipe:
        return {(e.stream, e.grid_ns): e for e in pipe.run(open_source(bag))}


def listened(examiner: Examiner, *streams: str) -> list[Any]:
    from sensebind_msgs.msg import Embedding as EmbeddingMessage

    got: list[Any] = []
    for stream in streams:
        topic = f"/sensebind/embedding/{stream}"
        examiner.node.create_subscription(EmbeddingMessage, topic, got.append, 100)
    return got


def check_equal(got: list[Any], expected: dict[tuple[str, int], Embedding]) -> None:
    assert {(message.stream, message.grid_ns) for message in got} == expected.keys()
    for message in got:
        e = expected[message.stream, message.grid_ns]
        assert bytes(memoryview(message.vector)) == e.vector.tobytes(), (e.stream, e.grid_ns)
        assert message.encoder_id == e.encoder_id


def test_split_imu_packed_depth_and_heat(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(3)
    info = camera_info()
    sent: dict[str, list[Message]] = {ACCEL: [], GYRO: []}
    sent |= {DEPTH: packed_depth(noise), HEAT: heat(noise)}
    for message in motion(noise):
        sent[message.topic].append(message)
    values = {
        "bundle": str(bundle_folder), "streams": list(NAMES),
        "motion.modality": "imu", "motion.accel_topic": ACCEL, "motion.gyro_topic": GYRO,
        "motion.frame": "optical", "motion.hop_s": 0.5, "motion.policy": "block",
        "depth.topic": DEPTH, "depth.hop_s": 0.5, "depth.trigger": "grid",
        "depth.policy": "block", "depth.queue_s": 2.0,
        "heat.modality": "thermal", "heat.topic": HEAT, "heat.scale": 0.01, "heat.hop_s": 0.5,
        "heat.trigger": "grid", "heat.policy": "block", "heat.queue_s": 2.0,
        **{f"{name}.reliability": "reliable" for name in NAMES},
    }  # fmt: skip
    with NodeUnderTest(examiner, tmp_path, values) as node:
        got = listened(examiner, *NAMES)
        senders = {
            topic: Sender(examiner, topic, messages[0].message_type)
            for topic, messages in {**sent, INFO: [info]}.items()
        }  # first, as their types are asked for
        node.start()
        senders[INFO].matched("").send([info])
        node.until_status("stream depth", lambda s: s.get(f"{DEPTH} described by") == INFO)
        for topic, messages in sent.items():
            senders[topic].matched().send(messages)
        for name, count in (("motion", 900), ("depth", 30), ("heat", 30)):
            node.until_received(f"stream {name}", count)
        assert node.change(DEACTIVATE)
        everything = [info, *(message for some in sent.values() for message in some)]
        everything.sort(key=lambda message: message.stamp_ns)
        bag = bags.write_mcap(tmp_path / "same.mcap", everything)
        expected = {
            (next(n for n, topic in NAMES.items() if topic == stream), grid_ns): e
            for (stream, grid_ns), e in replayed(
                bundle_folder, bag, PipelineConfig(streams=STREAMS)
            ).items()
        }
        examiner.until(lambda: len(got) >= len(expected))
        check_equal(got, expected)
        assert {stream for stream, _ in expected} == set(NAMES)
        assert node.interrupt() == 0, node.errors


def test_what_it_records_replays_alike(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(4)
    readings = [
        bags.imu("/imu", S + k * 5_000_000, list(noise.standard_normal(6))) for k in range(600)
    ]
    known = {
        "accel_matrix": IDENTITY,
        "accel_bias": [0.1, 0.2, 0.3],
        "gyro_matrix": IDENTITY,
        "gyro_bias": [0.0, 0.0, 0.1],
        "provenance": provenance(rate_hz=200.0),
    }
    calibration = write_calibration(tmp_path, imu={"imu": known})
    values = {
        "bundle": str(bundle_folder), "streams": ["imu"], "imu.type": bags.IMU,
        "imu.policy": "block", "record": str(tmp_path / "kept"), "calibration": str(calibration),
        "imu.reliability": "reliable",
    }  # fmt: skip
    with NodeUnderTest(examiner, tmp_path, values) as node:
        got = listened(examiner, "imu")
        node.start()
        Sender(examiner, "/imu", bags.IMU).matched().send(readings)
        node.until_received("stream imu", len(readings))
        assert node.change(DEACTIVATE)
        (kept,) = (tmp_path / "kept").glob("*.mcap")
        config = PipelineConfig(calibration=str(calibration))
        expected = replayed(bundle_folder, kept, config)
        raw = replayed(bundle_folder, kept)
        examiner.until(lambda: len(got) >= len(expected))
        check_equal(got, expected)
        some = next(iter(expected))
        assert raw[some].vector.tobytes() != expected[some].vector.tobytes()
        assert node.interrupt() == 0, node.errors


def test_plain_arrays_for_those_without_our_messages(
    examiner: Examiner, bundle_folder: Path, tmp_path: Path
) -> None:
    from std_msgs.msg import Float32MultiArray

    readings = [bags.imu("/imu", S + k * 5_000_000, (0.0,) * 6) for k in range(400)]
    values = {
        "bundle": str(bundle_folder), "streams": ["imu"], "imu.type": bags.IMU, "vectors": "array",
        "imu.policy": "block", "imu.target_frame": "base_link",
    }  # fmt: skip
    with NodeUnderTest(examiner, tmp_path, values) as node:
        got = examiner.subscribe(Float32MultiArray, "/sensebind/embedding/imu")
        assert node.change(CONFIGURE), node.errors
        assert not node.change(ACTIVATE)  # tf2_ros is not on PyPI
        assert "target_frame is set, but tf2_ros is not installed" in node.errors
        assert node.set(imu__target_frame="") == ""
        assert node.change(ACTIVATE), node.errors
        Sender(examiner, "/imu", bags.IMU).matched().send(readings)
        examiner.until(lambda: len(got) >= 2)
        (dimension,) = got[0].layout.dim
        assert dimension.size == dimension.stride == len(got[0].data)
        facts = dict(pair.split("=", 1) for pair in dimension.label.split())
        assert (facts["stream"], facts["modality"]) == ("imu", "imu")
        assert int(facts["grid_ns"]) % (S // 2) == 0
        assert np.linalg.norm(np.array(got[0].data)) == pytest.approx(1.0)
        assert node.interrupt() == 0, node.errors
