# SPDX-License-Identifier: Apache-2.0
"""Calibrated depth and temperatures, as features are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from sensebind.calibration import StreamCalibration
from sensebind.calibration.sections import DepthSection, Provenance, ThermalSection
from sensebind.config import StreamConfig
from sensebind.errors import InputError
from sensebind.preprocess import make_preprocessor
from sensebind.preprocess.depth_calibration import calibrated_depth
from sensebind.specs import DepthSpec, EncoderSpec, TensorSpec, ThermalSpec
from sensebind.types import Frame, Modality, Window
from tests.support.calibrations import provenance

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORIGIN = msgspec.convert(provenance(), Provenance)


def calibration(invalid: NDArray[np.bool_] | None = None, **values: Any) -> StreamCalibration:
    section = DepthSection(provenance=ORIGIN, **values)
    return StreamCalibration("d", depth=section, invalid=invalid)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    view: NDArray[Any] = array.view()
    view.flags.writeable = False
    view.flags.aligned = False
    return view


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_depth_equals_its_definition(kind: type) -> None:
    chance = np.random.default_rng(0)
    raw: NDArray[Any] = chance.integers(0, 9000, (5, 7)).astype(kind)
    raw[0, 0] = 0
    invalid = chance.random(raw.shape) < 0.2
    invalid.flags.writeable = False
    known = calibration(invalid, scale=1.05, offset_m=-0.02, min_range_m=0.5, max_range_m=7.0)
    found = calibrated_depth(read_only(raw), 0.001, known)
    depth = 1.05 * (raw * 0.001) - 0.02
    bad = invalid | (raw == 0) | (depth < 0.5) | (depth > 7)
    assert 0 < bad.sum() < raw.size
    np.testing.assert_allclose(found, np.where(bad, 0, depth), rtol=1e-5)


def test_holes_stay_holes() -> None:
    raw = np.array([[np.nan, np.inf, -np.inf, -1.0, 0.0, 2.0]], np.float32)
    found = calibrated_depth(read_only(raw), 1.0, calibration(offset_m=0.5))
    assert found.tolist() == [[0, 0, 0, 0, 0, 2.5]]


def test_a_map_of_another_size_is_refused() -> None:
    invalid = np.zeros((4, 4), np.bool_)
    with pytest.raises(InputError, match=r"has 6 x 5 pixels, but .* has 4 x 4"):
        calibrated_depth(read_only(np.ones((5, 6), np.uint16)), 0.001, calibration(invalid))


def encoder_spec(preprocess: DepthSpec | ThermalSpec) -> EncoderSpec:
    tensor = TensorSpec(name="features", dtype="float32", shape=(1, 4, 4))
    return EncoderSpec("x.onnx", (tensor,), tensor, preprocess)


def features(
    preprocess: DepthSpec | ThermalSpec,
    modality: Modality,
    values: NDArray[Any],
    known: StreamCalibration,
    *,
    frame_focal_px: float | None = None,
    **options: Any,
) -> NDArray[np.float32]:
    """Of a frame that tells `frame_focal_px`, of a stream configured with `options`."""
    spec = encoder_spec(preprocess)
    encoding = "16UC1" if values.dtype == np.uint16 else "32FC1"
    height, width = values.shape
    picture = Frame(values.tobytes(), encoding, width, height, focal_px=frame_focal_px)
    window = Window("d", 0, 0, 0, 0, 1.0, np.empty(0, np.int64), np.empty((0, 0)), (picture,))
    stream = StreamConfig(modality=modality, **options)
    made = make_preprocessor(spec, stream, known).prepare(window)
    return np.asarray(made.features["features"][0])


def test_features_are_those_of_true_depth() -> None:
    spec = DepthSpec(size=4, representation="metric", mean=0.0, std=1.0, range_m=(0.1, 10.0))
    true = np.random.default_rng(1).uniform(1, 6, (4, 4)).astype(np.float32)
    raw = np.rint((true + 0.1) / 1.1 * 1000).astype(np.uint16)
    known = calibration(scale=1.1, offset_m=-0.1)
    np.testing.assert_allclose(
        features(spec, Modality.DEPTH, raw, known),
        features(spec, Modality.DEPTH, true, StreamCalibration()),
        atol=1.1e-3,
    )


def test_the_measured_focal_length_goes_before_the_frames() -> None:
    spec = DepthSpec(size=4, representation="disparity", baseline_m=0.075, mean=0.0, std=1.0)
    depth = np.full((4, 4), 2.0, np.float32)
    known = calibration(focal_px=40.0)
    of_frame = features(spec, Modality.DEPTH, depth, StreamCalibration(), frame_focal_px=20.0)
    measured = features(spec, Modality.DEPTH, depth, known, frame_focal_px=20.0)
    told = features(spec, Modality.DEPTH, depth, known, frame_focal_px=20.0, focal_px=80.0)
    np.testing.assert_allclose(measured, 2 * of_frame, rtol=1e-6)
    np.testing.assert_allclose(told, 4 * of_frame, rtol=1e-6)


@pytest.mark.parametrize("unit", [None, "centikelvin"])
def test_temperatures_are_corrected(unit: str | None) -> None:
    spec = ThermalSpec(size=4, range_c=(0.0, 50.0), mean=0.0, std=1.0)
    true = np.random.default_rng(2).uniform(280, 310, (4, 4)).astype(np.float32)
    as_read = (true + 30) / np.float32(1.1)
    raw = as_read if unit is None else as_read * 100
    section = ThermalSection(provenance=ORIGIN, scale=1.1, offset_k=-30.0)
    found = features(
        spec, Modality.THERMAL, raw, StreamCalibration("d", thermal=section), unit=unit
    )
    expected = features(spec, Modality.THERMAL, true, StreamCalibration(), unit="kelvin")
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_grey_pictures_have_no_temperature_to_correct() -> None:
    spec = ThermalSpec(size=4)
    section = ThermalSection(provenance=ORIGIN, scale=1.1)
    known = StreamCalibration("d", thermal=section)
    picture = Frame(bytes(16), "mono8", 4, 4)
    window = Window("d", 0, 0, 0, 0, 1.0, np.empty(0, np.int64), np.empty((0, 0)), (picture,))
    with pytest.raises(InputError, match=r"8-bit pixels.*a calibration"):
        make_preprocessor(encoder_spec(spec), None, known).prepare(window)
