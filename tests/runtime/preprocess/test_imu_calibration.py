# SPDX-License-Identifier: Apache-2.0
"""Calibrations: which are refused, and where a camera's axes go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sensebind.config import OPTICAL_TO_BODY
from sensebind.errors import ConfigError
from sensebind.preprocess.imu import resample_imu
from sensebind.preprocess.imu_calibration import ImuCalibration

EPOCH_NS = 1_700_000_000_000_000_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accel_bias": (1.0, 2.0)}, r"accel_bias is \(1.0, 2.0\), expected 3 finite numbers"),
        ({"gyro_matrix": (float("nan"),) * 9}, r"gyro_matrix is .*row-major"),
        ({"rotation": (2.0, 0, 0, 0, 2.0, 0, 0, 0, 2.0)}, r"not a rotation matrix"),
        ({"rotation": (-1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)}, r"not a rotation matrix"),
    ],
)
def test_bad_calibration_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ImuCalibration(**change)


def test_optical_axes_become_body_axes() -> None:
    """A camera at rest measures gravity's reaction upwards: minus y in optical axes."""
    raw = np.array([[0.0, -9.81, 0.0, 0.0, 0.0, 1.0]])
    found = resample_imu(
        np.array([EPOCH_NS]),
        raw,
        end_ns=EPOCH_NS,
        length_s=0.01,
        rate_hz=100.0,
        calibration=ImuCalibration(rotation=OPTICAL_TO_BODY),
    )
    np.testing.assert_allclose(found[:, 0], [0, 0, 9.81, 1.0, 0, 0], atol=1e-6)
