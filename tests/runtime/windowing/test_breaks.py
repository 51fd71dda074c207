# SPDX-License-Identifier: Apache-2.0
"""Breaks: what is emitted does not depend on what was lost there."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensebind.errors import InputError
from sensebind.types import Frame, UniformBlock
from sensebind.windowing.rules import FrameRules, SampleRules, UniformRules
from sensebind.windowing.uniform import UniformWindower
from tests.runtime.windowing.test_windows_equal_oracle import (
    FRAME_RULES,
    MS,
    SAMPLE_RULES,
    UNIFORM_RULES,
    run_frames,
    run_samples,
    run_uniform,
    stamps,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.runtime.windowing.oracles import Packet, Rows

Item = TypeVar("Item")
LOSSES = st.lists(st.tuples(st.integers(0, 59), st.integers(0, 12)), min_size=1, max_size=3)
EXAMPLES = settings(max_examples=100)


def live_and_recorded(
    events: list[Item], losses: list[tuple[int, int]]
) -> tuple[list[Item | None], list[Item | None]]:
    """What a windower sees live, where some events (from, count) are lost, and in the recording."""
    live: list[Item | None] = []
    recorded: list[Item | None] = []
    lost = {i for first, count in losses for i in range(first, min(first + count, len(events)))}
    for i, event in enumerate(events):
        recorded.append(event)
        if i not in lost:
            live.append(event)
        elif i + 1 not in lost:
            live.append(None)
            recorded.append(None)
    return live, recorded


def assert_contained(live: Rows, recorded: Rows) -> None:
    assert not Counter(live) - Counter(recorded)


@EXAMPLES
@given(rules=SAMPLE_RULES, at=stamps(10 * MS), losses=LOSSES)
def test_a_recording_gives_every_sample_window_of_the_live_run(
    rules: SampleRules, at: list[int], losses: list[tuple[int, int]]
) -> None:
    samples = [(t, np.array([i, -i], float)) for i, t in enumerate(at)]
    live, recorded = live_and_recorded(samples, losses)
    rows, _ = run_samples(rules, live, [0, len(live)])
    all_rows, _ = run_samples(rules, recorded, [0, len(recorded)])
    assert_contained([(*r[:3], tuple(r[3]), r[4]) for r in rows],
                     [(*r[:3], tuple(r[3]), r[4]) for r in all_rows])  # fmt: skip


@EXAMPLES
@given(rules=FRAME_RULES, at=stamps(33 * MS), losses=LOSSES)
def test_a_recording_gives_every_frame_window_of_the_live_run(
    rules: FrameRules, at: list[int], losses: list[tuple[int, int]]
) -> None:
    frames = [(t, Frame(data=bytes([i]), encoding="jpeg")) for i, t in enumerate(at)]
    live, recorded = live_and_recorded(frames, losses)
    rows, _ = run_frames(rules, live)
    all_rows, _ = run_frames(rules, recorded)
    assert_contained([(r[0], tuple(r[1]), *r[2:]) for r in rows],
                     [(r[0], tuple(r[1]), *r[2:]) for r in all_rows])  # fmt: skip


@EXAMPLES
@given(rules=UNIFORM_RULES, at=stamps(40 * MS, max_size=30), losses=LOSSES)
def test_a_recording_gives_every_audio_window_of_the_live_run(
    rules: UniformRules, at: list[int], losses: list[tuple[int, int]]
) -> None:
    packets: list[Packet] = []
    for i, stamp in enumerate(at):
        values = np.sin(np.arange(40 * i, 40 * i + 40, dtype=np.float32))[:, np.newaxis]
        packets.append((stamp, 1000.0, 1000.1 if i < 20 else 1000.0, values))
    live, recorded = live_and_recorded(packets, losses)
    rows, _ = run_uniform(rules, live, [40])
    all_rows, _ = run_uniform(rules, recorded, [40])
    assert_contained([(*r[:5], *r[6:]) for r in rows], [(*r[:5], *r[6:]) for r in all_rows])


AUDIO = UniformRules(
    length_ns=200 * MS,
    hop_ns=100 * MS,
    frame_shift=Fraction(1, 100),
    gap_limit_ns=60 * MS,
    tolerance_ns=5 * MS,
    rate_hz=1000.0,
)


def drifting(seconds: int, off: float, clock_hz: float) -> Sequence[Packet]:
    """Sound of a card whose clock is off by a share, in blocks of 20 ms."""
    zeros = np.zeros((20, 1), np.float32)
    return [(round(i * 20 * MS / (1 + off)), 1000.0, clock_hz, zeros) for i in range(50 * seconds)]


@pytest.mark.parametrize("off", [1e-4, -1e-4])
def test_a_known_clock_needs_no_relock(off: float) -> None:
    packets = drifting(120, off, 0.0)
    _, unknown = run_uniform(AUDIO, packets, [20])
    rows, known = run_uniform(AUDIO, drifting(120, off, 1000.0 * (1 + off)), [20])
    assert unknown["relocks"] == 2  # 5 ms of drift take 50 s
    assert "relocks" not in known
    assert known["emitted"] == len(rows) == 1199
    grid, start, end = rows[-1][0], rows[-1][2], rows[-1][3]
    assert 0 <= grid - end <= 10 * MS
    assert end - start == round(200 * MS / (1 + off))


def test_a_rate_measured_anew_begins_a_segment() -> None:
    packets = [*drifting(4, 0.0, 1000.0), *drifting(8, 0.0, 1000.1)[200:]]
    rows, counts = run_uniform(AUDIO, packets, [20])
    assert (counts["relocks"], counts.get("rate_changes", 0)) == (1, 0)
    assert sorted({row[5] for row in rows}) == [0, 1]
    assert counts["gap"] == 1  # the window that holds the change


@pytest.mark.parametrize("clock_hz", [float("nan"), -1000.0, 989.0, 1011.0])
def test_a_rate_of_no_clock_is_refused(clock_hz: float) -> None:
    block = UniformBlock("mic", 0, 1000.0, np.zeros((20, 1), np.float32), clock_hz)
    with pytest.raises(InputError, match=r"clock_rate_hz=.*expected 0 or within 1% of rate_hz"):
        UniformWindower("mic", AUDIO).push(block)


def test_a_break_gives_up_what_is_open() -> None:
    windower = UniformWindower("mic", AUDIO)
    values = np.zeros((500, 1), np.float32)
    first = windower.push(UniformBlock("mic", 0, 1000.0, values))
    windower.break_off()
    windower.break_off()
    assert windower.counters.pending == 0
    second = windower.push(UniformBlock("mic", 510 * MS, 1000.0, values)) + windower.flush()
    assert [w.grid_ns // MS for w in first + second] == [
        *range(200, 501, 100),
        *range(700, 1001, 100),
    ]
    assert (windower.counters.breaks, windower.counters.gap, windower.counters.resets) == (2, 1, 0)


def test_frames_behind_a_break_do_not_know_the_period_before_it() -> None:
    rules = FrameRules(length_ns=2000 * MS, hop_ns=500 * MS)
    events: list[tuple[int, Frame] | None] = [
        (at * MS, Frame(b"", "jpeg")) for at in (*range(0, 2000, 33), 2100, 2900)
    ]
    events.insert(-2, None)
    rows, counts = run_frames(rules, events)
    assert [row[0] // MS for row in rows if row[0] > 2000 * MS] == [2500, 3000]
    assert counts["breaks"] == 1
