# SPDX-License-Identifier: Apache-2.0
"""Deciding from a stream's first messages whether its header stamps can be used."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PEEKED_MESSAGES = 50


def stamp_fault(stamps_ns: Sequence[int]) -> str:
    """Why receive times must replace these header stamps, given in order of receipt; "" if not.

    Zeros are a driver that does not stamp. Repeated stamps are duplicates and say nothing, unless
    nothing else comes; a few steps back are put in order later, a majority is no clock.
    """
    if not stamps_ns:
        return ""
    if sum(stamp == 0 for stamp in stamps_ns) * 2 > len(stamps_ns):
        return "most header stamps are 0"
    steps = [after - before for before, after in pairwise(stamps_ns) if after != before]
    if len(stamps_ns) > 2 and not steps:
        return "all header stamps are the same"
    if sum(step < 0 for step in steps) * 2 > len(steps):
        return "most header stamps go backwards"
    return ""
