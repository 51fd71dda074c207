# SPDX-License-Identifier: Apache-2.0
"""Training and export of one seed, on motions that are easily told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the recipes extra")
pytest.importorskip("onnxscript", reason="export needs the recipes extra")
pytest.importorskip("mujoco", reason="simulation needs the recipes extra")

from sensebind.bundle_folder import open_bundle
from sensebind.types import Modality
from sensebind_engines.export.check import run_graph
from sensebind_engines.recipes.imu_motion.training import train_encoder
from tests.engines.recipes.imu_motion.motions import build_fakes
from tests.support.bundles import bundle_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["bundle_folder"]

SHORT = ("dim=32", "schedule.steps=4", "schedule.warmup_steps=1", "training.batch=8")


def test_a_seed_becomes_a_bundle_once(
    tmp_path: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = build_fakes(tmp_path, monkeypatch)
    anchor = str(bundle_folder)
    made = train_encoder(data, tmp_path / "out", 3, anchor=anchor, settings=SHORT)
    folder = open_bundle(made)
    folder.verify()
    spec = folder.manifest.encoders[Modality.IMU]
    assert spec.window is not None
    assert (spec.window.length_s, spec.inputs[0].shape) == (2.0, ("batch", 6, 400))
    (edge,) = (e for e in folder.manifest.binding_graph if e.trained)
    assert {edge.source, edge.target} == {Modality.IMU, Modality.TEXT}
    with np.load(made / "golden.npz") as golden:
        again = run_graph((made / spec.onnx).read_bytes(), {"features": golden["imu/features"]})
        assert again == pytest.approx(golden["imu/embedding"], abs=1e-5)
    before = (made / spec.onnx).stat().st_mtime_ns
    assert train_encoder(data, tmp_path / "out", 3, anchor=anchor, settings=SHORT) == made
    assert (made / spec.onnx).stat().st_mtime_ns == before
