# SPDX-License-Identifier: Apache-2.0
"""Counts of a stream by cause, added up over the runs since the node was activated."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sensebind.describing import Describer
    from sensebind.pipeline import PipelineReport
    from sensebind.stream_path import StreamReport
    from sensebind_ros.source import Topic

PUSHED, EMITTED = "pushed", "emitted"
LOST = "lost by the middleware"
MISSING = "not received"


def report_counts(report: PipelineReport) -> dict[str, Counter[str]]:
    """What a run's report counts, by stream and cause."""
    return {name: _stream_counts(stream) for name, stream in list(report.streams.items())}


def report_failures(report: PipelineReport) -> dict[str, Counter[str]]:
    """Why windows of a run failed and blocks were refused, by stream and message."""
    return {
        name: Counter(stream.failed) + Counter(stream.refused)
        for name, stream in list(report.streams.items())
    }


def described_counts(describer: Describer | None) -> Counter[str]:
    """What became of joint instants, and how many changes were told, where they are asked for."""
    counts: Counter[str] = Counter()
    if describer is not None and describer.joint is not None:
        counts.update({f"joint: {name}": count for name, count in asdict(describer.joint).items()})
    if describer is not None and describer.config.changes is not None:
        counts["changes"] = describer.changes
    return counts


def topic_counts(topics: Iterable[Topic]) -> Counter[str]:
    """Messages of a stream's topics that never reached the pipeline, by cause."""
    counts: Counter[str] = Counter()
    for topic in topics:
        counts.update({**topic.skipped})  # a copy, as the thread that receives adds causes
        counts[LOST] += topic.lost
        counts[MISSING] += topic.missing
    return counts


def _stream_counts(stream: StreamReport) -> Counter[str]:
    counters = stream.counters
    counts = Counter({each.name: getattr(counters, each.name) for each in fields(counters)})
    counts[PUSHED] = stream.pushed
    counts["embedded"] = stream.embedded
    counts["overrun"] = stream.overrun
    counts["failed"] = sum(stream.failed.values())
    counts["refused"] = sum(stream.refused.values())
    counts.update({f"dropped: {cause}": count for cause, count in [*stream.dropped.items()]})
    return counts
