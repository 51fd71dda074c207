# SPDX-License-Identifier: Apache-2.0
"""Pauses double, within bounds, and begin anew after a success."""

from __future__ import annotations

import random

from sensebind.flow import backoff

# The fixture of this folder takes the pauses away; here they are wanted.
next_s = backoff.Backoff.next_s


def test_pauses_double_up_to_the_longest() -> None:
    pauses = backoff.Backoff(random.Random(1))
    expected = [0.5, 1, 2, 4, 8, 16, 30, 30]
    found = [next_s(pauses) for _ in expected]
    assert all(0.8 * e <= f <= 1.2 * e for e, f in zip(expected, found, strict=True))
    assert len({round(f / e, 6) for e, f in zip(expected, found, strict=True)}) > 1
    pauses.reset()
    assert next_s(pauses) <= 0.6
