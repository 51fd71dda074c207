# SPDX-License-Identifier: Apache-2.0
"""Windowers against naive oracles: any chunking, jitter, loss, duplicate, order, gap, reset."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensebind.errors import ConfigError
from sensebind.types import Frame, FrameBlock, SampleBlock, UniformBlock
from sensebind.windowing.frames import FrameWindower
from sensebind.windowing.rules import FrameRules, SampleRules, UniformRules
from sensebind.windowing.samples import SampleWindower
from sensebind.windowing.uniform import UniformWindower
from tests.runtime.windowing.oracles import frame_windows, sample_windows, uniform_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind.windowing import Windower
    from tests.runtime.windowing.oracles import Packet, Rows

Item = TypeVar("Item")

MS = 1_000_000
EXAMPLES = settings(max_examples=200)
STARTS_NS = st.sampled_from([0, 7 * MS, 1_699_999_999 * 10**9 + 123_456_789])
BREAKS = st.sets(st.integers(0, 59), max_size=3)
RATES = st.sampled_from([0.98, 0.999, 1.0, 1.001, 1.02])
KINDS = ["next"] * 30 + ["jitter"] * 8 + ["hole", "gap", "late", "reset", "far", "garbage", "again"]


@st.composite
def stamps(draw: st.DrawFn, period_ns: int, max_size: int = 60) -> list[int]:
    """Stamps as a bad driver gives them: jitter, gaps, duplicates, late ones, resets, garbage."""
    at, step_ns = float(draw(STARTS_NS)), period_ns * draw(RATES)
    out: list[int] = []
    for _ in range(draw(st.integers(1, max_size))):
        kind = draw(st.sampled_from(KINDS))
        at += step_ns
        if kind == "hole":
            at += draw(st.integers(1, 3)) * period_ns
        elif kind == "gap":
            at += draw(st.integers(5, 400)) * period_ns
        elif kind == "reset":
            at = max(0, at - draw(st.integers(1000, 5000)) * MS)
        elif kind == "far":
            at += draw(st.sampled_from([10**12, 10**17]))
        value = round(at)
        if kind == "jitter":
            value += draw(st.integers(-period_ns // 2, period_ns // 2))
        elif kind == "late":
            value -= draw(st.integers(1, 40)) * period_ns // 4
        value = max(0, value)
        if kind == "again" and out:
            value = draw(st.sampled_from(out))
        elif kind == "garbage":
            value = draw(st.sampled_from([-(10**15), 2**62, -(2**62)]))
        out.append(value)
    return out


def split(sizes: list[int], count: int) -> list[int]:
    """Bounds of consecutive blocks of the drawn sizes that cover 0..count."""
    bounds = [0]
    for size in sizes:
        bounds.append(min(count, bounds[-1] + size))
    return [*bounds, count]


def broken(events: list[Item], places: set[int]) -> list[Item | None]:
    """Put a break before each of some events."""
    return [e for i, event in enumerate(events) for e in ([None] * (i in places) + [event])]


def counted(windower: Windower) -> dict[str, int]:
    """Counters that are not 0, once every sample's fate is known."""
    assert windower.counters.pending == 0
    return {name: n for name, n in asdict(windower.counters).items() if n}


SAMPLE_RULES = st.builds(
    SampleRules,
    length_ns=st.sampled_from([200 * MS, 1000 * MS, 70 * MS]),
    hop_ns=st.sampled_from([50 * MS, 100 * MS, 333 * MS]),
    min_coverage=st.sampled_from([0.1, 0.5, 0.9, 1.0]),
    lateness_ns=st.sampled_from([0, 15 * MS, 120 * MS]),
    rate_hz=st.sampled_from([100.0, 62.5]),
    max_interval_ns=st.sampled_from([25 * MS, 60 * MS]),
    gap_limit_ns=st.sampled_from([60 * MS, 250 * MS]),
    support=st.sampled_from([1, 2]),
)


