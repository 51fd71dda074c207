# SPDX-License-Identifier: Apache-2.0
"""Windows to features, one definition for training, recordings and live use.

Which module serves a manifest's preprocessing is told by one literal table; it is imported when
the first preprocessor is made, so that nothing unused is loaded or compiled.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sensebind.calibration import UNCALIBRATED
from sensebind.errors import InputError
from sensebind.specs import DepthSpec, ImuSpec, LogMelSpec, ThermalSpec, VisionSpec

if TYPE_CHECKING:
    from sensebind.calibration import StreamCalibration
    from sensebind.config import StreamConfig
    from sensebind.preprocess.base import Preprocessor
    from sensebind.preprocess.depth import depth_features as depth_features
    from sensebind.preprocess.imu import resample_imu as resample_imu
    from sensebind.preprocess.imu_join import join_imu as join_imu
    from sensebind.preprocess.spectrogram import log_mel as log_mel
    from sensebind.specs import EncoderSpec

_MAKERS: dict[type, str] = {
    DepthSpec: "sensebind.preprocess.depth",
    ImuSpec: "sensebind.preprocess.imu",
    LogMelSpec: "sensebind.preprocess.audio",
    ThermalSpec: "sensebind.preprocess.thermal",
    VisionSpec: "sensebind.preprocess.vision",
}
"""Preprocessing of a manifest to the module whose `make` serves it."""

_HOME = {
    "depth_features": "sensebind.preprocess.depth",
    "join_imu": "sensebind.preprocess.imu_join",
    "log_mel": "sensebind.preprocess.spectrogram",
    "resample_imu": "sensebind.preprocess.imu",
}

__all__ = [
    "depth_features",
    "join_imu",
    "log_mel",
    "make_preprocessor",
    "resample_imu",
]


def make_preprocessor(
    spec: EncoderSpec,
    stream: StreamConfig | None = None,
    calibration: StreamCalibration = UNCALIBRATED,
) -> Preprocessor:
    """Make the preprocessor of one stream.

    Args:
        spec: the encoder it feeds.
        stream: how the stream is configured; its `frame` applies to IMU.
        calibration: of its sensor.

    Raises:
        InputError: if the encoder is one of text, which has no windows.
    """
    module = _MAKERS.get(type(spec.preprocess))
    if module is None:
        raise InputError("text has no windows to preprocess; encode it with Bundle.encode_text")
    preprocessor: Preprocessor = import_module(module).make(spec, stream, calibration)
    return preprocessor


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'sensebind.preprocess' has no attribute {name!r}")
    return getattr(import_module(home), name)
