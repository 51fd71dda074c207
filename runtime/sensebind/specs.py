# SPDX-License-Identifier: Apache-2.0
"""What a manifest says of one encoder: its preprocessing, window and tensors.

The meaning of every constant of a front end is told here, and only here. A field left at its
default is not part of an encoder's identity, so a default never changes once it is released.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sensebind.errors import BundleError
from sensebind.types import Modality

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Interpolation = Literal["linear", "cubic"]
Antialias = Literal["triangle", "none"]
ChannelPolicy = Literal["first", "mean"]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unknown keys are errors: a misspelt constant must not be ignored."""


def identity(settings: msgspec.Struct) -> dict[str, object]:
    """What settings are known by: their tag, and the fields that differ from their defaults.

    A later version may add fields; at their defaults they must not make old settings other ones.
    """
    told: dict[str, object] = {"type": type(settings).__struct_config__.tag}
    for field in msgspec.structs.fields(settings):
        value = getattr(settings, field.name)
        if value != field.default:
            told[field.name] = value
    return told


class ImuSpec(Strict, frozen=True, tag="imu", tag_field="type"):
    """IMU features: float32 [6, T], T = length_s * rate_hz, in `channels` order.

    Attributes:
        rate_hz: rate of the resampled features.
        interpolation: "linear" or "cubic" (4-point, non-uniform Catmull-Rom).
        max_interval_s: longest spacing of samples that still counts as covered.
        gap_limit_s: longer spacings end the segment.
        antialias: what keeps vibration above half of `rate_hz` out of the features when the input
            is faster than they are: "triangle" averages it, "none" interpolates all the same.
        channels: order of the feature rows.
        units: unit of the accelerometer and of the gyroscope rows.
        frame: axes of the features.
        assumed: names of fields the model's authors never published.
    """

    rate_hz: Positive
    interpolation: Interpolation = "cubic"
    max_interval_s: Positive = 0.05
    gap_limit_s: Positive = 0.25
    antialias: Antialias = "triangle"
    channels: tuple[str, ...] = ("ax", "ay", "az", "gx", "gy", "gz")
    units: tuple[str, ...] = ("m/s^2", "rad/s")
    frame: str = "FLU body axes (REP 103)"
    assumed: tuple[str, ...] = ()


class VisionSpec(Strict, frozen=True, tag="vision", tag_field="type"):
    """RGB features: float32 [3, size, size] of (pixel / 255 - mean) / std, frames stacked first.

    Attributes:
        size: side of the square input in pixels.
        fit: "stretch" resizes both sides, "short_side_crop" resizes the short one and crops.
        resize_to: short side before the crop; `size` if None.
        interpolation: Pillow's resampling filter.
        mean: per RGB channel, of values 0..1.
        std: per RGB channel, of values 0..1.
        channel_order: order of the feature planes.
        frame_positions: where in the window the frames are taken, 0 its start and 1 its end.
        max_age_s: oldest frame a grid instant may use; two frame periods if None.
    """

    size: Count
    mean: tuple[float, float, float]
    std: tuple[Positive, Positive, Positive]
    fit: Literal["stretch", "short_side_crop"] = "short_side_crop"
    resize_to: Count | None = None
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    channel_order: Literal["rgb"] = "rgb"
    frame_positions: Annotated[tuple[Fraction, ...], Meta(min_length=1)] = (1.0,)
    max_age_s: Positive | None = None


class TextSpec(Strict, frozen=True, tag="text", tag_field="type"):
    """Token ids and attention mask, int64 [tokens], from a tokenizers file of the bundle.

    Attributes:
        tokenizer: name of the file.
        tokenizer_sha256: of its bytes, so that it is part of the encoder's identity.
        max_tokens: longer texts lose words; what the tokenizer puts around them stays.
        pad_to: length every text is padded to at its end, for graphs of a fixed shape (ImageBind
            and CLIP: 77); none if None.
        pad_id: id of the padding.
        attention_mask: whether the graph takes the mask (1 for a token, 0 for padding) beside the
            ids.
    """

    tokenizer: str
    tokenizer_sha256: Sha256
    max_tokens: Count
    pad_to: Count | None = None
    pad_id: Annotated[int, Meta(ge=0)] = 0
    attention_mask: bool = True


