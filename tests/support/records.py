# SPDX-License-Identifier: Apache-2.0
"""Records and run metadata made up for tests of what consumes them."""

from __future__ import annotations

import numpy as np

from sensebind.records import Record, RunMetadata, StreamMetadata
from sensebind.types import Embedding, Modality

ENCODER_ID = "e" * 64


def run_metadata(dim: int = 8, labels: tuple[str, ...] = ()) -> RunMetadata:
    """Metadata of a run with one IMU stream."""
    window = StreamMetadata(
        modality="imu",
        encoder_id=ENCODER_ID,
        length_s=2.0,
        hop_s=0.5,
        trigger="grid",
        lateness_s=0.0,
        min_coverage=0.9,
    )
    return RunMetadata(
        version="0.1.0",
        space_id="a" * 64,
        bundle="made-up",
        bundle_id="b" * 64,
        encoder_ids={"imu": ENCODER_ID},
        dim=dim,
        backend="onnxruntime",
        precision="fp32",
        source="drive.mcap",
        source_sha256="c" * 64,
        order="stamp",
        windows={"/imu": window},
        labels=labels,
    )


def record(
    index: int = 0,
    dim: int = 8,
    scores: list[float] | None = None,
    labels: tuple[str, ...] = (),
    modality: Modality = Modality.IMU,
) -> Record:
    """Record of window `index` with a random unit vector and, with scores, the best label."""
    vector = np.random.default_rng(index).standard_normal(dim).astype(np.float32)
    end_ns = 1_700_000_000_000_000_000 + index * 500_000_000
    embedding = Embedding(
        stream="/imu",
        modality=modality,
        grid_ns=end_ns,
        start_ns=end_ns - 2_000_000_000,
        end_ns=end_ns,
        stamp_ns=end_ns - 2_500_000,
        coverage=0.975,
        valid_fraction=1.0,
        encoder_id=ENCODER_ID,
        vector=vector / np.linalg.norm(vector),
    )
    if scores is None:
        return Record(embedding)
    array = np.array(scores, np.float32)
    return Record(embedding, labels[int(array.argmax())], array)
