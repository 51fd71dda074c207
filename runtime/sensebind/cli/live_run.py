# SPDX-License-Identifier: Apache-2.0
"""A run of live sources: shown while it goes on, told about when it has ended."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from sensebind.bundle import Bundle
from sensebind.cli import output
from sensebind.cli.describing import described_lines
from sensebind.cli.live_view import LiveView, shown
from sensebind.cli.report_text import (
    calibration_lines,
    clock_lines,
    decision_lines,
    source_lines,
    sparse_lines,
    stream_lines,
    why_nothing,
)
from sensebind.cli.watching import Wishes, watching
from sensebind.describing import Describer
from sensebind.flow.incidents import Incidents
from sensebind.flow.publishing import Publishing
from sensebind.flow.signals import stopping_on_signals
from sensebind.pipeline import Pipeline
from sensebind.sinks import check_output, open_live_sink
from sensebind.sinks.event_lines import appended_lines
from sensebind.sinks.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sensebind.describing import ChangeSettings
    from sensebind.records import Record, RunMetadata
    from sensebind.robot.config import RobotConfig
    from sensebind.sinks.base import LiveSink
    from sensebind.sources.base import LiveSource
    from sensebind.types import Embedding


@dataclass(frozen=True, slots=True)
class LiveWishes:
    """What is to be kept and shown of a live run.

    Attributes:
        out: file of the embeddings.
        record: file of the sensors.
        seconds: how long it lasts; until Ctrl-C if None.
        watching: statistics and the like.
    """

    out: Path | None = None
    record: Path | None = None
    seconds: float | None = None
    watching: Wishes = field(default_factory=Wishes)


def run_live(
    sources: Sequence[LiveSource], config: RobotConfig, wishes: LiveWishes
) -> Iterable[str]:
    """Encode until Ctrl-C, the end of the devices or of the time.

    Args:
        sources: the devices.
        config: what to do with what they deliver; its devices, outputs and health are left out.
        wishes: what to keep and show.

    Returns:
        lines that tell what became of every stream, sample and window.

    Raises:
        InputError: if a device, bundle, prompts or file cannot be used as given.
    """
    if wishes.out is not None:
        check_output(wishes.out)
    wishes.watching.check()
    # Asked before any device is opened: PortAudio's start takes stderr away for a moment.
    view = shown(LiveView(), hidden=wishes.watching.table or not sys.stderr.isatty())
    with ExitStack() as stack:
        loaded = stack.enter_context(
            Bundle.load(config.bundle, backend=config.backend, threads=config.threads)
        )
        pipeline = stack.enter_context(Pipeline(loaded, config))
        output.say(f"bundle {loaded.name}, backend {loaded.backend} ({loaded.backend_reason})")
        on_change = _changes(config.changes, pipeline, stack)
        describer = Describer(config.describing, loaded, on_change, pipeline.calibration)
        recorder = stack.enter_context(Recorder(wishes.record)) if wishes.record else None
        watchers = stack.enter_context(watching(wishes.watching, pipeline, describer.labels))
        embeddings = pipeline.run(
            list(sources),
            observers=watchers.observers,
            views=watchers.views,
            recorder=recorder,
            seconds=wishes.seconds,
            begun=lambda: _say_streams(pipeline),
        )
        stack.enter_context(stopping_on_signals(pipeline.stop))
        _consume(pipeline, embeddings, describer, wishes.out, view, watchers.records, stack)
    lines = [*stream_lines(pipeline.report, describer.label_counts), *described_lines(describer)]
    lines += chain(why_nothing(pipeline.report), sparse_lines(pipeline))
    for source in sources:
        lines += source_lines(source.report)
    lines += clock_lines(pipeline.report)
    lines += [f"{i.where}: {i.what} ({i.count} times)" for i in pipeline.report.incidents]
    if recorder is not None:
        lines += _recorded_lines(recorder)
    return lines


def _consume(
    pipeline: Pipeline,
    embeddings: Iterator[Embedding],
    describer: Describer,
    out: Path | None,
    showing: AbstractContextManager[LiveView],
    takers: Sequence[Callable[[Record], None]],
    stack: ExitStack,
) -> None:
    """Show and keep every embedding, and what is said of it."""
    first = next(embeddings, None)  # by now the streams are mapped
    if first is None:
        if out is not None:
            output.warning(f"{out} was not written: there was no embedding")
        return
    metadata = describer.begin(pipeline.metadata(None))
    for line in calibration_lines(pipeline, metadata):
        output.say(line)
    for note in describer.notes(metadata):
        output.warning(note)
    publishing = stack.enter_context(_publishing(pipeline, metadata, out))
    view = stack.enter_context(showing)
    for record in describer.records(chain([first], embeddings)):
        publishing.publish(record)
        view.add(record)
        for take in takers:
            take(record)


def _say_streams(pipeline: Pipeline) -> None:
    for line in decision_lines(pipeline.decisions):
        output.say(line)


def _publishing(pipeline: Pipeline, metadata: RunMetadata, out: Path | None) -> Publishing:
    """The file of the embeddings, in a thread of its own; nothing without one."""
    if out is None:
        return Publishing({}, Incidents(pipeline.report.incidents))
    is_begun = False

    def opened() -> LiveSink:
        nonlocal is_begun
        sink = open_live_sink(out, metadata, resume=is_begun)
        is_begun = True
        return sink

    return Publishing({str(out): opened}, Incidents(pipeline.report.incidents))


def _changes(
    changes: ChangeSettings | None, pipeline: Pipeline, stack: ExitStack
) -> Callable[[object], None]:
    """What keeps changes as they happen."""
    if changes is None:
        return lambda _event: None
    incidents = Incidents(pipeline.report.incidents)
    tell = partial(incidents.tell, f"sink {changes.file}")
    return stack.enter_context(appended_lines(changes.path, tell))


def _recorded_lines(recorder: Recorder) -> Iterator[str]:
    report = recorder.report
    written = ", ".join(f"{name} {count}" for name, count in report.written.items())
    yield f"recorded in {recorder.path}: {written or 'nothing'}"
    for stream, causes in report.lost.items():
        yield f"{stream}: not recorded: {', '.join(f'{n} {cause}' for cause, n in causes.items())}"
    yield from report.notes
