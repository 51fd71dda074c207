# SPDX-License-Identifier: Apache-2.0
"""Runs with a calibration: what is applied to which stream, and what is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind import Bundle, Pipeline, PipelineConfig, StreamConfig, open_source
from sensebind.calibration import Calibration
from sensebind.errors import CalibrationError
from sensebind.sinks.recorder import Recorder
from sensebind.sources.base import LiveStreamInfo, StreamKind
from sensebind.sources.paced import PacedSource
from sensebind.types import Frame, FrameBlock, Modality, SampleBlock, UniformBlock
from tests.support.calibrations import IDENTITY, provenance, write_calibration
from tests.support.playing import BlockSource, VirtualTime
from tests.support.running import (
    START_NS,
    ScriptedSource,
    check_balance,
    deliver_all,
    imu_blocks,
    no_thread_is_left,
    sound,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.types import Block, Embedding

__all__ = ["no_thread_is_left"]

MS = 1_000_000
STREAMS = {
    "imu": StreamConfig(modality=Modality.IMU, hop_s=0.1, frame="optical", policy="block"),
    "mic": StreamConfig(modality=Modality.AUDIO, hop_s=0.1, policy="block"),
    "depth": StreamConfig(modality=Modality.DEPTH, hop_s=0.2, trigger="grid", policy="block"),
    "heat": StreamConfig(
        modality=Modality.THERMAL, hop_s=0.2, trigger="grid", policy="block", unit="centikelvin"
    ),
}
CLOCK = {"reference": "mic", "offset_ns": 70 * MS, "reference_ns": START_NS}
ACCEL = [1.02, 0.03, -0.02, 0.0, 0.97, 0.04, 0.0, 0.0, 1.01]
GYRO = [0.98, 0.02, 0.0, -0.03, 1.03, 0.01, 0.02, 0.0, 1.02]
SECTIONS: dict[str, dict[str, Any]] = {
    "imu": {
        "imu": {
            "accel_matrix": ACCEL,
            "accel_bias": [0.4, -0.3, 0.2],
            "gyro_matrix": GYRO,
            "gyro_bias": [0.05, -0.1, 0.02],
        }
    },
    "microphone": {
        "mic": {"gain": 4.0, "dc_offset": 0.02, "provenance": provenance(rate_hz=16_000.0)}
    },
    "depth": {"depth": {"scale": 0.8, "offset_m": 0.05}},
    "thermal": {"heat": {"scale": 1.1, "offset_k": -20.0}},
    "clock": {"depth": CLOCK, "imu": {**CLOCK, "drift_ppm": 300.0}},
}


@pytest.fixture
def bundle(bundle_folder: Path) -> Iterator[Bundle]:
    with Bundle.load(bundle_folder) as loaded:
        yield loaded


def true_blocks(length_s: int = 6) -> list[Block]:
    """What perfect sensors see, in the order it comes."""
    chance = np.random.default_rng(0)
    blocks: list[tuple[int, Block]] = []
    for block in imu_blocks(100 * length_s):
        assert isinstance(block, SampleBlock)
        blocks.append((int(block.stamps_ns[-1]), block))
    starts = range(0, 16_000 * length_s, 1600)
    blocks += [(START_NS + (start + 1600) * 62_500, sound(start)) for start in starts]
    for index in range(15 * length_s):
        at_ns = START_NS + index * 66_666_667
        depth = chance.uniform(0.5, 6, (24, 32)).astype(np.float32)
        blocks.append((at_ns, picture("depth", at_ns, depth)))
        heat = chance.uniform(285, 305, (24, 32)).astype(np.float32)
        blocks.append((at_ns, picture("heat", at_ns, np.rint(heat * 100).astype(np.float32))))
    return [block for _, block in sorted(blocks, key=lambda each: each[0])]


def picture(
    stream: str, stamp_ns: int, values: np.ndarray[Any, np.dtype[np.float32]]
) -> FrameBlock:
    height, width = values.shape
    data = values.astype("<f4").tobytes()
    return FrameBlock(stream, stamp_ns, Frame(data, "32FC1", width, height, 4 * width))


def distorted(block: Block) -> Block:
    """The block as sensors with the errors of SECTIONS deliver it."""
    if isinstance(block, SampleBlock):
        accel = np.linalg.solve(np.reshape(ACCEL, (3, 3)), block.values[:, :3].T).T
        gyro = np.linalg.solve(np.reshape(GYRO, (3, 3)), block.values[:, 3:].T).T
        values = np.add(np.hstack([accel, gyro]), (0.4, -0.3, 0.2, 0.05, -0.1, 0.02))
        late_ns = np.rint((block.stamps_ns - START_NS) * 300e-6).astype(np.int64)
        stamps_ns = block.stamps_ns + np.rint(late_ns - 70 * MS * (1 + 300e-6)).astype(np.int64)
        return SampleBlock(block.stream, stamps_ns, values)
    if isinstance(block, UniformBlock):
        values = block.values / np.float32(4) + np.float32(0.02)
        return UniformBlock(block.stream, block.stamp_ns, block.rate_hz, values)
    values = np.frombuffer(block.frame.data, "<f4").reshape(24, 32)
    if block.stream == "depth":
        return picture("depth", block.stamp_ns - 70 * MS, (values - 0.05) / np.float32(0.8))
    return picture("heat", block.stamp_ns, (values + 2000) / np.float32(1.1))


def encoded(
    bundle: Bundle, blocks: list[Block], calibration: Calibration | None = None
) -> dict[tuple[str, int], np.ndarray[Any, np.dtype[np.float32]]]:
    """Vectors of a recording by stream and instant."""
    config = PipelineConfig(streams=STREAMS)
    with Pipeline(bundle, config, calibration=calibration) as pipeline:
        return {(e.stream, e.grid_ns): e.vector for e in pipeline.run(BlockSource(blocks))}


def test_calibrated_streams_give_the_vectors_of_perfect_sensors(
    bundle: Bundle, tmp_path: Path
) -> None:
    calibration = Calibration.load(write_calibration(tmp_path, **SECTIONS))
    true = encoded(bundle, true_blocks())
    raw = encoded(bundle, [distorted(block) for block in true_blocks()])
    found = encoded(bundle, [distorted(block) for block in true_blocks()], calibration)
    for stream in STREAMS:
        keys = [key for key in true if key[0] == stream and key in found and key in raw]
        assert len(keys) >= 0.9 * sum(key[0] == stream for key in true)
        before = np.array([true[key] @ raw[key] for key in keys])
        after = np.array([true[key] @ found[key] for key in keys])
        assert after.min() > 0.9999, stream
        if stream != "heat":  # this bundle looks at a picture's contrast, which has no unit
            assert before.mean() < after.mean() - 1e-4, stream


def test_what_is_recorded_is_raw_and_its_replay_is_the_run(bundle: Bundle, tmp_path: Path) -> None:
    calibration = Calibration.load(write_calibration(tmp_path, **SECTIONS))
    blocks = [distorted(block) for block in true_blocks(4)]
    time = VirtualTime(START_NS - 10**9)
    source = PacedSource(
        BlockSource(blocks, "robot"),
        waiter=time,
        rates_hz={"imu": 100, "mic": 16_000, "depth": 15, "heat": 15},
    )
    path = tmp_path / "robot.mcap"
    config = PipelineConfig(streams=STREAMS, ring_s=60)
    with (
        Recorder(path, queue_bytes=256 << 20) as recorder,
        Pipeline(bundle, config, calibration=calibration) as pipeline,
    ):
        live = contents(list(pipeline.run(source, recorder=recorder, clock=time)))
        check_balance(pipeline)
        metadata = pipeline.metadata()
    assert metadata.calibration == calibration.sha256
    assert metadata.calibrated == {
        "imu": ("imu", "clock"),
        "mic": ("microphone",),
        "depth": ("depth", "clock"),
        "heat": ("thermal",),
    }
    with open_source(path) as recording:
        selected = {name: StreamConfig(modality=c.modality) for name, c in STREAMS.items()}
        kept = [b for b in recording.blocks(selected, "log") if isinstance(b, SampleBlock)]
    imu = [block for block in blocks if isinstance(block, SampleBlock)]
    values = np.concatenate([block.values for block in kept])
    assert len(values) >= 390
    raw = np.concatenate([block.values for block in imu])
    np.testing.assert_array_equal(values, raw[len(raw) - len(values) :])
    with Pipeline(bundle, calibration=calibration) as replaying, open_source(path) as recording:
        replayed = contents(list(replaying.run(recording)))
    assert {key[0] for key in live} == set(STREAMS)
    assert live == {key: replayed[key] for key in live}
    with Pipeline(bundle) as replaying, open_source(path) as recording:
        assert contents(list(replaying.run(recording))) != replayed


def contents(embeddings: list[Embedding]) -> dict[tuple[str, int], bytes]:
    found = {}
    for e in embeddings:
        times = e.start_ns, e.end_ns, e.stamp_ns, e.coverage, e.valid_fraction
        found[e.stream, e.grid_ns] = repr(times).encode() + e.vector.tobytes()
    return found


def test_the_configuration_may_name_the_file(bundle: Bundle, tmp_path: Path) -> None:
    path = write_calibration(tmp_path, microphone={"mic": {"gain": 2.0}})
    config = PipelineConfig(streams={"mic": STREAMS["mic"]}, calibration=str(path))
    with Pipeline(bundle, config) as pipeline:
        assert pipeline.calibration is not None
        assert pipeline.metadata().calibrated == {"mic": ("microphone",)}


def calibrated_at(rate_hz: float, folder: Path, **values: object) -> Calibration:
    section = {
        "accel_matrix": IDENTITY,
        "accel_bias": [0.0, 0.0, 0.0],
        "gyro_matrix": IDENTITY,
        "gyro_bias": [0.0, 0.0, 0.0],
        "provenance": provenance(rate_hz=rate_hz, **values),
    }
    return Calibration.load(write_calibration(folder, imu={"imu": section}))


def test_a_recording_of_another_rate_ends_the_run(bundle: Bundle, tmp_path: Path) -> None:
    config = PipelineConfig(streams={"imu": STREAMS["imu"]})
    with (
        Pipeline(bundle, config, calibration=calibrated_at(400.0, tmp_path)) as pipeline,
        pytest.raises(CalibrationError, match=r"made at 400 Hz, but .* 100 Hz"),
    ):
        list(pipeline.run(BlockSource(imu_blocks(600))))


def live_imu(rate_hz: float, serial: str = "") -> ScriptedSource:
    info = LiveStreamInfo("imu", StreamKind.SAMPLES, "imu", rate_hz=rate_hz, serial=serial)
    return ScriptedSource("device", [info], deliver_all(imu_blocks(600)))


def test_a_device_of_another_rate_or_number_is_not_started(bundle: Bundle, tmp_path: Path) -> None:
    calibration = calibrated_at(400.0, tmp_path, serial="8213")
    with Pipeline(bundle, calibration=calibration) as pipeline:
        device = live_imu(100.0)
        with pytest.raises(CalibrationError, match=r"made at 400 Hz, but .* 100 Hz"):
            list(pipeline.run(device))
        assert device.starts == 0
        device = live_imu(400.0, serial="77")
        with pytest.raises(CalibrationError, match=r"serial number 8213, but .* from 77"):
            list(pipeline.run(device))
        assert device.starts == 0


def test_a_device_that_turns_out_other_is_refused_and_told(bundle: Bundle, tmp_path: Path) -> None:
    with Pipeline(bundle, calibration=calibrated_at(400.0, tmp_path)) as pipeline:
        assert list(pipeline.run(live_imu(0.0))) == []
        report = pipeline.report.streams["imu"]
        assert sum(report.refused.values()) >= 500
        assert any("made at 400 Hz" in incident.what for incident in pipeline.report.incidents)
        check_balance(pipeline)


def test_a_file_of_other_streams_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    calibration = Calibration.load(
        write_calibration(tmp_path, microphone={"/audio": {"gain": 2.0}})
    )
    config = PipelineConfig(streams={"imu": STREAMS["imu"]})
    with (
        Pipeline(bundle, config, calibration=calibration) as pipeline,
        pytest.raises(CalibrationError, match=r'\[microphone\."/audio"\].*streams: \'imu\''),
    ):
        list(pipeline.run(BlockSource(imu_blocks(600))))


def test_blocks_of_ones_own_program_are_calibrated(bundle: Bundle, tmp_path: Path) -> None:
    config = PipelineConfig(streams={"imu": STREAMS["imu"]})
    sections = {"imu": SECTIONS["imu"]}
    calibration = Calibration.load(write_calibration(tmp_path, **sections))
    true = [block for block in true_blocks(3) if block.stream == "imu"]
    found = []
    for blocks, known in ((true, None), ([_bent(block) for block in true], calibration)):
        with Pipeline(bundle, config, calibration=known) as pipeline:
            for block in blocks:
                pipeline.push(block)
            found.append(np.stack([e.vector for e in pipeline.flush()]))
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    other = Calibration.load(write_calibration(tmp_path, microphone={"/audio": {"gain": 2.0}}))
    with (
        Pipeline(bundle, config, calibration=other) as pipeline,
        pytest.raises(CalibrationError, match="no section that applies"),
    ):
        pipeline.push(true[0])


def _bent(block: Block) -> Block:
    """An IMU's block with the errors of SECTIONS, at its own stamps."""
    bent = distorted(block)
    assert isinstance(bent, SampleBlock)
    assert isinstance(block, SampleBlock)
    return SampleBlock(block.stream, block.stamps_ns, bent.values)


