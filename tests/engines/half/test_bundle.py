# SPDX-License-Identifier: Apache-2.0
"""A bundle that is there gets half graphs by a copy, which is the same encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from msgspec import UNSET
from typer.testing import CliRunner

from sensebind.bundle_folder import open_bundle
from sensebind.errors import BundleError
from sensebind.specs import features_shape
from sensebind.types import Modality
from sensebind_engines.commands.export import export_app
from sensebind_engines.half import bundle as half_bundle
from sensebind_engines.half.bundle import copy_with_half

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.types import Features


def noise(folder: Path, scale: float = 1.0) -> Features:
    """Features of the IMU."""
    spec = open_bundle(folder).encoder(Modality.IMU)
    draws = np.random.default_rng(0).standard_normal((3, *features_shape(spec)), dtype=np.float32)
    return {spec.inputs[0].name: np.float32(scale) * draws}


def test_a_copy_has_the_half_graphs(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, features = tmp_path / "out", {Modality.IMU: noise(bundle_folder)}
    monkeypatch.setattr(half_bundle, "features_of", lambda *_: features)
    arguments = [str(bundle_folder), str(out), "--fp16", "--data", "sample"]
    done = CliRunner().invoke(export_app, arguments, catch_exceptions=False)
    assert "imu: half: imu.fp16.onnx, largest value" in done.output
    assert "depth: stays FP32: the data have none of it" in done.output
    before, copy = open_bundle(bundle_folder), open_bundle(out)
    copy.verify()
    assert [m for m, e in copy.manifest.encoders.items() if e.fp16 is not UNSET] == [Modality.IMU]
    assert copy.graphs(Modality.IMU) == {"fp32": ["imu.onnx"], "fp16": ["imu.fp16.onnx"]}
    assert copy.manifest.space_id == before.manifest.space_id
    assert copy.manifest.encoder_id(Modality.IMU) == before.manifest.encoder_id(Modality.IMU)


def test_what_half_cannot_hold_is_not_copied(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = {Modality.IMU: noise(bundle_folder, 1e30)}
    monkeypatch.setattr(half_bundle, "features_of", lambda *_: huge)
    with pytest.raises(BundleError, match=r"no encoder of 'test' stands half precision: .*imu"):
        copy_with_half(open_bundle(bundle_folder), tmp_path / "out", "sample", "fp32")
    assert list(tmp_path.iterdir()) == []
