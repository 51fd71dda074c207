# SPDX-License-Identifier: Apache-2.0
"""IMU features equal a plain float64 oracle, whatever the samples."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensebind.config import OPTICAL_TO_BODY
from sensebind.errors import InputError
from sensebind.preprocess import _imu_kernels
from sensebind.preprocess.imu import ImuPreprocessor, imu_grid_ns, resample_imu
from sensebind.preprocess.imu_calibration import ImuCalibration
from sensebind.specs import ImuSpec
from sensebind.types import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

EPOCH_NS = 1_700_000_000_000_000_000
CALIBRATION = ImuCalibration(
    accel_matrix=(1.01, 0.002, -0.003, 0.004, 0.99, 0.005, -0.006, 0.007, 1.02),
    accel_bias=(0.1, -0.2, 0.3),
    gyro_matrix=(0.98, -0.01, 0.0, 0.02, 1.03, 0.01, 0.0, -0.02, 1.0),
    gyro_bias=(-0.01, 0.02, 0.005),
    rotation=OPTICAL_TO_BODY,
)


def line(t: NDArray[Any], v: NDArray[Any], at: float) -> NDArray[Any]:
    return np.array([np.interp(at, t, v[:, k]) for k in range(6)])


def cubic(t: NDArray[Any], v: NDArray[Any], at: float, max_interval: float) -> NDArray[Any]:
    if at <= t[0] or at >= t[-1]:
        return line(t, v, at)
    j = int(np.searchsorted(t, at, side="right")) - 1
    h = t[j + 1] - t[j]
    slope: NDArray[Any] = (v[j + 1] - v[j]) / h

    def tangent(i: int) -> NDArray[Any]:
        """Derivative at sample i of the parabola through i-1, i, i+1; else the interval's slope."""
        if not (0 < i < t.size - 1) or max(t[i] - t[i - 1], t[i + 1] - t[i]) > max_interval:
            return slope
        ha, hb = t[i] - t[i - 1], t[i + 1] - t[i]
        da, db = (v[i] - v[i - 1]) / ha, (v[i + 1] - v[i]) / hb
        parabola: NDArray[Any] = (hb * da + ha * db) / (ha + hb)
        return parabola

    s = (at - t[j]) / h
    m0, m1 = tangent(j) * h, tangent(j + 1) * h
    value: NDArray[Any] = (2 * s**3 - 3 * s**2 + 1) * v[j] + (s**3 - 2 * s**2 + s) * m0
    value += (3 * s**2 - 2 * s**3) * v[j + 1] + (s**3 - s**2) * m1
    return value


def triangle(t: NDArray[Any], v: NDArray[Any], at: float, period: float) -> NDArray[Any]:
    """Gauss-Legendre between all breakpoints: exact for the product of two lines."""
    inside = t[(t > at - period) & (t < at + period)]
    breaks = np.unique(np.concatenate([[at - period, at, at + period], inside]))
    total = np.zeros(6)
    for a, b in pairwise(breaks):
        for node in (-(3**-0.5), 3**-0.5):
            x = (a + b) / 2 + node * (b - a) / 2
            total += (b - a) / 2 * (1 - abs(x - at) / period) * line(t, v, x)
    return total / period


def oracle(
    stamps: NDArray[np.int64],
    values: NDArray[np.float64],
    *,
    end_ns: int,
    length_s: float,
    rate_hz: float,
    interpolation: str,
    max_interval_s: float = 0.05,
    antialias: str = "triangle",
    calibration: ImuCalibration = CALIBRATION,
) -> NDArray[Any]:
    t = (stamps - end_ns).astype(np.float64)
    count = round(length_s * rate_hz)
    dense = antialias == "triangle" and np.sum((t >= -length_s * 1e9) & (t < 0)) > 1.5 * count
    out = np.empty((6, count))
    rotation = np.reshape(calibration.rotation, (3, 3))
    for i in range(count):
        at = float(round(-(count - i) * 1e9 / rate_hz))
        if dense:
            x = triangle(t, values, at, 1e9 / rate_hz)
        elif interpolation == "linear":
            x = line(t, values, at)
        else:
            x = cubic(t, values, at, round(max_interval_s * 1e9))
        accel = np.reshape(calibration.accel_matrix, (3, 3)) @ (x[:3] - calibration.accel_bias)
        gyro = np.reshape(calibration.gyro_matrix, (3, 3)) @ (x[3:] - calibration.gyro_bias)
        out[:3, i], out[3:, i] = rotation @ accel, rotation @ gyro
    return out