def run_samples(
    rules: SampleRules, events: list[tuple[int, Any] | None], bounds: list[int]
) -> tuple[Rows, dict[str, int]]:
    windower = SampleWindower("imu", rules)
    windows = []
    for a, b in pairwise(bounds):
        for together, part in groupby(events[a:b], key=lambda event: event is not None):
            block = [event for event in part if event is not None]
            at = np.array([t for t, _ in block], np.int64)
            values = np.array([x for _, x in block], np.float64).reshape(-1, 2)
            if together:
                windows += windower.push(SampleBlock("imu", at, values))
            else:
                windower.break_off()
    windows += windower.flush()
    assert all(w.end_ns == w.grid_ns == w.start_ns + rules.length_ns for w in windows)
    rows: Rows = [
        (w.grid_ns, w.coverage, w.stamp_ns, w.stamps_ns.tolist(), w.values.tobytes())
        for w in windows
    ]
    return rows, counted(windower)


@EXAMPLES
@given(
    rules=SAMPLE_RULES,
    at=stamps(10 * MS),
    sizes=st.lists(st.integers(1, 30), max_size=40),
    bad=st.sets(st.integers(0, 59), max_size=2),
    breaks=BREAKS,
)
def test_sample_windows_equal_the_oracle_in_blocks_of_any_size(
    rules: SampleRules, at: list[int], sizes: list[int], bad: set[int], breaks: set[int]
) -> None:
    samples = [(t, np.array([i, np.nan if i in bad else -i], float)) for i, t in enumerate(at)]
    events = broken(samples, breaks)
    expected = sample_windows(events, rules)
    assert run_samples(rules, events, split(sizes, len(events))) == expected
    assert run_samples(rules, events, [0, len(events)]) == expected


FRAME_RULES = st.builds(
    FrameRules,
    length_ns=st.sampled_from([200 * MS, 2000 * MS]),
    hop_ns=st.sampled_from([50 * MS, 100 * MS, 500 * MS]),
    lateness_ns=st.sampled_from([0, 60 * MS, 120 * MS]),
    positions=st.sampled_from([(1.0,), (0.0, 1.0), (1.0, 0.5)]),
    max_age_ns=st.sampled_from([None, 40 * MS, 900 * MS]),
    at_frames=st.booleans(),
)


@EXAMPLES
@given(rules=FRAME_RULES, at=stamps(33 * MS), breaks=BREAKS)
def test_frame_windows_equal_the_oracle(rules: FrameRules, at: list[int], breaks: set[int]) -> None:
    frames = [Frame(data=bytes([i]), encoding="jpeg") for i in range(len(at))]
    events = broken(list(zip(at, frames, strict=True)), breaks)
    assert run_frames(rules, events) == frame_windows(events, rules)


def run_frames(
    rules: FrameRules, events: list[tuple[int, Frame] | None]
) -> tuple[Rows, dict[str, int]]:
    windower = FrameWindower("camera", rules)
    windows = []
    for event in events:
        if event is None:
            windower.break_off()
        else:
            windows += windower.push(FrameBlock("camera", *event))
    windows += windower.flush()
    assert all(w.coverage == 1.0 and w.stamp_ns == w.end_ns for w in windows)
    rows: Rows = [(w.grid_ns, list(w.frames), w.start_ns, w.end_ns) for w in windows]
    return rows, counted(windower)


UNIFORM_RULES = st.builds(
    UniformRules,
    length_ns=st.sampled_from([200 * MS, 500 * MS]),
    hop_ns=st.sampled_from([50 * MS, 100 * MS]),
    min_coverage=st.sampled_from([0.1, 0.5, 0.9, 1.0]),
    frame_shift=st.just(Fraction(1, 100)),
    gap_limit_ns=st.sampled_from([60 * MS, 250 * MS]),
    tolerance_ns=st.sampled_from([5 * MS + 7, 12 * MS + 7]),
    rate_hz=st.sampled_from([1000.0, 1600.0, 800.0]),
    channels=st.sampled_from(["first", "mean"]),
)


