# SPDX-License-Identifier: Apache-2.0
"""The table of preprocessors, and what a stream's settings change."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sensebind
from sensebind import preprocess
from sensebind.bundle_folder import open_bundle
from sensebind.config import StreamConfig
from sensebind.errors import ConfigError, InputError
from sensebind.preprocess import make_preprocessor
from sensebind.types import Modality, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray


def still_window() -> Window:
    """A camera's IMU at rest: gravity's reaction points up, which is -y in optical axes."""
    stamps = np.arange(0, 10**9, 10**7, dtype=np.int64)
    values = np.tile([0.0, -9.81, 0.0, 0.0, 0.0, 0.0], (100, 1))
    return Window("imu", 10**9, 0, 10**9, int(stamps[-1]), 1.0, stamps, values)


@pytest.mark.parametrize(
    ("frame", "up"),
    [
        (None, [0, -9.81, 0]),
        ("body", [0, -9.81, 0]),
        ("optical", [0, 0, 9.81]),
        ("frd", [0, 9.81, 0]),
        ("enu", [-9.81, 0, 0]),
        ((0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0), [-9.81, 0, 0]),
    ],
)
def test_axes_come_from_the_stream(bundle_folder: Path, frame: Any, up: list[float]) -> None:
    spec = open_bundle(bundle_folder).encoder(Modality.IMU)
    stream = StreamConfig(modality=Modality.IMU, frame=frame)
    features: NDArray[np.float32] = (
        make_preprocessor(spec, stream).prepare(still_window()).features["features"]
    )
    assert features.shape == (6, 100)
    np.testing.assert_allclose(features[:3, 50], up, atol=1e-5)


def test_a_matrix_that_is_no_rotation_is_refused(bundle_folder: Path) -> None:
    spec = open_bundle(bundle_folder).encoder(Modality.IMU)
    stream = StreamConfig(modality=Modality.IMU, frame=(1.0,) * 9)
    with pytest.raises(ConfigError, match="is not a rotation matrix"):
        make_preprocessor(spec, stream)


def test_vision_needs_no_stream(bundle_folder: Path) -> None:
    spec = open_bundle(bundle_folder).encoder(Modality.VISION)
    with pytest.raises(InputError, match="has 0 frames, expected 1"):
        make_preprocessor(spec).prepare(still_window())


def test_what_has_no_windows_is_said(bundle_folder: Path) -> None:
    spec = open_bundle(bundle_folder).encoder(Modality.TEXT)
    with pytest.raises(InputError, match=r"text has no windows .* Bundle\.encode_text"):
        make_preprocessor(spec)


def test_names_are_imported_on_use() -> None:
    code = (
        "import sys, sensebind.preprocess as p\n"
        "assert not {'numba', 'PIL', 'tokenizers'} & set(sys.modules)\n"
        "assert callable(p.resample_imu) and 'numba' in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(sensebind.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        preprocess.nothing  # noqa: B018
