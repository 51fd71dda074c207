# SPDX-License-Identifier: Apache-2.0
"""How a pipeline's run goes, as values that tables, files and programs read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.metrics.snapshot import ClockState, RunStats, StreamCounts

if TYPE_CHECKING:
    from sensebind.pipeline import Pipeline


def run_stats(pipeline: Pipeline) -> RunStats:
    """What watches the run of a pipeline; an observer of it."""
    return RunStats(
        lambda: stream_counts(pipeline), pipeline.queues, lambda: clock_states(pipeline)
    )


def stream_counts(pipeline: Pipeline) -> dict[str, StreamCounts]:
    """What became of the windows of each stream so far, and of samples no window could hold."""
    return {
        name: StreamCounts(
            modality=stream.modality.value,
            embedded=stream.embedded,
            dropped={
                **stream.dropped,
                "failed": sum(list(stream.failed.values())),
                "samples overrun": stream.overrun,
            },
        )
        for name, stream in list(pipeline.report.streams.items())
    }


def clock_states(pipeline: Pipeline) -> dict[str, ClockState]:
    """How well the clocks of the live sources of a run are known, by name."""
    return {
        name: ClockState(
            observations=quality.observations,
            drift_ppm=quality.drift_ppm,
            drift_uncertainty_ppm=quality.drift_uncertainty_ppm,
            spread_ms=quality.spread_ns / 1e6,
            jumps=quality.jumps,
        )
        for name, quality in pipeline.clocks().items()
    }
