# SPDX-License-Identifier: Apache-2.0
"""A plan against the bundle's golden vectors, on the GPU that runs it.

The golden vectors are FP32 and were computed when the bundle was exported: a board computes no
reference of its own.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.backends.tensorrt.engine import TensorRtEngine
from sensebind.backends.tensors import single_rows
from sensebind.errors import BundleError
from sensebind.plans import Verification
from sensebind_engines.evaluation.metrics import cosines

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensebind.backends.tensorrt.library import Library
    from sensebind.bundle_folder import BundleFolder
    from sensebind.plans import Plan
    from sensebind.types import Modality

    Row = dict[str, NDArray[Any]]

_RUNS = 200
_LEAST_RUNS = 20
_TIMED_S = 20.0
"""No more than that is spent on timing, unless so few runs take longer."""


def golden_rows(
    folder: BundleFolder, modality: Modality
) -> tuple[list[dict[str, NDArray[Any]]], NDArray[np.float32]]:
    """Features of single rows, and the FP32 vectors they give.

    Raises:
        BundleError: the bundle has no golden rows of this encoder, or the file was changed.
    """
    spec, name = folder.encoder(modality), folder.manifest.golden
    if name is None:
        raise BundleError(
            f"the bundle {folder.manifest.name!r} has no golden rows to compare with; export it "
            "again"
        )
    folder.verify([name])
    with np.load(folder.file(name), allow_pickle=False) as golden:
        try:
            features = {t.name: golden[f"{modality}/{t.name}"] for t in spec.inputs}
            vectors: NDArray[np.float32] = golden[f"{modality}/{spec.output.name}"]
        except KeyError as error:
            raise BundleError(
                f"{folder.file(name)} has no {error} of {modality}; export the bundle again"
            ) from None
    return list(single_rows(features)), vectors


def verify_plan(
    library: Library,
    folder: BundleFolder,
    plan: Plan,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Plan, TensorRtEngine]:
    """Run a plan on the golden rows, one by one, and note how it compares.

    Args:
        library: the installed TensorRT.
        folder: the bundle.
        plan: fits the GPU at hand.
        clock: in seconds.

    Returns:
        the plan with what was found; the engine, closed, for how it ran.

    Raises:
        BackendError: the plan was changed, or does not run.
        BundleError: the bundle has no golden rows.
        SinkError: the plan's record cannot be written.
    """
    modality = plan.record.modality
    rows, expected = golden_rows(folder, modality)
    spec = folder.encoder(modality)
    engine = TensorRtEngine(library, plan, spec.inputs, spec.output)
    try:
        found = np.concatenate([engine.run(row) for row in rows])
        times_ms = 1e3 * np.array(_run_times(engine, rows, clock))
    finally:
        engine.close()
    cosine = cosines(found.astype(np.float64), expected)
    p50, p95, p99 = (float(p) for p in np.percentile(times_ms, (50, 95, 99)).round(4))
    seen = Verification(
        rows=len(rows),
        least_cosine=float(cosine.min()),
        p1_cosine=float(np.percentile(cosine, 1)),
        mean_cosine=float(cosine.mean()),
        runs=len(times_ms),
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
    )
    return plan.with_verification(seen), engine


def _run_times(engine: TensorRtEngine, rows: list[Row], clock: Callable[[], float]) -> list[float]:
    """Seconds of single runs, features in to vector out; the engine is warm."""
    times: list[float] = []
    while len(times) < _LEAST_RUNS or (len(times) < _RUNS and sum(times) < _TIMED_S):
        row = rows[len(times) % len(rows)]
        begin = clock()
        engine.run(row)
        times.append(clock() - begin)
    return times