class LogMelSpec(Strict, frozen=True, tag="log_mel", tag_field="type"):
    """Kaldi-style log-mel features: float32 [1, mel_bins, frames].

    Defaults are ImageBind's front end (Kaldi fbank arguments, 16 kHz, 25/10 ms Hann frames);
    docs/preprocessing.md has the formulas.

    Attributes:
        rate_hz: rate of the waveform the frames are cut from.
        frame_length_s: span of one frame; a whole number of samples.
        frame_shift_s: time between the starts of frames; a whole number of samples.
        mel_bins: filters, and rows of the features.
        frames: columns of the features; missing ones are padded, further ones cut.
        low_hz: left foot of the first filter.
        high_hz: right foot of the last filter.
        preemphasis: share of the sample before that is taken off each sample.
        fft_size: points of the Fourier transform, a power of two; frames are padded with zeros.
        mean: taken off the logarithms, padding included.
        std: divides what is left.
        channels: which channel, or the mean of all, is the waveform.
        gap_limit_s: longer pauses end the segment.
        remove_dc: whether each frame's mean is taken off it.
        window: "hann" as Kaldi's "hanning" (both ends zero), "hann_periodic", "hamming", Kaldi's
            "povey", or "rectangular".
        spectrum: whether filters sum the squared magnitudes or the magnitudes.
        mel_scale: "htk" is 1127 ln(1 + f/700); "slaney" is linear below 1 kHz.
        mel_slopes: whether filters are triangles over mel (Kaldi) or over Hz.
        mel_norm: "slaney" gives each filter the area 1 over Hz; "none" the height 1.
        logarithm: "natural", "log10" or "decibel" (10 log10).
        log_floor: smaller sums count as this; the default is float32's epsilon.
    """

    rate_hz: Positive = 16000.0
    frame_length_s: Positive = 0.025
    frame_shift_s: Positive = 0.010
    mel_bins: Count = 128
    frames: Count = 204
    low_hz: Annotated[float, Meta(ge=0)] = 20.0
    high_hz: Positive = 8000.0
    preemphasis: Fraction = 0.97
    fft_size: Count = 512
    mean: float = -4.268
    std: Positive = 9.138
    channels: ChannelPolicy = "first"
    gap_limit_s: Positive = 0.25
    remove_dc: bool = True
    window: Literal["hann", "hann_periodic", "hamming", "povey", "rectangular"] = "hann"
    spectrum: Literal["power", "magnitude"] = "power"
    mel_scale: Literal["htk", "slaney"] = "htk"
    mel_slopes: Literal["mel", "hz"] = "mel"
    mel_norm: Literal["none", "slaney"] = "none"
    logarithm: Literal["natural", "log10", "decibel"] = "natural"
    log_floor: Annotated[float, Meta(ge=1e-30)] = 2.0**-23


class DepthSpec(Strict, frozen=True, tag="depth", tag_field="type"):
    """Depth features: float32 [1, size, size] of (value - mean) / std.

    Attributes:
        size: side of the square input in pixels.
        representation: "disparity" is baseline_m * focal length / depth, "metric" is metres.
        mean: of values.
        std: of values.
        range_m: nearest and farthest depth that counts as measured.
        baseline_m: of disparities. Any camera can be told as if it had this baseline; 1 leaves
            focal length / depth.
        frame_positions: where in the window the frames are taken, 0 its start and 1 its end.
        max_age_s: oldest frame a grid instant may use; two frame periods if None.
        out_of_range: depths outside `range_m` are a "hole" (REP 117) or "clip" to its ends.
        hole: value of pixels without depth, before the normalisation; 0 is infinitely far as a
            disparity.
        focal_px: focal length along x in pixels of the frame, for streams that tell none.
        focal_of: what the focal length of a disparity counts: pixels of the "frame", or of the
            resized "features", which makes disparities independent of the camera's resolution.
        resize_to: short side before the crop; `size` if None.
        interpolation: "bilinear" over measured neighbours, or "nearest".
    """

    size: Count
    representation: Literal["disparity", "metric"]
    mean: float
    std: Positive
    range_m: tuple[Positive, Positive] = (0.01, 50.0)
    baseline_m: Positive = 0.075
    frame_positions: Annotated[tuple[Fraction, ...], Meta(min_length=1)] = (1.0,)
    max_age_s: Positive | None = None
    out_of_range: Literal["hole", "clip"] = "hole"
    hole: float = 0.0
    focal_px: Positive | None = None
    focal_of: Literal["frame", "features"] = "frame"
    resize_to: Count | None = None
    interpolation: Literal["bilinear", "nearest"] = "bilinear"


class ThermalSpec(Strict, frozen=True, tag="thermal", tag_field="type"):
    """Thermal features: float32 [1, size, size] of (grey - mean) / std, grey 0 to 1.

    Attributes:
        size: side of the square input in pixels.
        mean: of grey; ImageBind's own is not to normalise.
        std: of grey.
        frame_positions: where in the window the frames are taken, 0 its start and 1 its end.
        max_age_s: oldest frame a grid instant may use; two frame periods if None.
        range_c: degrees Celsius that are grey 0 and 1, for counts whose temperature is known; each
            frame has a window of its own if None. 8-bit frames are grey already.
        percentiles: of a frame's counts that are grey 0 and 1, where `range_c` is None.
        resize_to: short side before the crop; `size` if None.
        interpolation: Pillow's resampling filter.
    """

    size: Count
    mean: float = 0.0
    std: Positive = 1.0
    frame_positions: Annotated[tuple[Fraction, ...], Meta(min_length=1)] = (1.0,)
    max_age_s: Positive | None = None
    range_c: tuple[float, float] | None = None
    percentiles: tuple[Percent, Percent] = (1.0, 99.0)
    resize_to: Count | None = None
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"


