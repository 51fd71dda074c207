# SPDX-License-Identifier: Apache-2.0
"""What became of each stream, sample and window, in lines of text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sensebind.pipeline import Pipeline, PipelineReport
    from sensebind.records import RunMetadata
    from sensebind.sources.base import SourceReport
    from sensebind.sources.mapping import Decision
    from sensebind.stream_path import StreamReport

_UNUSED = ("unused", "late", "duplicate", "invalid")
_INCOMPLETE = ("warming", "gap", "ending")
_ALIKE = 3
"""Of more skipped streams with the same reason only the first is listed."""
_EVENTS = ("resets", "gaps", "sparse", "relocks", "rate_changes", "filled")
_SPARSE_SHARE = 0.1
"""Of spacings that cover nothing; with fewer most windows are complete."""


def decision_lines(decisions: Sequence[Decision]) -> Iterator[str]:
    """One line per stream: what it is read as or why not, and the flag that decides otherwise.

    Streams that are no sense at all share a line, and so do many of which the same is said.
    """
    senseless = [d for d in decisions if d.modality is None and not d.hint]
    alike = Counter(map(_said, decisions))
    told: set[tuple[object, ...]] = set()
    for decision in decisions:
        if decision in senseless or _said(decision) in told:
            continue
        if not decision.used and alike[_said(decision)] > _ALIKE:
            told.add(_said(decision))
            others = alike[_said(decision)] - 1
            yield (
                f"skips {decision.stream} and {others} more: {decision.reason} "
                f"(otherwise, for instance: {decision.hint})"
            )
            continue
        what = f"skips {decision.stream}"
        if decision.used:
            what = f"reads {decision.stream} as {decision.modality}"
        override = f" (otherwise: {decision.hint})" if decision.hint else ""
        yield f"{what}: {decision.reason}{override}"
    if senseless:
        reasons = Counter(decision.reason for decision in senseless)
        yield f"skips {counted(len(senseless), 'stream')} that cannot be encoded:"
        yield from (f"  {reason} ({count})" for reason, count in reasons.most_common())


def calibration_lines(pipeline: Pipeline, run: RunMetadata) -> Iterator[str]:
    """What of the calibration was applied to which stream, and what was not; once all are wired."""
    calibration = pipeline.calibration
    if calibration is None:
        return
    sensors = pipeline.calibrations()
    for stream, kinds in run.calibrated.items():
        yield f"calibrates {stream}: {', '.join(kinds)} (of {calibration.path})"
        if unchecked := sensors[stream].unchecked:
            yield (
                f"  of the sensor with serial number {unchecked}; the source does not tell its "
                "own, so this was not checked"
            )
    unused = calibration.unused(run.calibrated)
    if unused:
        yield f"not used of {calibration.path}: {', '.join(unused)}"


def calibration_summary(pipeline: Pipeline, run: RunMetadata) -> dict[str, object] | None:
    """The same for machines; None without a calibration."""
    calibration = pipeline.calibration
    if calibration is None:
        return None
    return {
        "file": str(calibration.path),
        "sha256": run.calibration,
        "applied": run.calibrated,
        "unused": calibration.unused(run.calibrated),
    }


def stream_lines(report: PipelineReport, labels: Mapping[str, Counter[str]]) -> Iterator[str]:
    """Per stream the fate of samples and windows; each line's parts add up."""
    for name, stream in report.streams.items():
        yield f"{name}: {counted(stream.embedded, 'embedding')}"
        yield "  " + _samples(stream)
        yield "  " + _windows(stream)
        events = {key.replace("_", " "): getattr(stream.counters, key) for key in _EVENTS}
        if any(events.values()):
            yield "  events: " + ", ".join(f"{key} {n}" for key, n in events.items() if n)
        for message, count in stream.failed.items():
            yield f"  failed {count} times: {message}"
        if name in labels:
            yield "  labels: " + ", ".join(f"{k} {n}" for k, n in labels[name].most_common())


