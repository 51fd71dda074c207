# SPDX-License-Identifier: Apache-2.0
"""Which change applies to which window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.preprocess.depth import depth_counts, stream_scale
from sensebind.preprocess.grey_frames import grey_pixels, holds_counts
from sensebind.preprocess.pictures import decode_frame
from sensebind.specs import LogMelSpec
from sensebind.types import Frame, Modality
from sensebind_engines.data.augment.audio import augment_audio, mask_log_mel
from sensebind_engines.data.augment.config import (
    Augmentation,
    DepthAugment,
    ImuAugment,
    ThermalAugment,
    VisionAugment,
)
from sensebind_engines.data.augment.imu import augment_imu
from sensebind_engines.data.augment.ranges import augment_depth, augment_thermal
from sensebind_engines.data.augment.spatial import View, seen
from sensebind_engines.data.augment.vision import augment_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.specs import EncoderSpec
    from sensebind.types import Features, Window

_RAW_ENCODINGS = {"uint8": "mono8", "uint16": "16UC1", "float32": "32FC1"}


def changes_window(modality: Modality, amount: Augmentation, view: View) -> bool:
    """Whether `augment_window` would change windows of a modality."""
    if modality is Modality.IMU:
        return amount.imu != ImuAugment()
    if modality is Modality.AUDIO:
        audio = amount.audio
        changed = audio.gain_db or audio.slow or audio.fast or audio.colour_db or audio.reverb
        return bool(changed or audio.mix or audio.noise_db is not None)
    if not view.is_whole:
        return True
    if modality is Modality.VISION:
        return amount.vision != VisionAugment()
    if modality is Modality.DEPTH:
        return amount.depth != DepthAugment()
    return amount.thermal != ThermalAugment()


def augment_window(
    window: Window,
    config: StreamConfig,
    amount: Augmentation,
    rng: np.random.Generator,
    *,
    view: View,
    aligned: bool = False,
    other: Window | None = None,
) -> Window:
    """A changed copy of a window; the window itself if nothing is to be changed.

    Args:
        window: as it was cut.
        config: how its stream is read, with its modality.
        amount: how far.
        rng: draws everything but the view.
        view: what all frames of the item show.
        aligned: the item has frames of several modalities.
        other: an audio window that may be mixed in.

    Raises:
        InputError: if a frame cannot be decoded.
    """
    modality = config.modality
    if not changes_window(modality, amount, view):
        return window
    if modality is Modality.IMU:
        return augment_imu(window, amount.imu, rng, config.rotation)
    if modality is Modality.AUDIO:
        return augment_audio(window, amount.audio, rng, other)
    seed = int(rng.integers(2**63))  # frames of one clip change alike
    frames = tuple(
        _changed(frame, config, amount, np.random.default_rng(seed), view, aligned)
        for frame in window.frames
    )
    return replace(window, frames=frames)


def augment_features(
    features: Features,
    spec: EncoderSpec,
    amount: Augmentation,
    rng: np.random.Generator,
) -> Features:
    """Masks on the features of audio; other features as they are."""
    audio = amount.audio
    front_end = spec.preprocess
    if not isinstance(front_end, LogMelSpec) or not (audio.time_masks or audio.band_masks):
        return features
    return {name: mask_log_mel(f, front_end, audio, rng) for name, f in features.items()}


def _changed(
    frame: Frame,
    config: StreamConfig,
    amount: Augmentation,
    rng: np.random.Generator,
    view: View,
    aligned: bool,
) -> Frame:
    if config.format is not None and frame.width:  # raw, and its encoding is told wrongly
        frame = replace(frame, encoding=config.format)
    if config.modality is Modality.VISION:
        picture = seen(np.asarray(decode_frame(frame)), view)
        pixels = augment_picture(picture, amount.vision, rng, aligned=aligned)
        return _raw(frame, pixels, "rgb8")
    if config.modality is Modality.THERMAL:
        pixels = augment_thermal(seen(_thermal_pixels(frame), view), amount.thermal, rng)
    else:
        pixels, unit_m = depth_counts(frame, stream_scale(config))
        pixels = augment_depth(seen(pixels, view), unit_m, amount.depth, rng)
    return _raw(frame, pixels, _RAW_ENCODINGS[pixels.dtype.newbyteorder("=").name])


def _thermal_pixels(frame: Frame) -> NDArray[Any]:
    """Counts, or the grey of a picture, as the thermal front end reads them."""
    if holds_counts(frame):
        return grey_pixels(frame)
    return np.asarray(decode_frame(frame).convert("L"))


def _raw(frame: Frame, pixels: NDArray[Any], encoding: str) -> Frame:
    """A frame of the pixels, with everything else that was known of the old one."""
    native = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    height, width = native.shape[:2]
    return replace(
        frame,
        data=native.tobytes(),
        encoding=encoding,
        width=width,
        height=height,
        step=native.nbytes // height,
        big_endian=False,
    )
