# SPDX-License-Identifier: Apache-2.0
"""The sample recording as badly calibrated sensors would have recorded it, and calibrated again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind import Bundle, Pipeline, PipelineConfig, StreamConfig, open_source
from sensebind.calibration import Calibration
from sensebind.sources.base import without_breaks
from sensebind.storage import data_folder
from sensebind.types import FrameBlock, Modality, SampleBlock, UniformBlock
from sensebind_calibration.file import add_section
from sensebind_calibration.imu import calibrate_imu
from sensebind_calibration.recording import open_imu
from tests.support.calibrations import write_calibration
from tests.support.imu_noise import imu_table
from tests.support.imu_poses import Truth, draw_truth, record
from tests.support.playing import BlockSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.types import Block

    Vectors = dict[tuple[str, int], NDArray[np.float32]]

SAMPLE = data_folder() / "sample" / "sample.mcap"
IMU, MIC, DEPTH = "/imu/data", "/mic/audio", "/camera/depth/image_rect_raw"
STREAMS = {
    IMU: StreamConfig(modality=Modality.IMU, hop_s=2.0),
    MIC: StreamConfig(modality=Modality.AUDIO, hop_s=2.0),
    DEPTH: StreamConfig(modality=Modality.DEPTH, hop_s=2.0),
}
LATE_NS = 400_000_000
"""By how much the microphone's and the camera's clocks are behind."""
DEPTH_SCALE, DEPTH_OFFSET_M = 1.3, -0.15
RATE_HZ = 500.0
"""Of the sample's IMU."""
TIMES_USUAL = 4.0
"""The IMU's errors, in those of consumer parts."""


@pytest.fixture(scope="module")
def bundle() -> Iterator[Bundle]:
    with Bundle.load("demo") as loaded:
        yield loaded


@pytest.fixture(scope="module")
def true_blocks() -> list[Block]:
    with open_source(SAMPLE) as source:
        return list(without_breaks(source.blocks(STREAMS, "stamp")))


@pytest.fixture(scope="module")
def truth() -> Truth:
    usual = draw_truth(np.random.default_rng(7))
    one = np.eye(3)
    return Truth(
        one + TIMES_USUAL * (usual.accel_matrix - one),
        TIMES_USUAL * usual.accel_bias,
        one + TIMES_USUAL * (usual.gyro_matrix - one),
        TIMES_USUAL * usual.gyro_bias,
    )


def distorted(block: Block, truth: Truth) -> Block:
    """The block as the badly calibrated sensor delivers it."""
    if isinstance(block, SampleBlock):
        accel = np.linalg.solve(truth.accel_matrix, block.values[:, :3].T).T + truth.accel_bias
        gyro = np.linalg.solve(truth.gyro_matrix, block.values[:, 3:].T).T + truth.gyro_bias
        return replace(block, values=np.hstack([accel, gyro]))
    if isinstance(block, UniformBlock):
        return replace(block, stamp_ns=block.stamp_ns - LATE_NS)
    frame = block.frame
    counts = np.frombuffer(frame.data, "<u2")
    metres = (counts * 0.001 - DEPTH_OFFSET_M) / DEPTH_SCALE
    wrong = np.where(counts > 0, np.rint(metres * 1000), 0).astype("<u2")
    return FrameBlock(block.stream, block.stamp_ns - LATE_NS, replace(frame, data=wrong.tobytes()))


def vectors(bundle: Bundle, blocks: list[Block], calibration: Calibration | None) -> Vectors:
    config = PipelineConfig(streams=STREAMS)
    with Pipeline(bundle, config, calibration=calibration) as pipeline:
        return {(e.stream, e.grid_ns): e.vector for e in pipeline.run(BlockSource(blocks))}


@pytest.fixture(scope="module")
def true_vectors(bundle: Bundle, true_blocks: list[Block]) -> Vectors:
    return vectors(bundle, true_blocks, None)


@pytest.fixture(scope="module")
def raw_vectors(bundle: Bundle, true_blocks: list[Block], truth: Truth) -> Vectors:
    return vectors(bundle, [distorted(block, truth) for block in true_blocks], None)


def known(folder: Path, truth: Truth) -> Path:
    """A calibration file that says what was done to the recording."""
    clock = {"reference": IMU, "offset_ns": LATE_NS, "reference_ns": 1_700_000_000 * 10**9}
    return write_calibration(
        folder,
        imu={
            IMU: {
                "accel_matrix": truth.accel_matrix.ravel().tolist(),
                "accel_bias": truth.accel_bias.tolist(),
                "gyro_matrix": truth.gyro_matrix.ravel().tolist(),
                "gyro_bias": truth.gyro_bias.tolist(),
                "provenance": {"recording": "", "sha256": "", "date": "", "version": ""},
            }
        },
        depth={DEPTH: {"scale": DEPTH_SCALE, "offset_m": DEPTH_OFFSET_M}},
        clock={MIC: clock, DEPTH: clock},
    )


@pytest.fixture(scope="module")
def calibrated_vectors(
    bundle: Bundle,
    true_blocks: list[Block],
    truth: Truth,
    tmp_path_factory: pytest.TempPathFactory,
) -> Vectors:
    calibration = Calibration.load(known(tmp_path_factory.mktemp("known"), truth))
    return vectors(bundle, [distorted(block, truth) for block in true_blocks], calibration)


def cosines(true: Vectors, found: Vectors, stream: str) -> NDArray[np.float64]:
    """Of all windows of a stream that both have."""
    keys = [key for key in true if key[0] == stream and key in found]
    assert len(keys) >= 0.9 * sum(key[0] == stream for key in true)
    return np.array([float(true[key] @ found[key]) for key in keys])


@pytest.mark.parametrize("stream", STREAMS)
def test_calibrated_vectors_are_those_of_the_undistorted_recording(
    stream: str,
    true_vectors: Vectors,
    raw_vectors: Vectors,
    calibrated_vectors: Vectors,
) -> None:
    before = cosines(true_vectors, raw_vectors, stream)
    after = cosines(true_vectors, calibrated_vectors, stream)
    assert after.min() >= 0.99
    assert before.mean() < 0.97
    assert before.min() < 0.9


def test_an_imu_calibrated_from_poses_gives_the_vectors_of_a_perfect_one(
    bundle: Bundle,
    true_blocks: list[Block],
    truth: Truth,
    true_vectors: Vectors,
    raw_vectors: Vectors,
    tmp_path: Path,
) -> None:
    rows = record(np.random.default_rng(11), truth, rate_hz=RATE_HZ)
    table = imu_table(tmp_path / "poses.parquet", rows, rate_hz=RATE_HZ)
    with open_imu(table, None, None) as poses:
        section = calibrate_imu(poses)
    path = tmp_path / "calibration.toml"
    add_section(path, "imu", IMU, section)
    imu = [block for block in true_blocks if block.stream == IMU]
    config = PipelineConfig(streams={IMU: STREAMS[IMU]}, calibration=str(path))
    with Pipeline(bundle, config) as pipeline:
        source = BlockSource([distorted(block, truth) for block in imu])
        found = {(e.stream, e.grid_ns): e.vector for e in pipeline.run(source)}
    after = cosines(true_vectors, found, IMU)
    assert after.min() >= 0.99
    assert cosines(true_vectors, raw_vectors, IMU).mean() < after.mean()