def clock_lines(report: PipelineReport) -> Iterator[str]:
    """How well the clocks of live sources were known, and how stamps were mapped."""
    for name, clock in report.clocks.items():
        if clock.observations:
            yield (
                f"clock {name}: {clock.drift_ppm:+.1f} ± {clock.drift_uncertainty_ppm:.1f} ppm by "
                f"{counted(clock.observations, 'message')} over {clock.span_s:.0f} s, which waited "
                f"{clock.spread_ns / 1e6:.2f} ms; set {counted(clock.jumps, 'time')}"
            )
    for name, stamps in report.stamps.items():
        if stamps.relocks or stamps.by_arrival:
            yield (
                f"{name}: line of its stamps drawn anew {counted(stamps.relocks, 'time')}, "
                f"{counted(stamps.by_arrival, 'block')} placed by arrival"
            )


def why_nothing(report: PipelineReport) -> Iterator[str]:
    """Why streams of a live run gave no embedding, a line for each."""
    for name, stream in report.streams.items():
        counters = stream.counters
        if stream.embedded:
            continue
        if not stream.pushed:
            yield f"{name}: no embedding, as the device delivered nothing"
        elif not counters.emitted:
            yield (
                f"{name}: no embedding, as what was delivered fills no window; let it run for "
                f"longer, or give a lower min_coverage="
            )


def sparse_lines(pipeline: Pipeline) -> Iterator[str]:
    """IMU streams that are too slow for their encoder, a line for each."""
    from sensebind.specs import ImuSpec  # --help loads this module

    for name, stream in pipeline.report.streams.items():
        sparse = stream.counters.sparse
        if not stream.counters.gap or sparse <= _SPARSE_SHARE * stream.pushed:
            continue
        front_end = pipeline.bundle.encoder(stream.modality).spec.preprocess
        if isinstance(front_end, ImuSpec):
            limit_s = front_end.max_interval_s
            yield (
                f"{name}: {sparse} of {counted(stream.pushed, 'reading')} come over "
                f"{limit_s * 1e3:g} ms after the one before, which the encoder counts as missing; "
                f"it needs more than {1 / limit_s:g} per second"
            )


def source_lines(report: SourceReport) -> Iterator[str]:
    """What reading met: messages that were not delivered, and notes."""
    for stream, causes in report.skipped.items():
        listed = ", ".join(f"{count} {cause}" for cause, count in causes.items())
        yield f"{stream}: messages skipped: {listed}"
    yield from report.notes


def _said(decision: Decision) -> tuple[object, ...]:
    return decision.modality, decision.used, decision.reason, bool(decision.hint)


def counted(number: int, noun: str) -> str:
    """A number and its noun, in the plural but for 1."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _samples(stream: StreamReport) -> str:
    counters = stream.counters
    lost = {"refused": sum(stream.refused.values()), "overrun": stream.overrun}
    parts = [f"{counters.used} used", *_nonzero(stream, _UNUSED)]
    parts += [f"{count} {cause}" for cause, count in lost.items() if count]
    return f"samples: {stream.pushed} = {' + '.join(parts)}"


def _windows(stream: StreamReport) -> str:
    counters = stream.counters
    total = counters.emitted + sum(getattr(counters, name) for name in _INCOMPLETE)
    failed = sum(stream.failed.values())
    parts = [f"{stream.embedded} embedded", *([f"{failed} failed"] if failed else [])]
    parts += [f"{count} dropped ({cause})" for cause, count in stream.dropped.items()]
    return f"windows: {total} = {' + '.join([*parts, *_nonzero(stream, _INCOMPLETE)])}"


def _nonzero(stream: StreamReport, names: Sequence[str]) -> list[str]:
    values = {name: getattr(stream.counters, name) for name in names}
    return [f"{value} {name}" for name, value in values.items() if value]
