# SPDX-License-Identifier: Apache-2.0
"""Joint samples equal a plain reading of the definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.errors import InputError
from sensebind.preprocess import join_imu

if TYPE_CHECKING:
    from numpy.typing import NDArray

EPOCH_NS = 1_700_000_000_000_000_000
STAMPS = st.lists(st.integers(0, 60), max_size=25, unique=True).map(sorted)


def at(stamps: list[int]) -> NDArray[np.int64]:
    return EPOCH_NS + 1_000_000 * np.array(stamps, np.int64)


@given(STAMPS, STAMPS, st.integers(0, 2**32 - 1))
def test_equals_the_definition(accel_ms: list[int], gyro_ms: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    accel, gyro = rng.normal(size=(len(accel_ms), 3)), rng.normal(size=(len(gyro_ms), 3))
    stamps, values = join_imu(at(accel_ms), accel, at(gyro_ms), gyro, max_interval_s=0.010)
    expected = []
    for ms, rates in zip(gyro_ms, gyro, strict=True):
        earlier = [i for i, a in enumerate(accel_ms) if a <= ms]
        later = [i for i, a in enumerate(accel_ms) if a >= ms]
        if not earlier or not later:
            continue
        i, k = earlier[-1], later[0]
        span = accel_ms[k] - accel_ms[i]
        if span > 10:
            continue
        share = (ms - accel_ms[i]) / span if span else 0.0
        expected.append((ms, [*((1 - share) * accel[i] + share * accel[k]), *rates]))
    assert stamps.tolist() == at([ms for ms, _ in expected]).tolist()
    assert values.shape == (len(expected), 6)
    if expected:
        np.testing.assert_allclose(values, [row for _, row in expected], rtol=1e-12, atol=1e-12)


def test_readings_of_one_clock_are_joined_as_they_are() -> None:
    rng = np.random.default_rng(0)
    stamps = at([0, 3, 40, 41])
    accel, gyro = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    joint_stamps, values = join_imu(stamps, accel, stamps, gyro, max_interval_s=0.001)
    assert np.array_equal(joint_stamps, stamps)
    assert np.array_equal(values, np.hstack([accel, gyro]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"accel": np.zeros((2, 6))},
            r"accelerometer values are float64 \(2, 6\), expected .*2, 3",
        ),
        ({"gyro": np.zeros((2, 3), np.float32)}, r"gyroscope values are float32"),
        ({"accel_stamps_ns": np.zeros(2)}, r"accelerometer stamps are float64 \(2,\)"),
        ({"gyro_stamps_ns": np.array([5, 5])}, r"gyroscope stamps must rise: row 1 has 5 ns"),
        (
            {"accel": np.array([[0.0] * 3, [0, np.nan, 0]])},
            r"accelerometer value y of row 1 is nan",
        ),
        ({"max_interval_s": float("inf")}, r"a time of inf s is not finite"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "accel_stamps_ns": np.array([1, 2]),
        "accel": np.zeros((2, 3)),
        "gyro_stamps_ns": np.array([1, 2]),
        "gyro": np.zeros((2, 3)),
    }
    with pytest.raises(InputError, match=message):
        join_imu(**{**arguments, **change})
