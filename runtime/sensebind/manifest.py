# SPDX-License-Identifier: Apache-2.0
"""The manifest of a bundle: every number needed to reproduce an embedding, and the ids.

`bundle.json` is decoded straight into these types, so its schema is this file. Ids are defined
here because every stored vector carries them:

* `encoder_id` hashes the encoder's FP32 ONNX bytes, its preprocessing and its window length:
  whatever could change a vector. The default hop and the least coverage cannot.
* `space_id` hashes the anchor towers' encoder_ids and the dimension: vectors may be compared
  if and only if it matches.
* `bundle_id` hashes the manifest's bytes, for integrity only.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sensebind.errors import BundleError
from sensebind.types import Modality

FORMAT_VERSION = 1

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Interpolation = Literal["linear", "cubic"]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unknown keys are errors: a misspelt constant must not be ignored."""


class ImuSpec(_Strict, frozen=True, tag="imu", tag_field="type"):
    """IMU features: float32 [6, T], T = length_s * rate_hz, in `channels` order.

    Attributes:
        rate_hz: rate of the resampled features.
        interpolation: "linear" or "cubic" (4-point, non-uniform Catmull-Rom).
        max_interval_s: longest spacing of samples that still counts as covered.
        gap_limit_s: longer spacings end the segment.
        channels: order of the feature rows.
        units: unit of the accelerometer and of the gyroscope rows.
        frame: axes of the features.
        assumed: names of fields the model's authors never published.
    """

    rate_hz: Positive
    interpolation: Interpolation = "cubic"
    max_interval_s: Positive = 0.05
    gap_limit_s: Positive = 0.25
    channels: tuple[str, ...] = ("ax", "ay", "az", "gx", "gy", "gz")
    units: tuple[str, ...] = ("m/s^2", "rad/s")
    frame: str = "FLU body axes (REP 103)"
    assumed: tuple[str, ...] = ()


class VisionSpec(_Strict, frozen=True, tag="vision", tag_field="type"):
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


class TextSpec(_Strict, frozen=True, tag="text", tag_field="type"):
    """Token ids and attention mask, int64 [tokens], from a tokenizers file of the bundle."""

    tokenizer: str
    tokenizer_sha256: Sha256
    max_tokens: Count


class LogMelSpec(_Strict, frozen=True, tag="log_mel", tag_field="type"):
    """Kaldi-style log-mel features: float32 [1, mel_bins, frames].

    Defaults are ImageBind's front end (Kaldi fbank arguments, 16 kHz, 25/10 ms Hann frames).
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
    channels: Literal["first", "mean"] = "first"
    gap_limit_s: Positive = 0.25


class DepthSpec(_Strict, frozen=True, tag="depth", tag_field="type"):
    """Depth features: float32 [1, size, size] of (value - mean) / std.

    `representation` "disparity" is baseline_m * focal_px / depth, "metric" is clipped metres.
    """

    size: Count
    representation: Literal["disparity", "metric"]
    mean: float
    std: Positive
    range_m: tuple[Positive, Positive] = (0.01, 50.0)
    baseline_m: Positive = 0.075
    frame_positions: Annotated[tuple[Fraction, ...], Meta(min_length=1)] = (1.0,)
    max_age_s: Positive | None = None


class ThermalSpec(_Strict, frozen=True, tag="thermal", tag_field="type"):
    """Thermal features: float32 [1, size, size] of (grey - mean) / std."""

    size: Count
    mean: float = 0.0
    std: Positive = 1.0
    frame_positions: Annotated[tuple[Fraction, ...], Meta(min_length=1)] = (1.0,)
    max_age_s: Positive | None = None


Preprocess = ImuSpec | VisionSpec | TextSpec | LogMelSpec | DepthSpec | ThermalSpec

SPEC_OF_MODALITY: dict[Modality, type[_Strict]] = {
    Modality.IMU: ImuSpec,
    Modality.VISION: VisionSpec,
    Modality.TEXT: TextSpec,
    Modality.AUDIO: LogMelSpec,
    Modality.DEPTH: DepthSpec,
    Modality.THERMAL: ThermalSpec,
}


class WindowSpec(_Strict, frozen=True):
    """Length, default hop and least coverage of a modality's windows."""

    length_s: Positive
    hop_s: Positive
    min_coverage: Annotated[float, Meta(gt=0, le=1)] = 0.9


class TensorSpec(_Strict, frozen=True):
    """Name, dtype and shape of a graph input or output; a string is a dynamic axis."""

    name: str
    dtype: Literal["float32", "float16", "int64"]
    shape: tuple[int | str, ...]


class EncoderSpec(_Strict, frozen=True):
    """One modality's engine and everything done before it."""

    onnx: str
    inputs: Annotated[tuple[TensorSpec, ...], Meta(min_length=1)]
    output: TensorSpec
    preprocess: Preprocess
    window: WindowSpec | None = None


class EdgeSpec(_Strict, frozen=True):
    """One edge of the binding graph; untrained edges are what emerged."""

    source: Modality
    target: Modality
    loss: str
    trained: bool
    temperature: Positive | None = None


class FileSpec(_Strict, frozen=True):
    """Integrity of one file of the bundle."""

    sha256: Sha256
    bytes: Annotated[int, Meta(ge=0)]


