# SPDX-License-Identifier: Apache-2.0
"""Thermal frames to features.

Definition. A frame of 8-bit pixels (mono8, grey or colour JPEG and PNG files) is grey as it is:
value / 255, of Pillow's "L" for colour. A frame of 16-bit counts or 32-bit floats becomes grey by a
window: its low end is 0, its high end 1, what lies outside takes the nearer end.

* With the manifest's `range_c` the window is that of temperatures, the same for every frame. Counts
  need a scale: kelvin = count * scale + offset, from the stream's `unit` (see `UNITS`) or `scale`
  and `offset`, or from the frame.
* Without it, the window is that of the frame's `percentiles` (inverse of the cumulative
  distribution over its valid pixels). Any scale gives the same grey, so none is needed. A frame
  whose window is empty is 0.5 throughout.

Floats that are not finite and temperatures not above 0 K are invalid: they take the grey 0, and
`valid_fraction` is the share of the frame's other pixels.

The short side becomes `resize_to` (`size` if not given) by Pillow's filter and the middle is kept,
by the rules of `sensebind.preprocess.frame_fit`. Features are (grey - mean) / std, float32
[1, size, size]; several `frame_positions` give [F, 1, size, size], oldest first. 8-bit frames are
resized in 8 bits, as every 8-bit pipeline does; others in float32, then held within 0 and 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from sensebind.errors import ConfigError, InputError
from sensebind.preprocess.frame_fit import FramesPreprocessor, check_crop
from sensebind.preprocess.grey_frames import grey_pixels, holds_counts
from sensebind.preprocess.pictures import FILTERS, decode_frame, fit_short_side
from sensebind.specs import ThermalSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.calibration import StreamCalibration
    from sensebind.config import StreamConfig
    from sensebind.specs import EncoderSpec
    from sensebind.types import Frame

ZERO_CELSIUS_K = 273.15


class ToKelvin(NamedTuple):
    """From values to temperatures: kelvin = value * scale + offset."""

    scale: float
    offset: float = 0.0


COUNTS_AS_KELVIN = ToKelvin(1.0)
"""What a calibration takes counts for that have no temperature."""

UNITS = {
    "kelvin": ToKelvin(1.0),
    "decikelvin": ToKelvin(0.1),
    "centikelvin": ToKelvin(0.01),
    "celsius": ToKelvin(1.0, ZERO_CELSIUS_K),
    "decicelsius": ToKelvin(0.1, ZERO_CELSIUS_K),
    "centicelsius": ToKelvin(0.01, ZERO_CELSIUS_K),
    "tlinear-0.01": ToKelvin(0.01),
    "tlinear-0.04": ToKelvin(0.04),
    "tlinear-0.1": ToKelvin(0.1),
    "tlinear-0.4": ToKelvin(0.4),
    "optris": ToKelvin(0.1, ZERO_CELSIUS_K - 100.0),
}
"""What a stream's `unit` may be, besides "counts", which have no temperature.

