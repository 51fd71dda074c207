# SPDX-License-Identifier: Apache-2.0
"""One recording through the pipeline into a file, and what is told about it."""

from __future__ import annotations

import time
from contextlib import nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any

from sensebind.bundle import Bundle
from sensebind.cli import output
from sensebind.cli.describing import described_lines
from sensebind.cli.report_text import (
    calibration_lines,
    calibration_summary,
    counted,
    decision_lines,
    source_lines,
    sparse_lines,
    stream_lines,
)
from sensebind.cli.watching import watching
from sensebind.describing import Describer
from sensebind.errors import InputError, SenseBindError
from sensebind.pipeline import Pipeline
from sensebind.sinks import open_sink
from sensebind.sinks.base import finishing
from sensebind.sinks.event_lines import written_lines
from sensebind.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sensebind.cli.watching import Watchers, Wishes
    from sensebind.describing import ChangeSettings
    from sensebind.robot.config import RobotConfig
    from sensebind.sources.base import Source
    from sensebind.sources.time_range import TimeRange


def write_recording(
    bags: Sequence[Path],
    limits: TimeRange | None,
    config: RobotConfig,
    out: Path,
    wishes: Wishes,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Encode one recording, or several as one, and write the records.

    Args:
        bags: the recordings.
        limits: the part of them to read; None for all.
        config: bundle, streams, order, and what to say of the embeddings; its devices, outputs and
            health are left out.
        out: the file to write.
        wishes: what else to show.
        quiet: tell nothing on stdout.

    Returns:
        the summary: decisions, counts, notes and speed.

    Raises:
        InputError: if the recording, bundle or prompts cannot be used.
        SinkError: if the file cannot be written.
        SenseBindError: if no window was complete; then nothing is written.
    """
    say = _nothing if quiet else output.say
    with (
        open_source(bags, time_range=limits) as source,
        Bundle.load(config.bundle, backend=config.backend, threads=config.threads) as loaded,
        Pipeline(loaded, config) as pipeline,
    ):
        say(f"bundle {loaded.name}, backend {loaded.backend} ({loaded.backend_reason})")
        begin_s = time.perf_counter()
        with _changes(config.changes) as write:
            describer = Describer(config.describing, loaded, write, pipeline.calibration)
            with watching(wishes, pipeline, describer.labels) as watchers:
                _record(pipeline, source, describer, out, say, watchers)
        seconds = time.perf_counter() - begin_s
        for line in chain(
            stream_lines(pipeline.report, describer.label_counts),
            sparse_lines(pipeline),
            described_lines(describer),
            source_lines(source.report),
        ):
            say(line)
        count = _count(pipeline, source, out)
        say(f"{counted(count, 'embedding')}, {count / seconds:.0f} per second, in {out}")
        return {
            "out": str(out),
            "embeddings": count,
            "seconds": seconds,
            **_summary(pipeline, source, describer),
        }


def _count(pipeline: Pipeline, source: Source, out: Path) -> int:
    """How many embeddings there are; without one, what became of the windows is the error."""
    streams = pipeline.report.streams.values()
    count = sum(stream.embedded for stream in streams)
    if count == 0:
        told = [line.strip() for line in stream_lines(pipeline.report, {})]
        too_slow = list(sparse_lines(pipeline))
        told += chain(too_slow, source_lines(source.report))
        advice = ". Give a longer part, or a lower min_coverage="
        lacking = any(each.pushed for each in streams) and not any(each.failed for each in streams)
        lacking = lacking and not too_slow
        raise SenseBindError(
            f"no window of {source.name} became an embedding, so {out} was not written: "
            + "; ".join(told)
            + (advice if lacking else "")
        )
    return count


def _summary(pipeline: Pipeline, source: Source, describer: Describer) -> dict[str, Any]:
    """What ran and what came of it, for machines."""
    bundle = pipeline.bundle
    metadata = describer.metadata(pipeline.metadata(source))
    return {
        "bundle": bundle.name,
        "backend": bundle.backend,
        "backend_reason": bundle.backend_reason,
        "source": {"name": source.name, "sha256": source.sha256()},
        "decisions": pipeline.decisions,
        "calibration": calibration_summary(pipeline, metadata),
        "report": pipeline.report,
        "labels": describer.label_counts,
        "joint": describer.joint,
        "changes": None if describer.config.changes is None else describer.changes,
    }


def _record(
    pipeline: Pipeline,
    source: Source,
    describer: Describer,
    out: Path,
    say: output.Say,
    watchers: Watchers,
) -> None:
    """Write every embedding."""
    embeddings = pipeline.run(source, observers=watchers.observers, views=watchers.views)
    try:
        first = next(embeddings, None)  # by now the streams are mapped
    except InputError:
        for line in source_lines(source.report):  # what was met may be why nothing fits
            output.warning(line)
        raise
    for line in decision_lines(pipeline.decisions):
        say(line)
    if first is None:
        return
    metadata = describer.begin(pipeline.metadata(source))
    for line in calibration_lines(pipeline, metadata):
        say(line)
    for note in describer.notes(metadata):
        output.warning(note)
    try:
        with (
            finishing(open_sink(out, metadata)) as sink,
            output.progress(f"encoding {source.name}", shown=not watchers.on_screen) as advance,
        ):
            for record in describer.records(chain([first], embeddings)):
                sink.write(record)
                for take in watchers.records:
                    take(record)
                advance(source.progress())
    except KeyboardInterrupt:
        output.warning(f"{out} was not written")
        raise


def _changes(
    changes: ChangeSettings | None,
) -> AbstractContextManager[Callable[[object], None]]:
    """What keeps changes."""
    return nullcontext(_nothing) if changes is None else written_lines(changes.path)


def _nothing(_what: object) -> None:
    """Tell or keep nothing."""
