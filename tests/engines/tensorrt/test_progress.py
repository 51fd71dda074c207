# SPDX-License-Identifier: Apache-2.0
"""The share done of phases within phases."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sensebind_engines.tensorrt.progress import Share


def test_inner_phases_count_inside_a_step() -> None:
    share = Share()
    share.begin("all", "", 2)
    assert share.step("all", 0) == 0.5
    share.begin("inner", "all", 4)
    assert share.step("inner", 1) == 0.75
    share.end("inner")
    assert share.step("all", 1) == 1.0


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["", "a", "b"]), st.integers(-1, 5)),
        max_size=8,
    ),
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), max_size=20),
)
def test_it_never_falls_nor_leaves_its_range(
    phases: list[tuple[str, str, int]], steps: list[tuple[str, int]]
) -> None:
    share, shown = Share(), [0.0]
    for name, parent, count in phases:
        if parent < name:  # a phase is not inside itself
            share.begin(name, parent, count)
    for name, done in steps:
        shown.append(share.step(name, done))
    assert shown == sorted(shown)
    assert shown[-1] <= 1.0
