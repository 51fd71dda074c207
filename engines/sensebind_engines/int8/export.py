# SPDX-License-Identifier: Apache-2.0
"""``<modality>.int8.onnx`` beside ``<modality>.onnx``: only what keeps trained vectors is written.

How near INT8 vectors are to FP32 ones depends on the weights: random ones say nothing. So they are
measured on features of the encoder's own, which were not calibrated on, and held against how far
apart different windows are: where all vectors are alike, a good cosine is no sign of anything.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.backends.onnx_session import open_session
from sensebind.backends.tensors import single_rows
from sensebind.errors import BundleError, InputError
from sensebind.specs import Int8Spec
from sensebind_engines.evaluation.metrics import cosines
from sensebind_engines.export.check import write_graph
from sensebind_engines.export.stored import read_lean
from sensebind_engines.half.islands import product_costs
from sensebind_engines.half.observed import observe
from sensebind_engines.int8.quantise import integer_products, quantised

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.backends.onnx_session import Session
    from sensebind.types import Features
    from sensebind_engines.int8.quantise import Method

LEAST_COSINE = 0.98
"""Of an INT8 vector to its FP32 one."""

LARGEST_SHARE = 0.1
"""Largest distance (1 - cosine) of an INT8 vector to its FP32 one, as a share of the median
distance between different windows."""

LEAST_PRODUCTS = 0.5
"""Share of the multiplications that must be of integers; less gains nothing worth its risk."""

LEAST_ROWS = 16
"""Of features; half of them calibrate, half measure."""

INT8_ROWS = 128
"""Of features that are used, where there are so many."""

_TIMED_RUNS = 9


class Int8Made(NamedTuple):
    """What was written, and what it gains on this machine.

    Attributes:
        spec: the manifest's entry.
        time_ratio: processor time of a run over that of the FP32 graph, both on one thread.
    """

    spec: Int8Spec
    time_ratio: float


def export_int8(path: Path, features: Features, method: Method) -> Int8Made:
    """Write the INT8 graph of an FP32 one beside it, if it keeps the vectors.

    Args:
        path: the FP32 graph ``<modality>.onnx``, with trained weights.
        features: rows like those the encoder will meet, by input name, in order of time. The first
            half calibrates, the second measures.
        method: "dynamic" or "static".

    Raises:
        InputError: there are too few rows.
        BundleError: vectors differ, or too little would be of integers; nothing is written.
    """
    count = len(next(iter(features.values())))
    if count < LEAST_ROWS:
        raise InputError(
            f"{path.name}: {count} windows of features, expected at least {LEAST_ROWS}; half of "
            "them calibrate, half measure. Give more data"
        )
    first, second = (
        {name: array[part] for name, array in features.items()}
        for part in (slice(count // 2), slice(count // 2, count))
    )
    share = _integer_share(path, method, first)
    if share < LEAST_PRODUCTS:
        raise BundleError(
            f"{path.name}: {method} INT8 would take {share:.0%} of its multiplications of "
            f"integers, expected at least {LEAST_PRODUCTS:.0%}; "
            + ("try the static method" if method == "dynamic" else "keep it in FP32")
        )
    model = quantised(path, method, first)
    sessions = open_session(str(path), 1), open_session(model.SerializeToString(), 1)
    expected, found = (_vectors(session, second) for session in sessions)
    cosine = cosines(found.astype(np.float64), expected)
    _require_near(path, method, cosine, _median_distance(expected))
    written = path.with_name(f"{path.stem}.int8.onnx")
    write_graph(model, written)
    spec = Int8Spec(
        onnx=written.name,
        method=method,
        product_share=round(share, 6),
        rows=len(cosine),
        least_cosine=float(f"{cosine.min():.6f}"),
        mean_cosine=float(f"{cosine.mean():.6f}"),
    )
    return Int8Made(spec, _time_ratio(sessions, second))


def _require_near(path: Path, method: Method, cosine: NDArray[np.float64], distance: float) -> None:
    least = max(LEAST_COSINE, 1 - LARGEST_SHARE * distance)
    if cosine.min() >= least:
        return
    raise BundleError(
        f"{path.name}: in {method} INT8 a vector has cosine {cosine.min():.4f} to its FP32 one, "
        f"expected at least {least:.4f} (at least {LEAST_COSINE}, and at most "
        f"{LARGEST_SHARE:.0%} of {distance:.3f}, the median distance between different windows); "
        "try the other method or other data, or keep it in FP32"
    )


def _median_distance(vectors: NDArray[np.float32]) -> float:
    """Median of 1 - cosine over pairs of different rows."""
    wide = vectors.astype(np.float64)
    unit = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return float(np.median(1 - (unit @ unit.T)[np.triu_indices(len(unit), 1)]))


def _integer_share(path: Path, method: Method, features: Features) -> float:
    """Share of a graph's multiplications that a method takes of integers."""
    model = read_lean(path).model
    one = {name: array[:1] for name, array in features.items()}
    costs = product_costs(model, observe(path, one).shapes)
    chosen = integer_products(model, method)
    return sum(cost for node, cost in costs.items() if node in chosen) / max(sum(costs.values()), 1)


def _vectors(session: Session, features: Features) -> NDArray[np.float32]:
    """Row by row, as windows are run."""
    return np.concatenate([session.run(None, row)[0] for row in single_rows(features)])


def _time_ratio(sessions: tuple[Session, Session], features: Features) -> float:
    """Median processor time of a row on the second session over that on the first."""
    one = {name: array[:1] for name, array in features.items()}
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(_TIMED_RUNS):
        for session, seconds in zip(sessions, times, strict=True):
            begin = time.process_time()
            session.run(None, one)
            seconds.append(time.process_time() - begin)
    return statistics.median(times[1]) / statistics.median(times[0])
