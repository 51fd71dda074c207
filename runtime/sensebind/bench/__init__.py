# SPDX-License-Identifier: Apache-2.0
"""How fast a recording is encoded on this machine, and how fast it could come live.

Two measurements of one recording, repeated with stamps that go on for as long as it takes:

* replay: as fast as possible, nothing dropped; windows per second and the time of each stage;
* live: played at a multiple of real time. The largest sustainable one is searched; see
  `sensebind.bench.results.SUSTAINED`.

A thread that only wakes up 400 times a second runs beside both: no latency can be better than that.
"""

from __future__ import annotations

import time
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from sensebind.bench.live import WARM_UP_SHARE, Search
from sensebind.bench.meter import Meter
from sensebind.bench.results import BenchResult, Replay
from sensebind.errors import InputError
from sensebind.metrics.machine import this_machine, versions
from sensebind.pipeline import Pipeline
from sensebind.sources.looped import LoopedSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensebind.bundle import Bundle
    from sensebind.config import PipelineConfig
    from sensebind.sources.base import Source

PACKAGES = ("sensebind", "numpy", "numba", "onnxruntime")
WARM_UP_WINDOWS = 100


def bench(
    open_recording: Callable[[], Source],
    bundle: Bundle,
    config: PipelineConfig,
    *,
    windows: int = 1_000,
    trial_s: float = 5.0,
    bound_ms: float = 100.0,
    tell: Callable[[str], None] = lambda _line: None,
) -> BenchResult:
    """Measure a recording.

    Args:
        open_recording: opens it anew for each run.
        bundle: the encoders.
        config: streams, hop, batching.
        windows: to measure in the replay.
        trial_s: wall time of each live trial; 0 for no search.
        bound_ms: what the 99th percentile of the service time must not pass, live.
        tell: takes a line after each step.

    Raises:
        InputError: if `windows`, `trial_s` or `bound_ms` make no sense, or nothing can be encoded.
        SourceError: if the recording cannot be read.
    """
    if windows < 1 or not trial_s >= 0 or not bound_ms > 0:
        raise InputError(
            f"{windows} windows, trials of {trial_s} s and a bound of {bound_ms} ms cannot be "
            "measured; expected at least 1 window, 0 s and more than 0 ms"
        )
    machine = this_machine()
    source = open_recording()
    with Pipeline(bundle, config) as pipeline:
        _check(pipeline, source)
    with Pipeline(bundle, config) as pipeline:
        replay = _replay(pipeline, source, windows)
        metadata = pipeline.metadata(source)
    tell(
        f"replay: {replay.windows_per_s:.0f} windows per second, "
        f"{replay.times_real_time:.1f} times real time"
    )
    live = None
    if trial_s > 0:
        search = Search(open_recording, bundle, config, trial_s, bound_ms, tell)
        live = search.run(0.7 * replay.times_real_time)
    return BenchResult(
        source=metadata.source,
        source_sha256=metadata.source_sha256,
        bundle=bundle.name,
        bundle_id=metadata.bundle_id,
        encoder_ids=metadata.encoder_ids,
        backend=bundle.backend,
        backend_reason=bundle.backend_reason,
        precision=metadata.precision,
        threads=bundle.threads,
        hops_s={name: stream.hop_s for name, stream in metadata.windows.items()},
        machine=machine,
        versions=versions(PACKAGES),
        warm_up=_warm_up(trial_s),
        replay=replay,
        live=live,
    )


def _warm_up(trial_s: float) -> str:
    trials = f" and the first {WARM_UP_SHARE * trial_s:g} s of each live trial" if trial_s else ""
    return f"the first {WARM_UP_WINDOWS} windows of the replay{trials} are not measured"


def _check(pipeline: Pipeline, source: Source) -> None:
    """Refuse a recording that gives nothing: repeated for ever, it would for ever give nothing."""
    with closing(pipeline.run(source)) as embeddings:
        if next(embeddings, None) is not None:
            return
    failed = [why for stream in pipeline.report.streams.values() for why in stream.failed]
    reason = "; ".join(failed) or "none was complete, so give a longer recording or a shorter hop"
    raise InputError(f"no window of {source.name} became an embedding: {reason}")


def _replay(pipeline: Pipeline, source: Source, windows: int) -> Replay:
    """Encode until enough windows were measured."""
    meter = Meter()
    with closing(pipeline.run(LoopedSource(source), observers=[meter.observe])) as embeddings:
        list(islice(embeddings, WARM_UP_WINDOWS))
        with meter.measuring():
            begin_s = time.perf_counter()
            grids = [embedding.grid_ns for embedding in islice(embeddings, windows)]
            seconds = time.perf_counter() - begin_s
    return Replay(
        windows=len(grids),
        seconds=seconds,
        windows_per_s=len(grids) / seconds,
        times_real_time=(max(grids) - min(grids)) / 1e9 / seconds,
        latency=meter.latency(),
        timer=meter.timer,
    )
