# SPDX-License-Identifier: Apache-2.0
"""When header stamps are trusted."""

from __future__ import annotations

import pytest

from sensebind.clock.stamps import stamp_fault


@pytest.mark.parametrize(
    "stamps_ns",
    [
        [],
        [5],
        [5, 6, 7, 8],
        [5, 5, 6, 6, 7, 7],  # every message twice
        [5, 7, 6, 8, 10, 9, 11],  # some overtaken
        [0, 1, 2, 3],
        [5, 5],
    ],
)
def test_usable_stamps(stamps_ns: list[int]) -> None:
    assert stamp_fault(stamps_ns) == ""


@pytest.mark.parametrize(
    ("stamps_ns", "fault"),
    [
        ([0], "most header stamps are 0"),
        ([0, 0, 0, 4], "most header stamps are 0"),
        ([7, 7, 7, 7], "all header stamps are the same"),
        ([9, 8, 7, 6, 5], "most header stamps go backwards"),
        ([9, 8, 8, 7, 7, 10, 6], "most header stamps go backwards"),
    ],
)
def test_unusable_stamps(stamps_ns: list[int], fault: str) -> None:
    assert stamp_fault(stamps_ns) == fault