@st.composite
def recordings(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Samples at 20 to 2000 Hz with jitter and gaps, lying anywhere around a 0.5 s window."""
    count = draw(st.integers(1, 300))
    seed = draw(st.integers(0, 2**32 - 1))
    step_ns = draw(st.sampled_from([500_000, 2_500_000, 5_000_000, 9_000_000, 50_000_000]))
    rng = np.random.default_rng(seed)
    steps = (step_ns * rng.uniform(0.3, 1.7, count)).astype(np.int64) + 1
    if draw(st.booleans()):
        steps[rng.integers(count)] += draw(st.integers(1, 10**9))
    stamps = EPOCH_NS + np.cumsum(steps)
    end_ns = int(stamps[-1]) + draw(st.integers(-(10**9), 10**9))
    return stamps, rng.normal(0, 10, (count, 6)), end_ns


@settings(max_examples=150, deadline=None)
@given(
    recordings(),
    st.sampled_from(["linear", "cubic"]),
    st.sampled_from([100.0, 59.94, 1000.0]),
    st.sampled_from(["triangle", "none"]),
)
def test_equals_the_oracle(
    recording: tuple[NDArray[np.int64], NDArray[np.float64], int],
    interpolation: Any,
    rate_hz: float,
    antialias: Any,
) -> None:
    stamps, values, end_ns = recording
    arguments: dict[str, Any] = {
        "end_ns": end_ns,
        "length_s": 0.5,
        "rate_hz": rate_hz,
        "interpolation": interpolation,
        "antialias": antialias,
    }
    found = resample_imu(stamps, values, calibration=CALIBRATION, **arguments)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, oracle(stamps, values, **arguments), rtol=1e-6, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["linear", "cubic"]),
    st.sampled_from([15_000_000, 5_000_000, 1_000_000]),
    st.integers(0, 2**32 - 1),
)
def test_samples_beyond_the_support_change_no_byte(
    interpolation: Any, step_ns: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    stamps = EPOCH_NS + np.cumsum((step_ns * rng.uniform(0.5, 1.5, 600)).astype(np.int64))
    values = rng.normal(size=(600, 6))
    end_ns = int(stamps[400])
    neighbours = 2 if interpolation == "cubic" else 1
    start, end = np.searchsorted(stamps, (end_ns - 200_000_000, end_ns))
    one_period_earlier = int(np.searchsorted(stamps, end_ns - 205_000_000))
    kept = slice(min(start - neighbours, one_period_earlier - 1), end + neighbours)
    arguments: dict[str, Any] = {
        "end_ns": end_ns,
        "length_s": 0.2,
        "rate_hz": 200.0,
        "interpolation": interpolation,
    }
    full = resample_imu(stamps, values, **arguments)
    assert full.tobytes() == resample_imu(stamps[kept], values[kept], **arguments).tobytes()


def test_grid_is_exact_and_shared_by_overlapping_windows() -> None:
    grid = imu_grid_ns(EPOCH_NS, 2.0, 200.0)
    assert grid.dtype == np.int64
    assert grid.size == 400
    assert grid[0] == EPOCH_NS - 2_000_000_000
    assert grid[-1] == EPOCH_NS - 5_000_000
    assert set(np.diff(grid)) == {5_000_000}
    later = imu_grid_ns(EPOCH_NS + 500_000_000, 2.0, 200.0)
    assert np.array_equal(grid[100:], later[:300])
    thirds = imu_grid_ns(0, 1.0, 3.0)
    assert thirds.tolist() == [-1_000_000_000, -666_666_667, -333_333_333]


def test_overlapping_windows_share_bytes() -> None:
    rng = np.random.default_rng(3)
    stamps = EPOCH_NS + np.arange(700, dtype=np.int64) * 7_000_000
    values = rng.normal(size=(700, 6))
    early = resample_imu(stamps, values, end_ns=EPOCH_NS + 3 * 10**9, length_s=1.0, rate_hz=100.0)
    late = resample_imu(stamps, values, end_ns=EPOCH_NS + 35 * 10**8, length_s=1.0, rate_hz=100.0)
    assert early[:, 50:].tobytes() == late[:, :50].tobytes()


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_passes_through_the_samples_of_its_own_grid(interpolation: Any) -> None:
    rng = np.random.default_rng(1)
    stamps = imu_grid_ns(EPOCH_NS, 1.0, 100.0)
    values = rng.normal(size=(100, 6))
    found = resample_imu(
        stamps,
        values,
        end_ns=EPOCH_NS,
        length_s=1.0,
        rate_hz=100.0,
        interpolation=interpolation,
    )
    assert np.array_equal(found, values.T.astype(np.float32))


def test_cubic_is_exact_for_a_parabola_inside_and_closer_than_linear_on_a_sine() -> None:
    stamps = EPOCH_NS + np.arange(0, 2 * 10**9, 7_000_000, dtype=np.int64)
    t = (stamps - EPOCH_NS) / 1e9
    arguments: dict[str, Any] = {
        "end_ns": EPOCH_NS + 15 * 10**8,
        "length_s": 1.0,
        "rate_hz": 200.0,
    }
    at = (imu_grid_ns(EPOCH_NS + 15 * 10**8, 1.0, 200.0) - EPOCH_NS) / 1e9
    parabola = resample_imu(stamps, np.repeat((t * t)[:, None], 6, 1), **arguments)
    np.testing.assert_allclose(parabola[0], at * at, rtol=1e-6)
    wave = np.repeat(np.sin(2 * np.pi * 10 * t)[:, None], 6, 1)
    truth = np.sin(2 * np.pi * 10 * at)
    errors = {
        name: np.abs(resample_imu(stamps, wave, interpolation=name, **arguments)[0] - truth).max()
        for name in ("linear", "cubic")
    }
    assert errors["cubic"] < 0.1 * errors["linear"]


def test_a_long_interval_is_bridged_by_a_line() -> None:
    rng = np.random.default_rng(0)
    stamps = EPOCH_NS + np.array([0, 5, 10, 210, 215, 220], dtype=np.int64) * 1_000_000
    values = rng.normal(size=(6, 6))
    found = resample_imu(
        stamps, values, end_ns=EPOCH_NS + 205_000_000, length_s=0.19, rate_hz=200.0
    )
    share = (np.arange(38) * 5 + 5) / 200
    expected = values[2][:, None] * (1 - share) + values[3][:, None] * share
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_input_faster_than_the_grid_is_averaged() -> None:
    """A tone at the grid's rate would alias to a constant; the triangle has a zero there."""
    stamps = EPOCH_NS + np.arange(3000, dtype=np.int64) * 1_000_000
    tone = np.cos(2 * np.pi * 100 * (stamps - EPOCH_NS) / 1e9)
    found = resample_imu(
        stamps,
        np.repeat(tone[:, None], 6, 1),
        end_ns=EPOCH_NS + 2_500_000_000,
        length_s=1.0,
        rate_hz=100.0,
    )
    assert np.abs(found).max() < 1e-5
    aliased = resample_imu(
        stamps,
        np.repeat(tone[:, None], 6, 1),
        end_ns=EPOCH_NS + 2_500_000_000,
        length_s=1.0,
        rate_hz=100.0,
        antialias="none",
    )
    assert (aliased == 1).all()


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
@pytest.mark.parametrize("step_ns", [1_000_000, 20_000_000])
def test_a_constant_stays_constant(interpolation: Any, step_ns: int) -> None:
    stamps = EPOCH_NS + np.arange(100, dtype=np.int64) * step_ns
    found = resample_imu(
        stamps,
        np.full((100, 6), 9.81),
        end_ns=int(stamps[60]),
        length_s=0.05,
        rate_hz=200.0,
        interpolation=interpolation,
    )
    np.testing.assert_allclose(found, 9.81, rtol=1e-6)


def test_fills_a_given_array() -> None:
    out = np.empty((6, 10), dtype=np.float32)
    found = resample_imu(
        np.array([EPOCH_NS]), np.ones((1, 6)), end_ns=EPOCH_NS, length_s=0.1, rate_hz=100.0, out=out
    )
    assert found is out
    assert (out == 1).all()


def test_arrays_of_any_layout_give_the_same_bytes_from_one_compiled_kernel() -> None:
    rng = np.random.default_rng(4)
    stamps = EPOCH_NS + np.cumsum(rng.integers(1, 10**7, 200))
    values = rng.normal(size=(200, 6))
    arguments: dict[str, Any] = {"end_ns": int(stamps[150]), "length_s": 0.5, "rate_hz": 100.0}
    expected = resample_imu(stamps, values, **arguments)
    kernel: Any = _imu_kernels.resample
    compiled = len(kernel.signatures)
    wide = np.repeat(np.repeat(values, 2, axis=0), 2, axis=1)
    shifted = np.frombuffer(b"-" + values.tobytes(), np.float64, offset=1).reshape(200, 6)
    assert not shifted.flags.aligned
    for other in (np.asfortranarray(values), wide[::2, ::2], shifted):
        assert resample_imu(stamps, other, **arguments).tobytes() == expected.tobytes()
    stamps.flags.writeable = values.flags.writeable = False
    assert resample_imu(stamps, values, **arguments).tobytes() == expected.tobytes()
    twice = np.repeat(stamps, 2)[::2]
    assert resample_imu(twice, values, **arguments).tobytes() == expected.tobytes()
    assert twice.flags.writeable
    assert len(kernel.signatures) == compiled == 1


def test_the_smallest_numbers_are_kept() -> None:
    stamps = EPOCH_NS + np.arange(20, dtype=np.int64) * 10_000_000
    found = resample_imu(
        stamps, np.full((20, 6), 1e-40), end_ns=int(stamps[-1]), length_s=0.1, rate_hz=100.0
    )
    np.testing.assert_allclose(found, 1e-40, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stamps_ns": np.zeros(3)}, r"stamps are float64 \(3,\), expected int64"),
        ({"values": np.zeros((3, 5))}, r"values are float64 \(3, 5\), expected float64 \(3, 6\)"),
        ({"values": np.zeros((3, 6), np.int64)}, r"values are int64"),
        ({"stamps_ns": np.array([1, 3, 3])}, r"row 2 has 3 ns after 3 ns"),
        (
            {"values": np.array([[0.0] * 6, [0, 0, 0, 0, np.nan, 0], [0] * 6])},
            r"gy of row 1 is nan",
        ),
        ({"values": np.array([[np.inf] + [0.0] * 5] * 3)}, r"ax of row 0 is inf"),
        ({"stamps_ns": np.zeros(0, np.int64), "values": np.zeros((0, 6))}, r"at least one sample"),
        ({"rate_hz": 0.0}, r"rate_hz=0.0 has no points"),
        ({"rate_hz": float("inf")}, r"rate_hz=inf has no points"),
        ({"length_s": -1.0}, r"a window of -1 s"),
        ({"interpolation": "nearest"}, r"'nearest', expected 'linear' or 'cubic'"),
        ({"antialias": "box"}, r"antialias is 'box', expected 'triangle' or 'none'"),
        ({"end_ns": 2**62 + 1}, r"end_ns is 4611686018427387905, expected a stamp within 2\*\*62"),
        ({"stamps_ns": np.array([-(2**63), 0, 2**63 - 1])}, r"stamps reach from -922.* to 922"),
        ({"out": np.zeros((6, 9), np.float32)}, r"out is float32 \(6, 9\), expected .*\(6, 10\)"),
        ({"out": np.frombuffer(bytes(240), np.float32).reshape(6, 10)}, r"expected writable"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "stamps_ns": np.array([1, 2, 3]),
        "values": np.zeros((3, 6)),
        "end_ns": 4,
        "length_s": 0.1,
        "rate_hz": 100.0,
    }
    with pytest.raises(InputError, match=message):
        resample_imu(**{**arguments, **change})


def test_preprocessor_uses_the_spec() -> None:
    rng = np.random.default_rng(2)
    stamps = EPOCH_NS + np.arange(150, dtype=np.int64) * 10_000_000
    values = rng.normal(size=(150, 6))
    end_ns = EPOCH_NS + 1_200_000_000
    window = Window("imu", end_ns, end_ns - 10**9, end_ns, end_ns, 1.0, stamps, values)
    spec = ImuSpec(rate_hz=100.0, interpolation="linear")
    prepared = ImuPreprocessor(spec, 1.0, calibration=CALIBRATION).prepare(window)
    expected = resample_imu(
        stamps,
        values,
        end_ns=end_ns,
        length_s=1.0,
        rate_hz=100.0,
        interpolation="linear",
        calibration=CALIBRATION,
    )
    assert prepared.valid_fraction == 1.0
    assert prepared.features["features"].tobytes() == expected.tobytes()


def test_other_channel_orders_are_refused() -> None:
    spec = ImuSpec(rate_hz=100.0, channels=("gx", "gy", "gz", "ax", "ay", "az"))
    with pytest.raises(InputError, match="wants IMU channels gx gy gz ax ay az"):
        ImuPreprocessor(spec, 1.0)
