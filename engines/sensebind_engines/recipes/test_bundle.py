# SPDX-License-Identifier: Apache-2.0
"""A bundle of all six modalities whose weights are random: for tests, never shown as a model.

Written with `onnx` alone, in a second, the same bytes for the same seed. Every graph has the shape
of a real one (dynamic batch, units scaled inside, L2 norm at its end), so what handles it handles
a real bundle.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from sensebind.backends import open_engine
from sensebind.manifest import EdgeSpec, FileSpec, Manifest, encode_manifest
from sensebind.specs import (
    DepthSpec,
    EncoderSpec,
    ImuSpec,
    LogMelSpec,
    TensorSpec,
    TextSpec,
    ThermalSpec,
    VisionSpec,
    WindowSpec,
)
from sensebind.storage import atomic_path, sha256_of_file
from sensebind.types import Modality
from sensebind_engines.recipes.test_graphs import FeatureGraph, feature_graph, text_graph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto

DIM = 32
PICTURE_SIZE = 32
MAX_TOKENS = 16
GOLDEN_BATCH = 2

WORDS = (
    *("a", "an", "the", "of", "on", "is", "and", "robot", "floor", "wall", "door", "hand", "cat"),
    *("dog", "car", "cup", "chair", "red", "green", "blue", "bright", "dark", "loud", "quiet"),
    *("alarm", "voice", "motor", "impact", "standing", "still", "driving", "straight", "turning"),
    *("rough", "smooth", "ramp", "bump", "falling", "carpet", "tile", "wood"),
)
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")

_PREPROCESS: dict[Modality, Any] = {
    Modality.VISION: VisionSpec(
        size=PICTURE_SIZE, mean=(0.481, 0.458, 0.408), std=(0.269, 0.261, 0.276)
    ),
    Modality.AUDIO: LogMelSpec(),
    Modality.DEPTH: DepthSpec(
        size=PICTURE_SIZE, representation="disparity", mean=0.0418, std=0.0295, focal_px=525.0
    ),
    Modality.THERMAL: ThermalSpec(size=PICTURE_SIZE),
    Modality.IMU: ImuSpec(rate_hz=100.0),
}
_WINDOWS = {
    Modality.VISION: WindowSpec(length_s=0.5, hop_s=0.5),
    Modality.AUDIO: WindowSpec(length_s=2.0, hop_s=0.5),
    Modality.DEPTH: WindowSpec(length_s=0.5, hop_s=0.5),
    Modality.THERMAL: WindowSpec(length_s=0.5, hop_s=0.5),
    Modality.IMU: WindowSpec(length_s=1.0, hop_s=0.5),
}
_GRAPHS = {
    Modality.VISION: FeatureGraph((3, PICTURE_SIZE, PICTURE_SIZE), kernel=8),
    Modality.AUDIO: FeatureGraph((1, 128, 204), kernel=16),
    Modality.DEPTH: FeatureGraph((1, PICTURE_SIZE, PICTURE_SIZE), kernel=8),
    Modality.THERMAL: FeatureGraph((1, PICTURE_SIZE, PICTURE_SIZE), kernel=8),
    Modality.IMU: FeatureGraph((6, 100), kernel=5, scale=(1 / 9.81,) * 3 + (1.0,) * 3),
}


def build_test_bundle(out: Path, *, seed: int = 0) -> Path:
    """Write the test bundle into the folder `out` and return it.

    Args:
        out: folder to make; files of an earlier build are replaced.
        seed: of every random weight; another seed is another space.
    """
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "tokenizer.json", _tokenizer().to_str(pretty=True).encode())
    encoders = {modality: _encoder(out, modality) for modality in Modality}
    for index, (modality, spec) in enumerate(encoders.items()):
        rng = np.random.default_rng((seed, index))
        _write(out / spec.onnx, _graph(modality, rng).SerializeToString(deterministic=True))
    _write(out / "golden.npz", _golden(out, encoders, seed))
    _write(
        out / "EVALUATION.md", b"# Test bundle\n\nRandom weights: there is nothing to evaluate.\n"
    )
    _write(out / "bundle.json", encode_manifest(_manifest(out, encoders, seed)))
    return out


def _encoder(out: Path, modality: Modality) -> EncoderSpec:
    output = TensorSpec(name="embedding", dtype="float32", shape=("batch", DIM))
    if modality is Modality.TEXT:
        digest = sha256_of_file(out / "tokenizer.json")
        return EncoderSpec(
            onnx="text.onnx",
            inputs=tuple(
                TensorSpec(name=name, dtype="int64", shape=("batch", "tokens"))
                for name in ("input_ids", "attention_mask")
            ),
            output=output,
            preprocess=TextSpec(
                tokenizer="tokenizer.json", tokenizer_sha256=digest, max_tokens=MAX_TOKENS
            ),
        )
    shape: tuple[int | str, ...] = ("batch", *_GRAPHS[modality].shape)
    return EncoderSpec(
        onnx=f"{modality}.onnx",
        inputs=(TensorSpec(name="features", dtype="float32", shape=shape),),
        output=output,
        preprocess=_PREPROCESS[modality],
        window=_WINDOWS[modality],
    )


def _graph(modality: Modality, rng: np.random.Generator) -> ModelProto:
    if modality is Modality.TEXT:
        return text_graph(len(_SPECIAL) + len(WORDS), DIM, rng)
    return feature_graph(_GRAPHS[modality], DIM, rng)


def _tokenizer() -> Tokenizer:
    """One token per known word, sentences between [CLS] and [SEP]."""
    vocabulary = {word: i for i, word in enumerate((*_SPECIAL, *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, _SPECIAL[1]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _golden(out: Path, encoders: Mapping[Modality, EncoderSpec], seed: int) -> bytes:
    """Random features of each modality and what ONNX Runtime makes of them in FP32."""
    arrays: dict[str, Any] = {}
    for index, (modality, spec) in enumerate(encoders.items()):
        rng = np.random.default_rng((seed, index, 1))
        features = _golden_features(modality, spec, rng)
        engine = open_engine("onnxruntime", out / spec.onnx, spec.inputs, spec.output)
        arrays |= {f"{modality}/{name}": array for name, array in features.items()}
        arrays[f"{modality}/embedding"] = engine.run(features)
        engine.close()
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def _golden_features(
    modality: Modality, spec: EncoderSpec, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    if modality is Modality.TEXT:
        ids = rng.integers(len(_SPECIAL), len(_SPECIAL) + len(WORDS), (GOLDEN_BATCH, 5))
        ids[:, 0], ids[:, -1] = _SPECIAL.index("[CLS]"), _SPECIAL.index("[SEP]")
        return {"input_ids": ids.astype(np.int64), "attention_mask": np.ones_like(ids)}
    shape = (GOLDEN_BATCH, *_GRAPHS[modality].shape)
    return {spec.inputs[0].name: rng.standard_normal(shape, dtype=np.float32)}


def _manifest(out: Path, encoders: dict[Modality, EncoderSpec], seed: int) -> Manifest:
    names = sorted(p.name for p in out.iterdir() if p.is_file() and p.name != "bundle.json")
    return Manifest(
        format=1,
        name="test",
        kind="test",
        dim=DIM,
        anchor=(Modality.VISION, Modality.TEXT),
        encoders=encoders,
        files={
            n: FileSpec(sha256=sha256_of_file(out / n), bytes=(out / n).stat().st_size)
            for n in names
        },
        licence="Apache-2.0",
        binding_graph=tuple(
            EdgeSpec(source=source, target=Modality.VISION, loss="none", trained=False)
            for source in (Modality.AUDIO, Modality.DEPTH, Modality.THERMAL, Modality.IMU)
        ),
        golden="golden.npz",
        evaluation="EVALUATION.md",
        training={"weights": "random", "seed": seed},
    )


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
