# SPDX-License-Identifier: Apache-2.0
"""From blocks to windows on the shared grid: one windower per stream."""

from __future__ import annotations

from typing import TypeAlias

from sensebind.windowing.counters import StreamCounters as StreamCounters
from sensebind.windowing.frames import FrameWindower
from sensebind.windowing.rules import FrameRules, SampleRules, UniformRules, WindowRules
from sensebind.windowing.rules import rules_for as rules_for
from sensebind.windowing.samples import SampleWindower
from sensebind.windowing.uniform import UniformWindower

Windower: TypeAlias = SampleWindower | UniformWindower | FrameWindower

__all__ = ["StreamCounters", "WindowRules", "Windower", "make_windower", "rules_for"]


def make_windower(stream: str, rules: WindowRules) -> Windower:
    """Windower of one stream, chosen by its rules."""
    if isinstance(rules, SampleRules):
        return SampleWindower(stream, rules)
    if isinstance(rules, UniformRules):
        return UniformWindower(stream, rules)
    assert isinstance(rules, FrameRules)
    return FrameWindower(stream, rules)
