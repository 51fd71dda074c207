# SPDX-License-Identifier: Apache-2.0
"""Clocks: whether the computer's is right, and how those of live devices run beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.doctor.asking import answer_of
from sensebind.doctor.finding import Finding
from sensebind.errors import SenseBindError
from sensebind.pipeline import Pipeline
from sensebind.run_state import stream_counts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sensebind.bundle import Bundle
    from sensebind.metrics.snapshot import StreamCounts
    from sensebind.sources.base import LiveSource

_LARGEST_DRIFT_PPM = 200.0
"""Quartz is better than this by much."""


def system_clock() -> Iterator[Finding]:
    """Whether something sets the computer's clock."""
    told = answer_of("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if told == "yes":
        yield Finding("clock", "ok", "the computer's clock is synchronised")
    elif told == "no":
        yield Finding(
            "clock",
            "note",
            "nothing synchronises the computer's clock: stamps of several robots do not compare",
            "sudo timedatectl set-ntp true, or chrony between the computers",
        )
    else:
        yield Finding(
            "clock", "note", "no service tells whether the computer's clock is synchronised"
        )


def live_clocks(bundle: Bundle, sources: Sequence[LiveSource], seconds: float) -> Iterator[Finding]:
    """Listen to devices for a while; say what came of each stream, and how their clocks run."""
    with Pipeline(bundle) as pipeline:
        try:
            for _ in pipeline.run(list(sources), seconds=seconds):
                pass
        except SenseBindError as error:
            yield Finding("devices", "failure", str(error))
            return
    for stream, counts in stream_counts(pipeline).items():
        yield _came(stream, counts)
    for name, quality in pipeline.report.clocks.items():
        said = (
            f"{name} runs {quality.drift_ppm:+.1f} ± {quality.drift_uncertainty_ppm:.1f} ppm "
            f"beside the computer's clock, {quality.observations} messages"
        )
        far = abs(quality.drift_ppm) - quality.drift_uncertainty_ppm > _LARGEST_DRIFT_PPM
        fix = "listen for longer; if it stays so, the device or its driver is broken" if far else ""
        yield Finding("clock", "warning" if far else "ok", said, fix)
    if not pipeline.report.clocks:
        yield Finding("clock", "note", "no device has a clock of its own: nothing to compare")
    for incident in pipeline.report.incidents:
        yield Finding("clock", "warning", f"{incident.where}: {incident.what}")


def _came(stream: str, counts: StreamCounts) -> Finding:
    """Whether anything of a stream could be encoded."""
    lost = ", ".join(f"{cause} {count}" for cause, count in counts.dropped.items() if count)
    said = f"{stream}: {counts.embedded} windows of {counts.modality} were encoded"
    if counts.embedded:
        return Finding("devices", "ok", f"{said}; lost: {lost}" if lost else said)
    fix = "listen for longer; if it stays so, look at the device, and at what sensebind live says"
    return Finding("devices", "warning", f"{said}; lost: {lost or 'none'}", fix)
