# SPDX-License-Identifier: Apache-2.0
"""Clocks: whether the computer's is right, and how those of live devices run beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.doctor.asking import answer_of
from sensebind.doctor.finding import Finding
from sensebind.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sensebind.bundle import Bundle
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
            "clock", "ok", "no service tells whether the computer's clock is synchronised"
        )


def live_clocks(bundle: Bundle, sources: Sequence[LiveSource], seconds: float) -> Iterator[Finding]:
    """Listen to devices for a while, and say how their clocks run."""
    with Pipeline(bundle) as pipeline:
        for _ in pipeline.run(list(sources), seconds=seconds):
            pass
    for name, quality in pipeline.report.clocks.items():
        said = (
            f"{name} runs {quality.drift_ppm:+.1f} ± {quality.drift_uncertainty_ppm:.1f} ppm "
            f"beside the computer's clock, {quality.observations} messages"
        )
        far = abs(quality.drift_ppm) - quality.drift_uncertainty_ppm > _LARGEST_DRIFT_PPM
        fix = "listen for longer; if it stays so, the device or its driver is broken" if far else ""
        yield Finding("clock", "warning" if far else "ok", said, fix)
    for incident in pipeline.report.incidents:
        yield Finding("clock", "warning", f"{incident.where}: {incident.what}")
