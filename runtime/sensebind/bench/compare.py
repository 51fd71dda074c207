# SPDX-License-Identifier: Apache-2.0
"""Several backends on one recording: how fast each is, and how near its vectors are."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sensebind.bench.results import Comparison
from sensebind.bundle import Bundle
from sensebind.errors import SenseBindError
from sensebind.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sensebind.bench.results import BenchResult
    from sensebind.config import BackendName, PipelineConfig
    from sensebind.sources.base import Source

COMPARED_WINDOWS = 200
"""From the recording's beginning, whose vectors are held against the first backend's."""

Vectors = dict[tuple[str, int], "NDArray[np.float32]"]


def compare(
    open_recording: Callable[[], Source],
    bundle: str,
    config: PipelineConfig,
    backends: Sequence[BackendName],
    measure: Callable[[Bundle, PipelineConfig], BenchResult],
    tell: Callable[[str], None] = lambda _line: None,
) -> Comparison:
    """Measure a recording on one backend after the other.

    Args:
        open_recording: opens it anew for each run.
        bundle: name or folder.
        config: streams, hop, threads; its backend is not looked at.
        backends: their names; vectors are held against those of the first that runs.
        measure: measures a bundle; see `sensebind.bench.bench`.
        tell: takes a line after each step.

    Raises:
        SenseBindError: if none of them runs: what the last one said.
    """
    results: list[BenchResult] = []
    not_run: dict[str, str] = {}
    cosines: dict[str, dict[str, float]] = {}
    first: Vectors = {}
    for name in backends:
        chosen = msgspec.structs.replace(config, backend=name)
        try:
            with Bundle.load(bundle, backend=name, threads=config.threads) as loaded:
                vectors = _vectors(open_recording(), loaded, chosen)
                result = measure(loaded, chosen)
        except SenseBindError as error:
            if len(not_run) + 1 == len(backends):
                raise
            not_run[name] = str(error)
            tell(f"{name}: NOT RUN: {error}")
            continue
        first = first or vectors
        results.append(result)
        cosines[name] = _least_cosines(vectors, first)
    return Comparison(results=results, least_cosines=cosines, not_run=not_run)


def _vectors(source: Source, bundle: Bundle, config: PipelineConfig) -> Vectors:
    with Pipeline(bundle, config) as pipeline, closing(pipeline.run(source)) as embeddings:
        return {(e.stream, e.grid_ns): e.vector for e in islice(embeddings, COMPARED_WINDOWS)}


def _least_cosines(vectors: Vectors, first: Vectors) -> dict[str, float]:
    """Smallest cosine by stream; vectors have norm 1."""
    least: dict[str, float] = {}
    for key in vectors.keys() & first.keys():
        cosine = float(vectors[key].astype(np.float64) @ first[key].astype(np.float64))
        least[key[0]] = min(cosine, least.get(key[0], 1.0))
    return {stream: least[stream] for stream in sorted(least)}
