# SPDX-License-Identifier: Apache-2.0
"""Allan deviations against the definition, a peer and a real sensor at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.errors import InputError
from sensebind_calibration.allan import FULL_OVERLAP, allan_curve, cumulative, span_counts
from sensebind_calibration.noise import axis_noise

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def by_definition(values: NDArray[np.float64], count: int) -> float:
    means = np.convolve(values, np.full(count, 1 / count), "valid")
    return float(np.sqrt(np.mean((means[count:] - means[:-count]) ** 2) / 2))


@pytest.fixture(scope="module")
def adis(test_data: Path) -> NDArray[np.float64]:
    """Gyroscope of an ADIS16405 at rest, deg/s: (3, n) at 100 Hz."""
    with np.load(test_data / "imu_static" / "adis16405_imu1.npz") as arrays:
        return np.ascontiguousarray(arrays["gyro_deg_s"].T, dtype=np.float64)


@pytest.mark.parametrize("count", [1, 2, 7, 100, 200])
def test_deviation_is_the_definition(count: int) -> None:
    values = np.random.default_rng(1).normal(3.0, 1.0, 1001)
    curve = allan_curve([cumulative(values)], 50.0, np.array([count]))
    assert curve.deviations[0, 0] == pytest.approx(by_definition(values, count), rel=1e-9)
    assert curve.taus_s[0] == count / 50.0


def test_long_spans_skip_starts_and_lose_nothing() -> None:
    values = np.cumsum(np.random.default_rng(2).normal(size=40 * FULL_OVERLAP))
    count = 8 * FULL_OVERLAP + 3
    curve = allan_curve([cumulative(values)], 1.0, np.array([count]))
    assert curve.deviations[0, 0] == pytest.approx(by_definition(values, count), rel=1e-3)


def test_offset_does_not_matter() -> None:
    values = np.random.default_rng(3).normal(size=20_000)
    near, far = (allan_curve([cumulative(values + offset)], 1.0) for offset in (0.0, 1e6))
    np.testing.assert_allclose(near.deviations, far.deviations, rtol=1e-6)


def test_a_ramp_has_its_known_deviation() -> None:
    curve = allan_curve([cumulative(0.25 * np.arange(5000.0))], 1.0)
    np.testing.assert_allclose(curve.deviations[0], 0.25 * curve.taus_s / np.sqrt(2), rtol=1e-9)


def test_spans_reach_a_ninth() -> None:
    counts = span_counts(90_000)
    assert counts[0] == 1
    assert 8_000 < counts[-1] <= 10_000
    assert (np.diff(counts) > 0).all()


def test_what_cannot_be_averaged_is_refused() -> None:
    with pytest.raises(InputError, match="recording of 5 readings is too short"):
        span_counts(5)
    with pytest.raises(InputError, match="from 1 to 50, half the recording"):
        allan_curve([np.zeros(101)], 1.0, np.array([51]))
    with pytest.raises(InputError, match="contiguous float64"):
        allan_curve([np.zeros(10, np.float32)], 1.0, np.array([1]))


def test_a_real_gyroscope_at_rest(adis: NDArray[np.float64]) -> None:
    curve = allan_curve([cumulative(axis) for axis in adis], 100.0)
    for axis in range(3):
        noise = axis_noise(curve, axis)
        assert 0.035 <= noise.noise_density.value <= 0.050
        assert 0.035 <= noise.at_1_s <= 0.050
        assert 0.003 <= noise.minimum <= 0.010


@pytest.fixture
def allantools() -> Any:
    return pytest.importorskip("allantools", reason="compared where allantools is installed")


def test_agrees_with_allantools(allantools: Any, adis: NDArray[np.float64]) -> None:
    curve = allan_curve([cumulative(adis[0])], 100.0)
    _, theirs, _, _ = allantools.oadev(adis[0], rate=100.0, data_type="freq", taus=curve.taus_s)
    assert len(theirs) == len(curve.taus_s)
    np.testing.assert_allclose(curve.deviations[0], theirs, rtol=5e-3)
