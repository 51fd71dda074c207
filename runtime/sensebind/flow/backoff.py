# SPDX-License-Identifier: Apache-2.0
"""Pauses between attempts that grow, so that what is broken is not asked all the time."""

from __future__ import annotations

import random

FIRST_S = 0.5
LONGEST_S = 30.0
_FACTOR = 2.0
_JITTER = 0.2
"""Devices that failed together, of one hub for instance, are not all opened at the same moment."""


class Backoff:
    """Pauses that double from 0.5 s to 30 s, each varied by a fifth."""

    def __init__(self, chance: random.Random | None = None, first_s: float = FIRST_S) -> None:
        """Begin with the shortest pause; `chance` varies them."""
        self._chance = chance or random.Random()  # noqa: S311 - no secret
        self._first_s = first_s
        self._pause_s = first_s

    def next_s(self) -> float:
        """How long to wait before the next attempt."""
        pause_s, self._pause_s = self._pause_s, min(_FACTOR * self._pause_s, LONGEST_S)
        return pause_s * self._chance.uniform(1 - _JITTER, 1 + _JITTER)

    def reset(self) -> None:
        """It worked: the next pause is the shortest."""
        self._pause_s = self._first_s