Preprocess = ImuSpec | VisionSpec | TextSpec | LogMelSpec | DepthSpec | ThermalSpec

SPEC_OF_MODALITY: dict[Modality, type[Strict]] = {
    Modality.IMU: ImuSpec,
    Modality.VISION: VisionSpec,
    Modality.TEXT: TextSpec,
    Modality.AUDIO: LogMelSpec,
    Modality.DEPTH: DepthSpec,
    Modality.THERMAL: ThermalSpec,
}


class WindowSpec(Strict, frozen=True):
    """Length, default hop and least coverage of a modality's windows.

    Attributes:
        length_s: of a window.
        hop_s: between windows, where a run asks for none.
        min_coverage: share of a window that must have been sensed.
    """

    length_s: Positive
    hop_s: Positive
    min_coverage: Annotated[float, Meta(gt=0, le=1)] = 0.9


class TensorSpec(Strict, frozen=True):
    """One input or output of a graph.

    Attributes:
        name: in the graph.
        dtype: of its elements.
        shape: a text is a dynamic axis.
    """

    name: str
    dtype: Literal["float32", "float16", "int64"]
    shape: tuple[int | str, ...]


class HalfSpec(Strict, frozen=True):
    """The encoder's graph in half precision with FP32 islands, and how it was found to be safe.

    Attributes:
        onnx: its file.
        softmax: type the softmax inside attention computes in.
        islands: values of the FP32 graph that were seen too large for half.
        island_share: share of the products' multiplications that stay FP32, 0 to 1.
        largest_activation: largest |value| seen anywhere.
        rows: windows it was measured on.
        strict_cosine: smallest cosine of strictly rounded vectors to FP32 ones; None where the
            network is too large to be evaluated so.
    """

    onnx: str
    softmax: Literal["fp32", "fp16"]
    islands: tuple[str, ...]
    island_share: Annotated[float, Meta(ge=0, le=1)]
    largest_activation: Annotated[float, Meta(ge=0)]
    rows: Count
    strict_cosine: float | None


LEAST_ENGINE_COSINE = 0.999
"""Of a compiled engine's vectors to the golden FP32 ones, where a bundle asks for nothing else."""


class Int8Spec(Strict, frozen=True):
    """The encoder's graph with products of 8-bit integers, for CPUs, and how near it was found.

    Attributes:
        onnx: its file.
        method: "dynamic": inputs of products are scaled by what each run brings; "static": by what
            was seen on features.
        product_share: share of the multiplications that are of integers, 0 to 1.
        rows: windows it was measured on, none of which it was calibrated on.
        least_cosine: smallest cosine of a vector to its FP32 one.
        mean_cosine: mean over the windows.
    """

    onnx: str
    method: Literal["dynamic", "static"]
    product_share: Annotated[float, Meta(ge=0, le=1)]
    rows: Count
    least_cosine: float
    mean_cosine: float


class EncoderSpec(Strict, frozen=True):
    """One modality's engine and all done before it; what it has no graph of is left out.

    `fp16`, `int8` and `engine_cosine` are no part of the encoder's identity.

    Attributes:
        onnx: file of the FP32 graph.
        inputs: of the graph.
        output: of the graph.
        preprocess: what is done before it; `type` tells which of the sections below it is.
        window: what is cut from the stream; none for text.
        fp16: another form of the graph.
        int8: another form of the graph.
        engine_cosine: least cosine to the golden FP32 vectors with which a compiled engine is used;
            0.999 where it is left out.
    """

    onnx: str
    inputs: Annotated[tuple[TensorSpec, ...], Meta(min_length=1)]
    output: TensorSpec
    preprocess: Preprocess
    window: WindowSpec | None = None
    fp16: HalfSpec | msgspec.UnsetType = msgspec.UNSET
    int8: Int8Spec | msgspec.UnsetType = msgspec.UNSET
    engine_cosine: Annotated[float, Meta(gt=0, le=1)] | msgspec.UnsetType = msgspec.UNSET


def features_shape(encoder: EncoderSpec) -> tuple[int, ...]:
    """Shape of one window's features, without the batch axis.

    Raises:
        BundleError: for text, whose features have no fixed shape.
    """
    spec = encoder.preprocess
    if isinstance(spec, TextSpec) or encoder.window is None:
        raise BundleError("text features have as many tokens as the text")
    if isinstance(spec, ImuSpec):
        return (len(spec.channels), round(encoder.window.length_s * spec.rate_hz))
    if isinstance(spec, LogMelSpec):
        return (1, spec.mel_bins, spec.frames)
    channels = 3 if isinstance(spec, VisionSpec) else 1
    count = len(spec.frame_positions)
    return (*([count] if count > 1 else []), channels, spec.size, spec.size)
