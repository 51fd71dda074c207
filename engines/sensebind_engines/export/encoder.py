# SPDX-License-Identifier: Apache-2.0
"""One encoder to its graph, its manifest entry and its golden rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from sensebind.errors import BundleError
from sensebind.preprocess.text import TextPreprocessor
from sensebind.specs import EncoderSpec, TextSpec
from sensebind.storage import sha256_of_file
from sensebind_engines.export.check import largest_difference, run_module, write_lean
from sensebind_engines.export.onnx_export import export_lean
from sensebind_engines.models.config import encoder_spec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.types import Features
    from sensebind_engines.models.config import EncoderConfig
    from sensebind_engines.models.encoder import Encoder

LARGEST_DIFFERENCE = 1e-5
"""A graph further than this from its torch module is a failed export."""

BATCHES = (1, 3, 8)
TOKENIZER = "tokenizer.json"
GOLDEN_TEXTS = ("A dog.", "a robot drives over rough ground", "rain on a tin roof at night")
_GOLDEN_ROWS = 2


class ExportedEncoder(NamedTuple):
    """What `export_encoder` made.

    Attributes:
        spec: the manifest's entry.
        golden: features and the vectors they must give, by tensor name.
        largest_difference: max |ONNX Runtime - torch| over `BATCHES`.
    """

    spec: EncoderSpec
    golden: dict[str, NDArray[Any]]
    largest_difference: float


def export_encoder(
    encoder: Encoder, folder: Path, batches: Sequence[int] = BATCHES
) -> ExportedEncoder:
    """Write ``<modality>.onnx`` (and its ``.data`` above 1.5 GB) and hold it against the module.

    Args:
        encoder: left in evaluation mode. Text: its configuration has the TextSpec of a tokenizer
            file that lies in `folder`, see `with_tokenizer`.
        folder: where the graph is written.
        batches: at which the graph is compared.

    Raises:
        BundleError: the graph breaks the bundle's contract or differs from the module.
    """
    spec = encoder_spec(encoder.config)
    path = folder / spec.onnx
    write_lean(export_lean(encoder, spec.inputs, spec.output.name), path)
    features = golden_features(encoder.config, folder)
    difference = largest_difference(path, encoder, features, batches)
    if not difference <= LARGEST_DIFFERENCE:
        raise BundleError(
            f"{path.name} differs from its torch module by {difference:.1e}, expected at most "
            f"{LARGEST_DIFFERENCE:.0e}; check the versions of torch, onnxscript and onnxruntime, "
            "and the weights for values that are not finite"
        )
    golden = {**features, spec.output.name: run_module(encoder, features)}
    return ExportedEncoder(spec, golden, difference)


def with_tokenizer(config: EncoderConfig, tokenizer: Path, max_tokens: int) -> EncoderConfig:
    """The text configuration with the tokenizer that lies in the bundle's folder."""
    spec = TextSpec(
        tokenizer=tokenizer.name,
        tokenizer_sha256=sha256_of_file(tokenizer),
        max_tokens=max_tokens,
    )
    return msgspec.structs.replace(config, preprocess=spec)


def golden_features(config: EncoderConfig, folder: Path) -> Features:
    """A few rows of features: drawn from a fixed seed, or of fixed texts by the tokenizer."""
    if isinstance(config.preprocess, TextSpec):
        tokenizer = TextPreprocessor(config.preprocess, folder / config.preprocess.tokenizer)
        return pad_tokens([tokenizer.prepare(text) for text in GOLDEN_TEXTS])
    (spec,) = encoder_spec(config).inputs
    shape = [axis for axis in spec.shape if isinstance(axis, int)]
    rng = np.random.default_rng(0)
    return {spec.name: rng.standard_normal((_GOLDEN_ROWS, *shape), dtype=np.float32)}


def pad_tokens(texts: Sequence[Features]) -> Features:
    """Texts of several lengths in one batch, padded with 0 at their ends."""
    length = max(text["input_ids"].size for text in texts)
    return {
        name: np.stack([np.pad(text[name], (0, length - text[name].size)) for text in texts])
        for name in ("input_ids", "attention_mask")
    }