"tlinear-…" is FLIR's linear output at so many kelvin per count (Lepton and A-series 0.01 and 0.1,
Tau and A65 0.04 and 0.4); "optris" is (count - 1000) / 10 degrees Celsius."""


def thermal_grey(
    values: NDArray[Any], spec: ThermalSpec, calibration: ToKelvin | None = None
) -> tuple[NDArray[np.float32], float]:
    """Turn counts into grey as this module's docstring defines.

    Args:
        values: uint16 counts or float32 (h, w), of either byte order.
        spec: what the encoder wants.
        calibration: from values to kelvin; None if unknown.

    Returns:
        Grey float32 (h, w), 0 to 1, and the valid fraction.

    Raises:
        InputError: for a wrong dtype or shape, or temperatures asked for that are not known.
    """
    native = values.dtype.newbyteorder("=")
    if native not in (np.uint16, np.float32) or values.ndim != 2 or values.size == 0:
        raise InputError(
            f"a thermal picture is {values.dtype} {values.shape}, expected uint16 or float32 "
            "(h, w) with at least one pixel"
        )
    _check(calibration)
    values = values.astype(native, copy=False)
    grey = values.astype(np.float32)
    valid = np.isfinite(grey)
    if calibration is not None:
        valid &= grey > -calibration.offset / calibration.scale
    low, high = _window(values[valid], spec, calibration)
    if high > low:
        with np.errstate(over="ignore", invalid="ignore"):  # pixels that are not valid
            grey -= np.float32(low)
            grey *= np.float32(1.0 / (high - low))
        np.clip(grey, 0.0, 1.0, out=grey)
    else:
        grey[:] = 0.5
    grey[~valid] = 0.0
    return grey, float(valid.mean())


def _check(calibration: ToKelvin | None) -> None:
    if calibration is not None and not (np.isfinite(calibration).all() and calibration.scale > 0):
        raise InputError(
            f"a thermal scale is {calibration.scale} kelvin per count and its offset "
            f"{calibration.offset} kelvin, expected finite numbers and a positive scale"
        )


def _window(
    values: NDArray[Any], spec: ThermalSpec, calibration: ToKelvin | None
) -> tuple[float, float]:
    """Values whose grey is 0 and 1."""
    if spec.range_c is not None:
        if calibration is None:
            raise InputError(
                "the encoder takes temperatures, and neither the frame nor the stream says what a "
                f"count means; give the stream unit=UNIT ({', '.join(UNITS)}) or scale=KELVIN"
            )
        low, high = (
            (celsius + ZERO_CELSIUS_K - calibration.offset) / calibration.scale
            for celsius in spec.range_c
        )
        return low, high
    if values.size == 0:
        return 0.0, 0.0
    low, high = _percentiles(values, spec.percentiles)
    return float(low), float(high)


def _percentiles(values: NDArray[Any], percentiles: tuple[float, float]) -> NDArray[Any]:
    """Least values that so many percent of all do not exceed."""
    if values.dtype != np.uint16:
        found: NDArray[Any] = np.percentile(values, percentiles, method="inverted_cdf")
        return found
    # Counting is several times faster than sorting.
    up_to = np.cumsum(np.bincount(values))
    wanted = np.ceil(values.size * (np.array(percentiles) / 100)).clip(1, None)
    return np.searchsorted(up_to, wanted)


class ThermalPreprocessor(FramesPreprocessor):
    """Makes the features of thermal windows as a ThermalSpec says."""

    def __init__(
        self,
        spec: ThermalSpec,
        *,
        calibration: ToKelvin | None = None,
        raw_counts: bool = False,
        pixel_format: str | None = None,
        input_name: str = "features",
        correction: ToKelvin | None = None,
    ) -> None:
        """Take what the stream's configuration says in place of what its frames say.

        Args:
            spec: what the encoder wants.
            calibration: from counts to kelvin.
            raw_counts: whether counts have no temperature, whatever the frames say.
            pixel_format: encoding of raw frames.
            input_name: name of the graph's input.
            correction: from kelvin as they are read to true ones; counts that have no temperature
                are read as kelvin.

        Raises:
            InputError: if the spec crops more than it resizes to, or has no window.
        """
        self._short = check_crop(spec.size, spec.resize_to)
        for name, (low, high) in {
            "percentiles": spec.percentiles,
            "range_c": spec.range_c or (0, 1),
        }.items():
            if not low < high:
                raise InputError(
                    f"the bundle's {name} are {low:g} and {high:g}, expected rising ones; mend the "
                    "bundle"
                )
        super().__init__("thermal", spec.frame_positions, pixel_format, input_name)
        self._spec = spec
        self._calibration = calibration
        self._raw_counts = raw_counts
        self._correction = correction

    def _features(self, frame: Frame) -> tuple[NDArray[np.float32], float]:
        spec = self._spec
        image, valid = self._grey(frame)
        fitted = fit_short_side(image, self._short, spec.size, FILTERS[spec.interpolation])
        grey = np.asarray(fitted, dtype=np.float32)
        grey = grey / np.float32(255) if fitted.mode == "L" else grey.clip(0.0, 1.0)
        features = (grey - np.float32(spec.mean)) / np.float32(spec.std)
        return features[np.newaxis], valid

    def _grey(self, frame: Frame) -> tuple[Image.Image, float]:
        """A picture of mode L (8-bit frames) or F (0 to 1), and its valid fraction."""
        if holds_counts(frame):
            values = grey_pixels(frame)
            grey, valid = thermal_grey(values, self._spec, self._calibration_of(frame, values))
            return Image.fromarray(grey), valid
        image = decode_frame(frame).convert("L")
        if self._calibration is not None or self._correction is not None:
            raise InputError(
                f"a {frame.encoding} frame has 8-bit pixels, which are grey already, but the "
                "stream has a scale, a unit or a calibration; leave it out or send 16-bit counts"
            )
        return image, 1.0

    def _calibration_of(self, frame: Frame, values: NDArray[Any]) -> ToKelvin | None:
        correction = self._correction
        read = as_read(frame, values, self._calibration, raw_counts=self._raw_counts)
        if correction is None:
            return read
        scale, offset = read or COUNTS_AS_KELVIN
        return ToKelvin(correction.scale * scale, correction.scale * offset + correction.offset)


def as_read(
    frame: Frame, values: NDArray[Any], told: ToKelvin | None, *, raw_counts: bool
) -> ToKelvin | None:
    """From counts to kelvin; None if nothing says it.

    Args:
        frame: of a thermal stream.
        values: its pixels, uint16 or float32.
        told: what the stream's configuration says (`stream_calibration`); goes before the frame's.
        raw_counts: whether counts have no temperature, whatever the frame says.
    """
    if raw_counts or told is not None:
        return told
    if frame.scale is not None and values.dtype.kind == "u":
        return ToKelvin(frame.scale)
    return None


def make(
    spec: EncoderSpec, stream: StreamConfig | None, calibration: StreamCalibration
) -> ThermalPreprocessor:
    """Make the preprocessor of a thermal encoder; the stream's settings go before its frames'."""
    assert isinstance(spec.preprocess, ThermalSpec)
    section = calibration.thermal
    return ThermalPreprocessor(
        spec.preprocess,
        calibration=stream_calibration(stream) if stream else None,
        raw_counts=stream is not None and stream.unit == "counts",
        pixel_format=stream.format if stream else None,
        input_name=spec.inputs[0].name,
        correction=ToKelvin(section.scale, section.offset_k) if section else None,
    )


def stream_calibration(stream: StreamConfig) -> ToKelvin | None:
    """What a stream's unit, or its scale and offset, say of its counts.

    Raises:
        ConfigError: if they contradict each other, or the unit is none of temperature.
    """
    unit, scale, offset = stream.unit, stream.scale, stream.offset
    if unit is not None and (scale is not None or offset is not None):
        raise ConfigError(
            f"a thermal stream has unit={unit!r} and a scale or an offset; give one of them"
        )
    if unit is not None:
        if unit != "counts" and unit not in UNITS:
            raise ConfigError(
                f"unit={unit!r} is no unit of thermal pictures; expected one of "
                f"{', '.join(['counts', *UNITS])}, or scale=KELVIN_PER_COUNT"
            )
        return UNITS.get(unit)
    if scale is None and offset is not None:
        raise ConfigError(
            f"a thermal stream has offset={offset:g} and no scale; give scale=KELVIN_PER_COUNT too"
        )
    return None if scale is None else ToKelvin(scale, offset or 0.0)