def test_the_true_rate_keeps_sound_on_its_lattice(bundle: Bundle, tmp_path: Path) -> None:
    true_hz = 16_004.8  # 300 ppm: 5 ms are passed after 17 s
    blocks: list[Block] = []
    for first in range(0, 30 * 16_000, 1600):
        block = sound(first)
        stamp_ns = START_NS + round(first * 10**9 / true_hz)
        blocks.append(UniformBlock("mic", stamp_ns, block.rate_hz, block.values))
    section = {"true_rate_hz": true_hz, "provenance": provenance(rate_hz=16_000.0)}
    calibration = Calibration.load(write_calibration(tmp_path, microphone={"mic": section}))
    relocks = {}
    for known in (None, calibration):
        config = PipelineConfig(streams={"mic": STREAMS["mic"]})
        with Pipeline(bundle, config, calibration=known) as pipeline:
            list(pipeline.run(BlockSource(blocks)))
            relocks[known is not None] = pipeline.report.streams["mic"].counters.relocks
    assert relocks == {False: 1, True: 0}


def test_a_recording_tells_the_serial_number_it_was_made_with(
    bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "run.mcap"
    with Recorder(path) as recorder, Pipeline(bundle) as pipeline:
        list(pipeline.run(live_imu(100.0, serial="8213"), recorder=recorder))
    with open_source(path) as recording:
        (info,) = (info for info in recording.streams() if info.name == "imu")
        assert info.serial == "8213"
    calibration = calibrated_at(100.0, tmp_path, serial="77")
    with (
        Pipeline(bundle, calibration=calibration) as pipeline,
        pytest.raises(CalibrationError, match=r"serial number 77, but .* from 8213"),
    ):
        list(pipeline.run(open_source(path)))
