# SPDX-License-Identifier: Apache-2.0
"""``<modality>.fp16.onnx`` beside ``<modality>.onnx``: only what keeps its vectors is written.

The robot has no torch to make it, so it is made where the bundle is. Which values need FP32 is
measured on real features; what is then left in half is run under strict rounding where the network
is small enough for it, and held against the FP32 vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.errors import BundleError
from sensebind.specs import HalfSpec
from sensebind_engines.evaluation.metrics import cosines
from sensebind_engines.export.check import run_graph, write_lean
from sensebind_engines.export.lean import full_graph
from sensebind_engines.export.stored import read_lean
from sensebind_engines.half.graph import with_half_weights
from sensebind_engines.half.islands import (
    LARGEST_ACTIVATION,
    fp32_nodes,
    product_costs,
    wide_values,
)
from sensebind_engines.half.observed import observe
from sensebind_engines.half.strict import run_strictly

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.types import Features
    from sensebind_engines.export.lean import LeanGraph
    from sensebind_engines.half.islands import Softmax

MOST_ISLANDS = 0.3
"""Share of the products' multiplications beyond which a half graph gains too little to be worth
its risk."""

LEAST_COSINE = 0.999
"""Of strictly rounded vectors to FP32 ones."""

STRICT_MULTIPLICATIONS = 300_000_000
"""Networks of more are not run strictly: the evaluator would take minutes a row."""

HALF_ROWS = 64
"""Rows of features on which it is looked how large values become, where there are so many."""

_STRICT_ROWS = 4


def export_half(path: Path, features: Features, softmax: Softmax = "fp32") -> HalfSpec:
    """Write the half graph of an FP32 one beside it, if it keeps the vectors.

    Args:
        path: the FP32 graph ``<modality>.onnx``.
        features: rows like those the encoder will meet, by input name; they decide what stays FP32.
        softmax: type of the softmax inside attention. FP32 is safer; whether half lets a device
            fuse more has to be measured there.

    Returns:
        the manifest's entry.

    Raises:
        BundleError: too much would have to stay FP32, or strictly rounded vectors differ; nothing
            is written.
        InputError: a value is not finite in FP32 already.
    """
    graph = read_lean(path)
    observed = observe(path, features)
    wide = wide_values(observed)
    islands = fp32_nodes(graph, wide, softmax)
    costs = product_costs(graph.model, observed.shapes)
    multiplications = sum(costs.values())
    share = sum(costs[index] for index in islands & costs.keys()) / max(multiplications, 1)
    if share > MOST_ISLANDS:
        worst = sorted(wide, key=lambda name: -observed.largest[name])[:3]
        raise BundleError(
            f"{path.name}: {share:.0%} of its products would stay FP32 because of values beyond "
            f"{LARGEST_ACTIVATION:.0f} (largest: "
            f"{', '.join(f'{name} {observed.largest[name]:.0f}' for name in worst)}); expected at "
            f"most {MOST_ISLANDS:.0%}. Scale the features, or train with weight decay, or use FP32"
        )
    half = with_half_weights(graph, islands)
    strict = None
    if multiplications <= STRICT_MULTIPLICATIONS:
        strict = _strict_cosine(half, path, features)
    if strict is not None and strict < LEAST_COSINE:
        raise BundleError(
            f"{path.name}: in half, strictly rounded, a vector has cosine {strict:.4f} to its FP32 "
            f"one, expected at least {LEAST_COSINE}; try softmax fp32, or use FP32"
        )
    written = path.with_name(f"{path.stem}.fp16.onnx")
    write_lean(half, written)
    return HalfSpec(
        onnx=written.name,
        softmax=softmax,
        islands=wide,
        island_share=round(share, 6),
        largest_activation=float(f"{max(observed.largest.values()):.6g}"),
        rows=observed.rows,
        strict_cosine=None if strict is None else float(f"{strict:.7f}"),
    )


def _strict_cosine(half: LeanGraph, path: Path, features: Features) -> float:
    """Smallest cosine of a few rows, strictly rounded, to those of the FP32 graph."""
    rows = {name: array[:_STRICT_ROWS] for name, array in features.items()}
    expected = run_graph(path.read_bytes(), rows)
    return float(cosines(run_strictly(full_graph(half), rows), expected).min())
