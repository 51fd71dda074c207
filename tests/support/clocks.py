# SPDX-License-Identifier: Apache-2.0
"""Clocks that tests set by hand."""

from __future__ import annotations


class ManualClock:
    """A reference clock that stands still until it is told otherwise.

    Attributes:
        at_ns: what time it is.
    """

    def __init__(self, at_ns: int = 1_700_000_000_000_000_000) -> None:
        self.at_ns = at_ns

    def now_ns(self) -> int:
        return self.at_ns

    def advance(self, by_ns: int) -> None:
        self.at_ns += by_ns
