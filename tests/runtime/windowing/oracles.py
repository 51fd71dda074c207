# SPDX-License-Identifier: Apache-2.0
"""What windows are, written from the definition with plain lists: slow, short and exact.

None among what arrives is a break: samples were lost there.
"""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from statistics import median_low
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import soxr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind.windowing.rules import FrameRules, SampleRules, UniformRules, WindowRules

NS = 1_000_000_000
Item = TypeVar("Item")
Counts = Counter[str]
Rows = list[tuple[Any, ...]]


class Epoch(NamedTuple):
    """Accepted items in stamp order; with `until`, it was broken off when that was settled."""

    items: list[tuple[int, Any]]
    after_break: bool = False
    until: int | None = None


def between_breaks(events: Sequence[Item | None], counts: Counts) -> list[list[Item]]:
    """Cut what arrives at its breaks."""
    parts: list[list[Item]] = [[]]
    for event in events:
        if event is None:
            parts.append([])
        else:
            parts[-1].append(event)
    counts["breaks"] += len(parts) - 1
    return parts


def epochs_of(
    events: Sequence[tuple[int, Item] | None], r: WindowRules, counts: Counts
) -> list[Epoch]:
    """(stamp, item) in order of arrival -> epochs."""
    out: list[Epoch] = []
    parts = between_breaks(events, counts)
    for n, part in enumerate(parts):
        epochs = [Epoch(items) for items in arrivals(part, r, counts)]
        if epochs and n > 0:
            epochs[0] = epochs[0]._replace(after_break=True)
        if epochs and n < len(parts) - 1:
            until = epochs[-1].items[-1][0] - r.lateness_ns
            settled = [(t, x) for t, x in epochs[-1].items if t <= until]
            counts["unused"] += len(epochs[-1].items) - len(settled)
            epochs[-1] = epochs[-1]._replace(items=settled, until=until)
        out += [epoch for epoch in epochs if epoch.items]
    return out


def arrivals(
    events: Sequence[tuple[int, Item]], r: WindowRules, counts: Counts
) -> list[list[tuple[int, Item]]]:
    """(stamp, item) in order of arrival, without breaks -> accepted items of each epoch."""
    epochs: list[dict[int, Item]] = [{}]
    newest: int | None = None
    for stamp, item in events:
        counts["pushed"] += 1
        if not 0 <= stamp < 2**62 or (isinstance(item, np.ndarray) and not np.isfinite(item).all()):
            counts["invalid"] += 1
            continue
        if newest is not None and stamp < newest - r.reset_ns:
            counts["resets"] += 1
            epochs.append({})
            newest = None
        if newest is None or stamp > newest:
            newest = stamp
        elif stamp == newest or (stamp > newest - r.lateness_ns and stamp in epochs[-1]):
            counts["duplicate"] += 1
            continue
        elif stamp <= newest - r.lateness_ns:
            counts["late"] += 1
            continue
        epochs[-1][stamp] = item
    return [sorted(epoch.items(), key=lambda pair: pair[0]) for epoch in epochs if epoch]


def sample_windows(events: Sequence[tuple[int, Any] | None], r: SampleRules) -> tuple[Rows, Counts]:
    """Windows (grid, coverage, newest, stamps, rows) of an irregular stream and the counts."""
    counts: Counts = Counter()
    windows: Rows = []
    for items, after_break, until in epochs_of(events, r, counts):
        cuts = [i for i in range(1, len(items)) if items[i][0] - items[i - 1][0] > r.gap_limit_ns]
        counts["gaps"] += len(cuts)
        bounds = [0, *cuts, len(items)]
        for n, (a, b) in enumerate(pairwise(bounds)):
            following = items[b][0] if b < len(items) else None
            after_gap = n > 0 or after_break
            is_open = until is not None and following is None
            windows += _sample_segment(items[a:b], after_gap, following, is_open, r, counts)
    return windows, +counts


