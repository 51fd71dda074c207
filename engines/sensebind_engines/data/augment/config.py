# SPDX-License-Identifier: Apache-2.0
"""How far each modality is changed. Every default is no change at all, byte for byte.

Windows are changed before the runtime's front end, in the sensor's units, so the features remain
what the front end makes of a possible sensor; SpecAugment's masks alone come after it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from sensebind.specs import Fraction, Strict

NonNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
Number = Annotated[int, Meta(ge=0)]


class SpatialAugment(Strict, frozen=True):
    """Crop and flip, the same for the picture, depth and thermal frames of one item.

    The frames must show the same view: registered, whatever their resolution.

    Attributes:
        smallest_area: the crop keeps the frame's shape and a share of its area drawn from
            smallest_area..1 (ImageNet training customarily takes 0.08; 1 is no crop).
        flip: share of items mirrored left to right.
        vectors_of_things: crop and flip also beside a frame whose vector the row gives. That holds
            for vectors of the thing from all sides, not for those of the very view.
    """

    smallest_area: Share = 1.0
    flip: Fraction = 0.0
    vectors_of_things: bool = False


class VisionAugment(Strict, frozen=True):
    """RandAugment (Cubuk et al. 2020): some operations drawn from a list, at one magnitude.

    Attributes:
        operations: how many are drawn; 0 is none.
        magnitude: 0..1; the paper's scale of 0..10 divided by 10.
        geometric: also rotate and shear; left out for items with depth or thermal frames, which
            would no longer show the same view.
        grey: share of items turned grey.
    """

    operations: Number = 0
    magnitude: Fraction = 0.0
    geometric: bool = False
    grey: Fraction = 0.0


class AudioAugment(Strict, frozen=True):
    """Changes of the waveform, and SpecAugment's masks (Park et al. 2019) of the log-mel features.

    Attributes:
        gain_db: largest change of the level, up or down.
        slow: largest share by which sounds are played slower, and so lower, than they are.
        fast: largest share by which they are played faster; the end, which the window does not
            hold, is the mirror image of what came before.
        colour_db: largest gain, up or down, of a microphone that hears no two octaves alike.
        reverb: share of items that sound as in a room, before others are mixed in.
        reverb_s: longest reverberation time: in it the room's sound falls by 60 dB.
        mix: share of items that another item of the batch is mixed into.
        mix_db: level of what is mixed in, relative to the item, at most.
        noise_db: level of white noise relative to the item's; None for none.
        time_masks: number of masks of up to `time_mask_s` seconds, set to the features' mean.
        time_mask_s: see `time_masks`.
        band_masks: number of masks of up to `band_mask_bins` mel bins.
        band_mask_bins: see `band_masks`.
    """

    gain_db: NonNegative = 0.0
    slow: Annotated[float, Meta(ge=0, le=0.5)] = 0.0
    fast: Annotated[float, Meta(ge=0, le=0.5)] = 0.0
    colour_db: NonNegative = 0.0
    reverb: Fraction = 0.0
    reverb_s: Annotated[float, Meta(gt=0, le=2)] = 0.5
    mix: Fraction = 0.0
    mix_db: Annotated[float, Meta(le=0)] = -6.0
    noise_db: Annotated[float, Meta(le=0)] | None = None
    time_masks: Number = 0
    time_mask_s: NonNegative = 0.0
    band_masks: Number = 0
    band_mask_bins: Number = 0


class DepthAugment(Strict, frozen=True):
    """What a depth camera gets wrong.

    Attributes:
        noise: standard deviation at 1 m as a share; it grows with the square of the distance, as
            that of stereo does.
        scale: relative error of the unit, standard deviation, one draw per frame.
        holes: number of rectangles without a measurement.
        hole_share: side of the largest as a share of the frame's.
        dropout: share of single pixels without a measurement.
    """

    noise: NonNegative = 0.0
    scale: NonNegative = 0.0
    holes: Number = 0
    hole_share: Fraction = 0.2
    dropout: Fraction = 0.0


class ThermalAugment(Strict, frozen=True):
    """What a thermal camera gets wrong, in shares of the frame's range of values.

    Attributes:
        noise: standard deviation per pixel.
        columns: standard deviation per column: the stripes of uncooled sensors.
        offset: standard deviation of all pixels together: drift between corrections.
    """

    noise: NonNegative = 0.0
    columns: NonNegative = 0.0
    offset: NonNegative = 0.0


class ImuAugment(Strict, frozen=True):
    """Other mounts and other sensors; standard deviations unless said otherwise.

    Attributes:
        tilt_rad: rotation of the mount about the two horizontal axes. A rotation turns the specific
            force, gravity with it, and the angular rate alike.
        turn_rad: rotation of the mount about the vertical axis; pi and more is any direction.
        mirror: share of windows mirrored left to right.
        scale: relative scale of each channel.
        accel_bias_m_s2, gyro_bias_rad_s: constant offset of each channel.
        accel_noise_m_s2, gyro_noise_rad_s: white noise per sample.
        time_warp: largest change of speed as a share: time runs faster in one part of the window
            and slower in the other, its ends stay.
    """

    tilt_rad: NonNegative = 0.0
    turn_rad: NonNegative = 0.0
    mirror: Fraction = 0.0
    scale: NonNegative = 0.0
    accel_bias_m_s2: NonNegative = 0.0
    gyro_bias_rad_s: NonNegative = 0.0
    accel_noise_m_s2: NonNegative = 0.0
    gyro_noise_rad_s: NonNegative = 0.0
    time_warp: Annotated[float, Meta(ge=0, lt=1)] = 0.0


class Augmentation(Strict, frozen=True):
    """All of them, by what they change."""

    spatial: SpatialAugment = msgspec.field(default_factory=SpatialAugment)
    vision: VisionAugment = msgspec.field(default_factory=VisionAugment)
    audio: AudioAugment = msgspec.field(default_factory=AudioAugment)
    depth: DepthAugment = msgspec.field(default_factory=DepthAugment)
    thermal: ThermalAugment = msgspec.field(default_factory=ThermalAugment)
    imu: ImuAugment = msgspec.field(default_factory=ImuAugment)
