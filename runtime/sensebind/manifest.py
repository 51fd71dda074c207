# SPDX-License-Identifier: Apache-2.0
"""The manifest of a bundle: every number needed to reproduce an embedding, and the ids.

`bundle.json` is decoded straight into these types, so its schema is
this file and `sensebind.specs`. Ids are defined
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
from sensebind.json_text import NOT_JSON
from sensebind.specs import (
    SPEC_OF_MODALITY,
    EncoderSpec,
    Positive,
    Sha256,
    Strict,
    TextSpec,
    features_shape,
    identity,
)
from sensebind.types import Modality

FORMAT_VERSION = 1


class EdgeSpec(Strict, frozen=True):
    """One edge of the binding graph; untrained edges are what emerged.

    Attributes:
        source, target: the modalities it joins.
        loss: what it was trained with.
        trained: whether it was trained.
        temperature: of the loss.
    """

    source: Modality
    target: Modality
    loss: str
    trained: bool
    temperature: Positive | None = None


class FileSpec(Strict, frozen=True):
    """Integrity of one file of the bundle.

    Attributes:
        sha256: of its bytes, 64 hex digits.
        bytes: their number.
    """

    sha256: Sha256
    bytes: Annotated[int, Meta(ge=0)]


class Manifest(Strict, frozen=True):
    """All of `bundle.json`.

    Attributes:
        format: version of this layout.
        name: of the bundle.
        kind: "model", or "test" for one whose vectors mean nothing.
        dim: length of every vector.
        anchor: modalities whose frozen towers make the space.
        encoders: by modality.
        files: every file but `bundle.json`, by its name in the folder.
        licence: of the weights, as SPDX names it where it can.
        binding_graph: the edges between modalities.
        golden: the file with features and the vectors they give.
        evaluation: the file with what was measured.
        training: how it was made; free in form.
    """

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
    training: dict[str, object] = msgspec.field(default_factory=dict)

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
        encoders = self.encoders.values()
        forms = [form for e in encoders for form in (e.fp16, e.int8) if form is not msgspec.UNSET]
        graphs = [*(e.onnx for e in encoders), *(form.onnx for form in forms)]
        named = [self.golden, self.evaluation, *graphs]
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
        told = {
            "onnx": self.files[encoder.onnx].sha256,
            "data": data.sha256 if data else None,
            "preprocess": identity(encoder.preprocess),
            "length_s": encoder.window.length_s if encoder.window else None,
        }
        return _digest(told)

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
        tokens = ("int64", ("batch", spec.pad_to or "tokens"))
        names = ["input_ids", *(["attention_mask"] if spec.attention_mask else [])]
        return dict.fromkeys(names, tokens)
    return {("float32", ("batch", *features_shape(encoder)))}


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
    except NOT_JSON as error:
        raise BundleError(f"bundle.json is not a valid manifest: {error}") from None


def encode_manifest(manifest: Manifest) -> bytes:
    """Encode a manifest as the readable bytes of a `bundle.json`."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