def run_uniform(
    rules: UniformRules, packets: Sequence[Packet | None], sizes: list[int]
) -> tuple[Rows, dict[str, int]]:
    windower = UniformWindower("mic", rules)
    windows = []
    for packet in packets:
        if packet is None:
            windower.break_off()
            continue
        stamp, rate_hz, clock_hz, values = packet
        for a, b in pairwise(split(sizes, len(values))):
            at = stamp + round(a * 10**9 / (clock_hz or rate_hz))
            windows += windower.push(UniformBlock("mic", at, rate_hz, values[a:b], clock_hz))
    windows += windower.flush()
    segments = sorted({w.segment for w in windows})
    rows: Rows = [
        (
            *(w.grid_ns, w.coverage, w.start_ns, w.end_ns, w.stamp_ns),
            *(segments.index(w.segment), w.start_index, w.values.tobytes()),
        )
        for w in windows
    ]
    return rows, counted(windower)


@EXAMPLES
@given(
    rules=UNIFORM_RULES,
    at=stamps(40 * MS, max_size=30),
    change=st.sampled_from([None, 3]),
    channels=st.sampled_from([1, 2]),
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=3),
    bad=st.sets(st.integers(0, 500), max_size=2),
    breaks=BREAKS,
    clock=st.lists(st.sampled_from([0.0, 1000.0, 1000.1, 999.9]), min_size=30, max_size=30),
    steady=st.booleans(),
)
def test_uniform_windows_equal_the_oracle_in_blocks_of_any_size(
    rules: UniformRules,
    at: list[int],
    change: int | None,
    channels: int,
    sizes: list[int],
    bad: set[int],
    breaks: set[int],
    clock: list[float],
    steady: bool,
) -> None:
    whole: list[Packet] = []
    for i, stamp in enumerate(at):
        values = np.arange(40 * i, 40 * i + 40, dtype=np.float32)[:, None] * [1, -3]
        values = np.sin(values.astype(np.float32))[:, :channels]
        values[[j - 40 * i for j in bad if j // 40 == i]] = np.inf
        rate_hz = 2000.0 if i == change else 1000.0
        clock_hz = clock[0 if steady else i // 8] * rate_hz / 1000
        whole.append((stamp, rate_hz, clock_hz, values))
    packets = broken(whole, breaks)
    expected = uniform_windows(packets, rules)
    assert run_uniform(rules, packets, [40]) == expected
    assert run_uniform(rules, packets, sizes) == expected


@pytest.mark.parametrize("start_ns", [0, 499 * MS, 10**18 + 1])
def test_a_steady_stream_gives_every_window_whatever_its_start(start_ns: int) -> None:
    rules = SampleRules(
        length_ns=1000 * MS,
        hop_ns=500 * MS,
        rate_hz=100.0,
        max_interval_ns=25 * MS,
        gap_limit_ns=250 * MS,
        support=2,
    )
    events: list[tuple[int, Any] | None] = [
        (start_ns + i * 10 * MS, np.zeros(2)) for i in range(1000)
    ]
    windows, counters = run_samples(rules, events, [0, 1000])
    grids = [w[0] for w in windows]
    first = -(-(start_ns + 900 * MS) // (500 * MS))
    assert grids == [(first + i) * 500 * MS for i in range(len(grids))]
    assert len(grids) >= 18
    assert counters["used"] + counters.get("unused", 0) == 1000


def test_frames_that_are_no_whole_number_of_samples_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"frame shift of 0\.01 s is 12\.345 samples at .* 1234\.5"
    ):
        UniformRules(
            length_ns=200 * MS,
            hop_ns=100 * MS,
            frame_shift=Fraction(1, 100),
            gap_limit_ns=60 * MS,
            tolerance_ns=5 * MS,
            rate_hz=1234.5,
        )
