# SPDX-License-Identifier: Apache-2.0
"""Joint embeddings: weights, who is waited for, and who comes too late."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.errors import ConfigError
from sensebind.fusion import Fusion, FusionConfig, Joint
from sensebind.records import StreamMetadata
from sensebind.types import Fused, Modality
from tests.support.records import run_metadata
from tests.support.spaces import DIM, S, embedding

MODALITIES = {"camera": Modality.VISION, "imu": Modality.IMU, "mic": Modality.AUDIO}


def streams(*names: str, hop_s: float = 0.5) -> dict[str, StreamMetadata]:
    return {
        name: StreamMetadata(
            modality=MODALITIES[name].value, encoder_id=name, length_s=2.0, hop_s=hop_s,
            trigger="grid", lateness_s=0.0, min_coverage=0.9,
        )
        for name in names
    }  # fmt: skip


def at(stream: str, at_s: float, *parts: float, coverage: float = 1.0) -> list[object]:
    return [stream, at_s, parts or (1.0,), coverage]


def run(fusion: Fusion, *events: list[object]) -> list[Joint]:
    """Add embeddings (stream, instant, parts, coverage)."""
    joints = []
    for stream, at_s, parts, coverage in events:
        assert isinstance(stream, str)
        joints += fusion.add(
            embedding(
                at_s,  # type: ignore[arg-type]
                *parts,  # type: ignore[misc]
                stream=stream,
                modality=MODALITIES[stream],
                coverage=coverage,  # type: ignore[arg-type]
            )
        )
    return joints


def instants(joints: list[Joint]) -> list[float]:
    return [joint.embedding.grid_ns / S for joint in joints]


def test_an_instant_is_fused_when_all_have_come_to_it() -> None:
    fusion = Fusion(streams("camera", "imu"), FusionConfig())
    assert run(fusion, at("camera", 1.0, 1.0), at("camera", 1.5, 1.0)) == []
    joints = run(fusion, at("imu", 1.0, 0.0, 1.0))
    assert instants(joints) == [1.0]
    made = joints[0].embedding
    assert joints[0].members == ("camera", "imu")
    assert (made.stream, made.modality, made.coverage) == ("joint", Fused.JOINT, 1.0)
    np.testing.assert_allclose(made.vector, np.array([1, 1, 0, 0]) / np.sqrt(2), atol=1e-7)
    assert made.vector.dtype == np.float32
    assert instants(fusion.flush()) == []
    assert fusion.counters.alone == 1  # the camera's at 1.5


def test_weights_are_confidence_times_coverage() -> None:
    config = FusionConfig(confidence={"imu": 0.5})
    fusion = Fusion(streams("camera", "imu"), config)
    (joint,) = run(fusion, at("camera", 1.0, 1.0), at("imu", 1.0, 0.0, 1.0, coverage=0.9))
    expected = np.array([1, 0.45, 0, 0])
    np.testing.assert_allclose(joint.embedding.vector, expected / np.linalg.norm(expected), 1e-6)
    assert joint.embedding.coverage == pytest.approx(0.95)


def test_a_silent_stream_is_waited_for_and_then_left_out() -> None:
    fusion = Fusion(streams("camera", "imu", "mic"), FusionConfig(wait_s=1.0))
    events = [at(s, k / 2) for k in range(2, 8) for s in ("camera", "imu")]
    joints = run(fusion, *events)
    assert instants(joints) == [1.0, 1.5, 2.0]  # the fastest is at 3.5
    assert {joint.members for joint in joints} == {("camera", "imu")}
    assert joints[0].embedding.coverage == pytest.approx(2 / 3)
    assert (fusion.counters.fused, fusion.counters.partial) == (3, 3)
    assert run(fusion, at("mic", 2.0)) == []
    assert fusion.counters.late == 1
    assert instants(run(fusion, at("mic", 3.0))) == [2.5, 3.0]
    assert instants(fusion.flush()) == [3.5]


def test_one_sense_alone_is_no_joint() -> None:
    fusion = Fusion(streams("camera", "imu"), FusionConfig(wait_s=0.0))
    assert run(fusion, *[at("camera", k / 2) for k in range(2, 6)]) == []
    assert fusion.counters.alone == 3
    single = Fusion(streams("camera", "imu"), FusionConfig(wait_s=0.0, min_streams=1))
    assert instants(run(single, *[at("camera", k / 2) for k in range(2, 6)])) == [1.0, 1.5, 2.0]


def test_frames_take_part_in_the_instant_after_them() -> None:
    fusion = Fusion(streams("camera", "imu"), FusionConfig())
    joints = run(
        fusion, at("camera", 1.1, 1.0), at("camera", 1.4, 0.0, 1.0), at("imu", 1.5, 0.0, 1.0),
        at("camera", 1.62), at("imu", 2.0), at("camera", 2.0),
    )  # fmt: skip
    assert instants(joints) == [1.5, 2.0]
    np.testing.assert_allclose(joints[0].embedding.vector, [0, 1, 0, 0], atol=1e-7)
    assert fusion.counters.replaced == 2


def test_vectors_that_cancel_out_are_counted() -> None:
    fusion = Fusion(streams("camera", "imu"), FusionConfig())
    assert run(fusion, at("camera", 1.0, 1.0), at("imu", 1.0, -1.0)) == []
    assert fusion.counters.opposed == 1


def test_a_weight_of_nothing_is_no_member() -> None:
    fusion = Fusion(streams("camera", "imu", "mic"), FusionConfig(confidence={"audio": 0.0}))
    (joint,) = run(fusion, at("camera", 1.0), at("imu", 1.0), at("mic", 1.0))
    assert joint.members == ("camera", "imu")


def test_a_clock_set_back_begins_anew() -> None:
    fusion = Fusion(streams("camera", "imu"), FusionConfig())
    run(fusion, *[at(s, k / 2) for k in range(20, 24) for s in ("camera", "imu")])
    joints = run(fusion, *[at(s, k / 2) for k in range(2, 6) for s in ("camera", "imu")])
    assert instants(joints) == [1.0, 1.5, 2.0, 2.5]
    assert fusion.counters.late == 0


def test_the_runs_metadata_name_the_joint_stream() -> None:
    windows = run_metadata().windows | streams("camera")
    fusion = Fusion(windows, FusionConfig(wait_s=0.7))
    metadata = fusion.metadata(run_metadata())
    assert metadata.has_joint
    assert metadata.space_id == run_metadata().space_id
    assert metadata.encoder_ids["joint"] == metadata.windows["joint"].encoder_id
    assert (metadata.windows["joint"].hop_s, metadata.windows["joint"].lateness_s) == (0.5, 0.7)
    other = Fusion(windows, FusionConfig(confidence={"imu": 2.0}))
    assert other.encoder_id != fusion.encoder_id


def test_streams_that_are_not_there_are_named() -> None:
    with pytest.raises(ConfigError, match=r"join: nose; the run has camera, imu; at least 2"):
        Fusion(streams("camera", "imu"), FusionConfig(streams=("nose",)))
    with pytest.raises(ConfigError, match=r"join: all; the run has camera; at least 2"):
        Fusion(streams("camera"), FusionConfig())


@given(
    steps=st.lists(st.tuples(st.sampled_from(sorted(MODALITIES)), st.integers(1, 3)), max_size=60),
    wait_s=st.sampled_from([0.0, 0.5, 2.0]),
)
def test_joints_equal_their_definition(steps: list[tuple[str, int]], wait_s: float) -> None:
    """Whatever the order of streams: each instant once, in order, of all that was in time."""
    fusion = Fusion(streams(*MODALITIES), FusionConfig(wait_s=wait_s, min_streams=1))
    reached = dict.fromkeys(MODALITIES, 0)
    joints: list[Joint] = []
    present: dict[int, set[str]] = {}
    done = late = 0
    for stream, step in steps:
        reached[stream] += step
        k = reached[stream]
        vector = [1.0, *(float(stream == name) for name in MODALITIES)][:DIM]
        joints += run(fusion, at(stream, k / 2, *vector))
        if k <= done:
            late += 1
            continue
        present.setdefault(k, set()).add(stream)
        beyond = max(reached.values()) - 2 * wait_s
        done = max(done, min(reached.values()), math.ceil(beyond) - 1)
    joints += fusion.flush()
    assert [j.embedding.grid_ns * 2 // S for j in joints] == sorted(present)
    assert [set(j.members) for j in joints] == [present[k] for k in sorted(present)]
    assert fusion.counters.late == late