class Manifest(_Strict, frozen=True):
    """All of `bundle.json`; field meanings in the classes above."""

    format: int
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    kind: Literal["model", "test"]
    dim: Annotated[int, Meta(ge=1, le=65536)]
    anchor: tuple[Modality, ...]
    encoders: dict[Modality, EncoderSpec]
    files: dict[str, FileSpec]
    licence: str
    binding_graph: tuple[EdgeSpec, ...] = ()
    golden: str | None = None
    evaluation: str | None = None
    training: dict[str, object] = {}

    def __post_init__(self) -> None:
        """Check what fields promise each other."""
        _check_format(self.format)
        if not self.anchor or len(set(self.anchor)) != len(self.anchor):
            raise BundleError(
                f"anchor is {[m.value for m in self.anchor]}, expected one or more modalities, "
                "each once"
            )
        for modality in self.anchor:
            if modality not in self.encoders:
                raise BundleError(f"anchor names {modality.value!r}, which has no encoder")
        for modality, encoder in self.encoders.items():
            self._check_encoder(modality, encoder)
        named = [self.golden, self.evaluation, *(e.onnx for e in self.encoders.values())]
        for name in named:
            if name is not None and name not in self.files:
                raise BundleError(f"{name!r} is used but not listed in 'files' with its sha256")

    def _check_encoder(self, modality: Modality, encoder: EncoderSpec) -> None:
        where = f"encoders.{modality.value}"
        expected = SPEC_OF_MODALITY[modality]
        if not isinstance(encoder.preprocess, expected):
            raise BundleError(
                f"{where}.preprocess has type {type(encoder.preprocess).__name__}, "
                f"expected {expected.__name__} for this modality"
            )
        if encoder.output.shape != ("batch", self.dim) or encoder.output.dtype != "float32":
            raise BundleError(
                f"{where}.output is {encoder.output.dtype} {list(encoder.output.shape)}, "
                f"expected float32 ['batch', {self.dim}] (dim of the bundle)"
            )
        if (encoder.window is None) != (modality is Modality.TEXT):
            raise BundleError(f"{where}.window must be given for every modality but text")
        if modality is Modality.TEXT and isinstance(encoder.preprocess, TextSpec):
            listed = self.files.get(encoder.preprocess.tokenizer)
            if listed is None or listed.sha256 != encoder.preprocess.tokenizer_sha256:
                raise BundleError(
                    f"{where}.preprocess.tokenizer {encoder.preprocess.tokenizer!r} must be "
                    "listed in 'files' with the same sha256"
                )
        found = {t.name: (t.dtype, t.shape) for t in encoder.inputs}
        wanted = _input_tensors(encoder)
        if (found if modality is Modality.TEXT else set(found.values())) != wanted:
            raise BundleError(
                f"{where}.inputs are {found}, but its preprocessing and window make {wanted}"
            )

    def encoder_id(self, modality: Modality) -> str:
        """Identity of the encoder of `modality`: 64 hex digits."""
        encoder = self.encoders[modality]
        data = self.files.get(f"{encoder.onnx}.data")
        identity = {
            "onnx": self.files[encoder.onnx].sha256,
            "data": data.sha256 if data else None,
            "preprocess": _identity(encoder.preprocess),
            "length_s": encoder.window.length_s if encoder.window else None,
        }
        return _digest(identity)

    @property
    def space_id(self) -> str:
        """Identity of the embedding space: 64 hex digits."""
        return _digest(
            {"anchor": [self.encoder_id(m) for m in sorted(self.anchor)], "dim": self.dim}
        )


class _Format(msgspec.Struct):
    """The one field that every format has."""

    format: int


def _check_format(version: int) -> None:
    if version != FORMAT_VERSION:
        raise BundleError(
            f"bundle format {version} is not supported, expected {FORMAT_VERSION}; "
            "rebuild the bundle or install the matching SenseBind"
        )


def _input_tensors(encoder: EncoderSpec) -> object:
    """What an encoder must take: dtype and shape by name for text, of one tensor else."""
    spec = encoder.preprocess
    if isinstance(spec, TextSpec):
        tokens = ("int64", ("batch", "tokens"))
        return {"input_ids": tokens, "attention_mask": tokens}
    return {("float32", ("batch", *features_shape(encoder)))}


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


def _identity(spec: Preprocess) -> dict[str, object]:
    """The type and the fields that differ from their defaults.

    A later version may add fields; at their defaults they must not change ids of old bundles.
    """
    identity: dict[str, object] = {"type": type(spec).__struct_config__.tag}
    for field in msgspec.structs.fields(spec):
        value = getattr(spec, field.name)
        if value != field.default:
            identity[field.name] = value
    return identity


def _digest(value: object) -> str:
    canonical = msgspec.json.encode(msgspec.to_builtins(value), order="sorted")
    return hashlib.sha256(canonical).hexdigest()


def decode_manifest(text: bytes) -> Manifest:
    """Decode and validate the bytes of a `bundle.json`.

    Raises:
        BundleError: naming the field, what was found and what was expected.
    """
    try:
        # Before all else: another format may have other fields.
        _check_format(msgspec.json.decode(text, type=_Format).format)
        return msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"bundle.json is not a valid manifest: {error}") from None


def encode_manifest(manifest: Manifest) -> bytes:
    """Encode a manifest as the readable bytes of a `bundle.json`."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