def _sample_segment(
    seg: list[tuple[int, Any]],
    after_gap: bool,
    following: int | None,
    is_open: bool,
    r: SampleRules,
    counts: Counts,
) -> Rows:
    windows: Rows = []
    used: set[int] = set()
    first, last = seg[0][0], seg[-1][0]
    counts["sparse"] += sum(b[0] - a[0] > r.max_interval_ns for a, b in pairwise(seg))
    for k in range(first // r.hop_ns + 1, (last + r.length_ns) // r.hop_ns + 1):
        end, start = k * r.hop_ns, k * r.hop_ns - r.length_ns
        if following is not None and end > following:
            break
        if is_open and sum(t >= end for t, _ in seg) < r.support:
            break
        coverage = _coverage([t for t, _ in seg], start, end, r)
        if coverage < r.min_coverage:
            tail = "gap" if following is not None else "ending"
            head = "gap" if after_gap else "warming"
            counts[head if start < first else tail if end > last else "gap"] += 1
            continue
        counts["emitted"] += 1
        used.update(i for i, (t, _) in enumerate(seg) if start <= t < end)
        rate = Fraction(repr(r.rate_hz))
        begin = min(start, end - round(round(Fraction(r.length_ns, NS) * rate) * NS / rate))
        before = sum(t < begin for t, _ in seg)
        period_before = sum(t < begin - round(NS / r.rate_hz) for t, _ in seg)
        low = max(0, min(before - r.support, period_before - 1))
        high = sum(t < end for t, _ in seg)
        part = seg[low : high + r.support]
        rows = np.array([x for _, x in part]).tobytes()
        windows.append((end, coverage, seg[high - 1][0], [t for t, _ in part], rows))
    counts["used"] += len(used)
    counts["unused"] += len(seg) - len(used)
    return windows


def _coverage(stamps: list[int], start: int, end: int, r: SampleRules) -> float:
    rate = Fraction(repr(r.rate_hz))
    total = round(Fraction(end - start, NS) * rate)
    hit = 0
    for i in range(total):
        point = end - round((total - i) * NS / rate)
        left = [t for t in stamps if t <= point]
        right = [t for t in stamps if t > point]
        near = left and right and right[0] - left[-1] <= r.max_interval_ns
        hit += bool(near or (left and left[-1] == point))
    return hit / total


def frame_windows(events: Sequence[tuple[int, Item] | None], r: FrameRules) -> tuple[Rows, Counts]:
    """Windows (grid, frames, start, end) of a frame stream and the counts."""
    counts: Counts = Counter()
    windows: Rows = []
    for items, _, until in epochs_of(events, r, counts):
        stamps = [t for t, _ in items]
        used: set[int] = set()
        for at in _instants(stamps, until, r):
            ending = until is None and at > stamps[-1]
            if ending and len(stamps) - 1 in used:
                break
            newest = max(i for i, t in enumerate(stamps) if t <= at)
            steps = [b - a for a, b in pairwise(stamps[: newest + 1])]
            period = min(10 * NS, median_low(steps[-8:]) if steps else r.hop_ns)
            age = r.max_age_ns or 2 * period
            if at - stamps[newest] > max(r.hop_ns, age):
                continue
            chosen: list[int] = []
            cause = "emitted"
            for target in (at - round((1 - p) * r.length_ns) for p in r.positions):
                before = [i for i, t in enumerate(stamps) if t <= target]
                chosen += before[-1:]
                if cause == "emitted" and (not before or target - stamps[before[-1]] > age):
                    cause = ("ending" if ending else "gap") if before else "warming"
            counts[cause] += 1
            if cause == "emitted":
                used.update(chosen)
                times = [stamps[c] for c in chosen]
                windows.append((at, [items[c][1] for c in chosen], min(times), max(times)))
        counts["used"] += len(used)
        counts["unused"] += len(stamps) - len(used)
    return windows, +counts


def _instants(stamps: list[int], until: int | None, r: FrameRules) -> list[int]:
    if r.at_frames:
        return [
            t for i, t in enumerate(stamps) if i == 0 or t // r.hop_ns > stamps[i - 1] // r.hop_ns
        ]
    reach = max(r.hop_ns, r.max_age_ns or 20 * NS)
    near = {k for t in stamps for k in range(-(-t // r.hop_ns), (t + reach) // r.hop_ns + 1)}
    last = stamps[-1] // r.hop_ns + 1 if until is None else until // r.hop_ns
    if until is None:
        near.add(last)
    return sorted(k * r.hop_ns for k in near if k <= last)


class Lattice:
    """A segment of a uniform stream: sample n at t0 + n/rate, None where one is missing.

    `x` are the stream's samples, `y` the same at the front end's rate. The clock of the stamps
    counts `clock` seconds per second of the nominal rate.
    """

    def __init__(self, t0: int, rate: Fraction, clock: Fraction, *, after_gap: bool) -> None:
        self.t0, self.rate, self.clock, self.after_gap = t0, rate, clock, after_gap
        self.follows, self.broken = after_gap, False
        self.x: list[Any] = []

    def stamp(self, n: int, rate: Fraction) -> int:
        return round(self.t0 + n * NS * self.clock / rate)

    def resampled(self, rate: Fraction) -> Any:
        whole = np.array([0 if v is None else v for v in self.x], np.float32)
        if rate == self.rate or not len(whole):
            return whole
        stream = soxr.ResampleStream(float(self.rate), float(rate), 1, "float32", "HQ")
        return stream.resample_chunk(whole, last=not self.broken)


Packet = tuple[int, float, float, Any]
"""Stamp of the first sample, nominal rate, rate by the clock of the stamps, values."""


def uniform_segments(packets: Sequence[Packet], r: UniformRules, counts: Counts) -> list[Lattice]:
    """Packets in order of arrival, without breaks -> lattices."""
    segments: list[Lattice] = []
    expected, overlap = Fraction(0), 0
    for stamp, rate_hz, clock_hz, values in packets:
        rate, n = Fraction(repr(rate_hz)), len(values)
        clock = rate / Fraction(repr(clock_hz or rate_hz))
        period = NS * clock / rate
        counts["pushed"] += n
        if not 0 <= stamp < 2**62:
            counts["invalid"] += n
            continue
        reset = bool(segments) and stamp < expected - r.reset_ns
        if not segments or reset or rate != segments[-1].rate:
            counts["resets"] += reset
            counts["rate_changes"] += bool(segments) and not reset
            segments.append(Lattice(stamp, rate, clock, after_gap=False))
            overlap = 0
        elif clock != segments[-1].clock:
            pause = stamp - expected - overlap * NS * segments[-1].clock / rate > r.gap_limit_ns
            counts["gaps" if pause else "relocks"] += 1
            segments.append(Lattice(stamp, rate, clock, after_gap=True))
            overlap = 0
        elif abs(stamp - expected) > r.tolerance_ns:
            step = stamp - expected - overlap * period
            samples = round(abs(step) / period)
            overlap = samples if step < -r.tolerance_ns else 0
            if step > r.gap_limit_ns:
                counts["gaps"] += 1
                segments.append(Lattice(stamp, rate, clock, after_gap=True))
            elif step > r.tolerance_ns:
                counts["filled"] += samples
                segments[-1].x += [None] * samples
        expected = stamp + n * period
        dropped, overlap = min(overlap, n), overlap - min(overlap, n)
        counts["duplicate"] += dropped
        at = stamp + dropped * period
        drift = abs(at - segments[-1].stamp(len(segments[-1].x), rate))
        if dropped < n and drift > r.tolerance_ns:
            counts["relocks"] += 1
            segments.append(Lattice(round(at), rate, clock, after_gap=True))
        mono = values[:, 0] if r.channels == "first" else values.sum(1) / values.shape[1]
        kept = [v if np.isfinite(v) else None for v in mono[dropped:]]
        counts["invalid"] += sum(v is None for v in kept)
        segments[-1].x += kept
    return segments


def broken_segments(
    packets: Sequence[Packet | None], r: UniformRules, counts: Counts
) -> list[Lattice]:
    """Packets in order of arrival -> lattices."""
    out: list[Lattice] = []
    parts = between_breaks(packets, counts)
    for n, part in enumerate(parts):
        segments = uniform_segments(part, r, counts)
        if segments and n > 0:
            segments[0].after_gap = True
        if segments and n < len(parts) - 1:
            segments[-1].broken = True
        out += segments
    return out


def uniform_windows(packets: Sequence[Packet | None], r: UniformRules) -> tuple[Rows, Counts]:
    """Windows of an audio stream and the counts.

    A window is grid, coverage, start, end, newest, segment, first index, samples.
    """
    counts: Counts = Counter()
    segments = broken_segments(packets, r, counts)
    windows: Rows = []
    k = 0
    rate = Fraction(repr(r.rate_hz))
    total, shift = int(Fraction(r.length_ns, NS) * rate), int(r.frame_shift * rate)
    for n, seg in enumerate(segments):
        later = segments[n + 1] if n + 1 < len(segments) else None
        following = later.t0 if later and later.follows else None
        k = max(seg.t0 // r.hop_ns, k if seg.follows else 0)
        used: set[int] = set()
        y, ratio = seg.resampled(rate), seg.rate / rate
        while True:
            grid = (k + 1) * r.hop_ns
            before = math.ceil((grid - seg.t0) * rate / seg.clock / NS)
            start = (before - total) // shift * shift
            end = start + total
            taken_over = following is not None and grid > following and before > len(y)
            if start >= len(y) or taken_over or (seg.broken and before > len(y)):
                break
            k += 1
            span = range(math.ceil(start * ratio), math.ceil(end * ratio))
            inside = [i for i in span if 0 <= i < len(seg.x) and seg.x[i] is not None]
            if len(inside) / len(span) < r.min_coverage:
                tail = "gap" if following is not None or seg.broken else "ending"
                head = "gap" if seg.after_gap else "warming"
                counts[head if start < 0 else tail if end > len(y) else "gap"] += 1
                continue
            counts["emitted"] += 1
            used.update(inside)
            values = np.zeros(total, np.float32)
            for i in range(max(start, 0), min(end, len(y))):
                values[i - start] = y[i]
            at = [seg.stamp(i, rate) for i in (start, end, min(end, len(y)) - 1)]
            windows.append((grid, len(inside) / len(span), *at, n, start, values.tobytes()))
        counts["used"] += len(used)
        counts["unused"] += sum(v is not None for v in seg.x) - len(used)
    emitting = sorted({window[5] for window in windows})
    return [(*w[:5], emitting.index(w[5]), *w[6:]) for w in windows], +counts
