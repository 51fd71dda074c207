# SPDX-License-Identifier: Apache-2.0
"""What windows are, written from the definition with plain lists: slow, short and exact."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from statistics import median_low

import numpy as np

NS = 1_000_000_000
Row = tuple[object, ...]


def arrivals(events, lateness, reset, counts):
    """(stamp, item) in order of arrival -> epochs of accepted items in stamp order."""
    epochs, newest = [{}], None
    for stamp, item in events:
        counts["pushed"] += 1
        if not (0 <= stamp < 2**62) or (np.ndim(item) and not np.isfinite(item).all()):
            counts["invalid"] += 1
            continue
        if newest is not None and stamp < newest - reset:
            counts["resets"] += 1
            epochs, newest = [*epochs, {}], None
        if newest is None or stamp > newest:
            newest = stamp
        elif stamp == newest or (stamp > newest - lateness and stamp in epochs[-1]):
            counts["duplicate"] += 1
            continue
        elif stamp <= newest - lateness:
            counts["late"] += 1
            continue
        epochs[-1][stamp] = item
    return [sorted(e.items()) for e in epochs if e]


def sample_windows(events, r):
    """Windows (grid, coverage, newest, stamps, rows) of an irregular stream and the counts."""
    counts, windows = Counter(), []
    for epoch in arrivals(events, r.lateness_ns, r.reset_ns, counts):
        cuts = [i for i in range(1, len(epoch)) if epoch[i][0] - epoch[i - 1][0] > r.gap_limit_ns]
        counts["gaps"] += len(cuts)
        bounds = [0, *cuts, len(epoch)]
        for n, (a, b) in enumerate(zip(bounds, bounds[1:])):
            seg = epoch[a:b]
            first, last = seg[0][0], seg[-1][0]
            following = epoch[b][0] if b < len(epoch) else None
            used = set()
            for k in range(first // r.hop_ns + 1, (last + r.length_ns) // r.hop_ns + 1):
                end, start = k * r.hop_ns, k * r.hop_ns - r.length_ns
                if following is not None and end > following:
                    break
                inside = [i for i, (t, _) in enumerate(seg) if start <= t < end]
                coverage = _coverage(seg, start, end, r)
                if coverage < r.min_coverage:
                    tail = "gap" if following is not None else "ending"
                    head = "gap" if n else "warming"
                    counts[head if start < first else tail if end > last else "gap"] += 1
                    continue
                counts["emitted"] += 1
                used.update(inside)
                lo = sum(t < start for t, _ in seg)
                lo = max(0, min(lo - r.support, sum(t < start - round(NS / r.rate_hz) for t, _ in seg)))
                hi = sum(t < end for t, _ in seg)
                part = seg[lo : hi + r.support]
                windows.append((end, coverage, seg[hi - 1][0], [t for t, _ in part],
                                np.array([x for _, x in part]).tobytes()))
            counts["used"] += len(used)
            counts["unused"] += len(seg) - len(used)
    return windows, +counts


def _coverage(seg, start, end, r):
    stamps = [t for t, _ in seg]
    total = round(Fraction(end - start, NS) * Fraction(repr(r.rate_hz)))
    hit = 0
    for i in range(total):
        p = end - round((total - i) * NS / Fraction(repr(r.rate_hz)))
        left = [t for t in stamps if t <= p]
        right = [t for t in stamps if t > p]
        near = left and right and right[0] - left[-1] <= r.max_interval_ns
        hit += bool(near or (left and left[-1] == p))
    return hit / total


def frame_windows(events, r):
    """Windows (grid, frames, start, end) of a frame stream and the counts."""
    counts, windows = Counter(), []
    for epoch in arrivals(events, r.lateness_ns, r.reset_ns, counts):
        stamps, used, cell = [t for t, _ in epoch], set(), -1
        instants = [k * r.hop_ns for k in _instants(stamps, r)]
        if r.at_frames:
            instants = []
            for t in stamps:
                if t // r.hop_ns > cell:
                    cell = t // r.hop_ns
                    instants.append(t)
        elif stamps:
            instants.append((stamps[-1] // r.hop_ns + 1) * r.hop_ns)
        for at in instants:
            if at > stamps[-1] and len(stamps) - 1 in used:
                break
            j = max(i for i, t in enumerate(stamps) if t <= at)
            steps = [b - a for a, b in zip(stamps[: j + 1], stamps[1 : j + 1])][-8:]
            age = r.max_age_ns or 2 * min(10 * NS, median_low(steps) if steps else r.hop_ns)
            if at - stamps[j] > max(r.hop_ns, age):
                continue
            chosen, cause = [], None
            for x in (at - round((1 - p) * r.length_ns) for p in r.positions):
                before = [i for i, t in enumerate(stamps) if t <= x]
                chosen.append(before[-1] if before else None)
                if cause is None and (not before or x - stamps[before[-1]] > age):
                    cause = "gap" if before else "warming"
            if cause is not None:
                counts[cause] += 1
                continue
            counts["emitted"] += 1
            used.update(chosen)
            times = [stamps[c] for c in chosen]
            windows.append((at, [epoch[c][1] for c in chosen], min(times), max(times)))
        counts["used"] += len(used)
        counts["unused"] += len(stamps) - len(used)
    return windows, +counts


def _instants(stamps, r):
    reach = max(r.hop_ns, r.max_age_ns or 20 * NS)
    near = {k for t in stamps for k in range(-(-t // r.hop_ns), (t + reach) // r.hop_ns + 1)}
    return sorted(k for k in near if k * r.hop_ns <= stamps[-1])


def uniform_windows(packets, r):
    """Windows (grid, coverage, start, end, newest, samples) of an audio stream and the counts."""
    counts, segments, expected, overlap = Counter(), [], None, 0
    for stamp, rate, values in packets:
        rate, n = Fraction(repr(rate)), len(values)
        counts["pushed"] += n
        if not (0 <= stamp < 2**62):
            counts["invalid"] += n
            continue
        seg = segments[-1] if segments else None
        if seg and (stamp < expected - r.reset_ns or rate != seg["rate"]):
            counts["resets" if stamp < expected - r.reset_ns else "rate_changes"] += 1
            seg, overlap = None, 0
        if seg is None:
            segments.append(seg := {"t0": stamp, "rate": rate, "x": [], "after_gap": False})
        elif abs(stamp - expected) > r.tolerance_ns:
            step = stamp - expected - overlap * NS / rate
            samples = round(abs(step) * rate / NS)
            overlap = samples if step < -r.tolerance_ns else 0
            if step > r.gap_limit_ns:
                counts["gaps"] += 1
                segments.append(seg := {"t0": stamp, "rate": rate, "x": [], "after_gap": True})
            elif step > r.tolerance_ns:
                counts["filled"] += samples
                seg["x"] += [None] * samples
        expected = stamp + n * NS / rate
        dropped, overlap = min(overlap, n), overlap - min(overlap, n)
        counts["duplicate"] += dropped
        at = stamp + dropped * NS / rate
        if dropped < n and abs(at - round(seg["t0"] + len(seg["x"]) * NS / seg["rate"])) > r.tolerance_ns:
            counts["relocks"] += 1
            segments.append(seg := {"t0": round(at), "rate": rate, "x": [], "after_gap": True})
        for v in values[dropped:]:
            bad = not np.isfinite(v).all()
            counts["invalid"] += bad
            seg["x"].append(None if bad else v)
    windows, k = [], 0
    for n, seg in enumerate(segments):
        later = segments[n + 1] if n + 1 < len(segments) else None
        following = later["t0"] if later and later["after_gap"] else None
        k = max(seg["t0"] // r.hop_ns, k if seg["after_gap"] else 0)
        more, k = _uniform_segment(seg, k, following, r, counts)
        windows += more
    return windows, +counts


def _uniform_segment(seg, k, following, r, counts):
    t0, rate, x, windows, used = seg["t0"], seg["rate"], seg["x"], [], set()
    total, shift = int(Fraction(r.length_ns, NS) * rate), int(r.frame_shift * rate)
    while True:
        before = math.ceil(((k + 1) * r.hop_ns - t0) * rate / NS)
        start = (before - total) // shift * shift
        end = start + total
        taken_over = following is not None and (k + 1) * r.hop_ns > following
        if start >= len(x) or (taken_over and before > len(x)):
            break
        k += 1
        span = [x[i] if 0 <= i < len(x) else None for i in range(start, end)]
        coverage = sum(v is not None for v in span) / total
        if coverage < r.min_coverage:
            tail = "gap" if following is not None else "ending"
            head = "gap" if seg["after_gap"] else "warming"
            counts[head if start < 0 else tail if end > len(x) else "gap"] += 1
            continue
        counts["emitted"] += 1
        used.update(i for i in range(start, end) if 0 <= i < len(x) and x[i] is not None)
        at = [round(t0 + i * NS / rate) for i in (start, end, min(end, len(x)) - 1)]
        samples = np.array([np.zeros(1, np.float32) if v is None else v for v in span], np.float32)
        windows.append((k * r.hop_ns, coverage, *at, samples.tobytes()))
    counts["used"] += len(used)
    counts["unused"] += sum(v is not None for v in x) - len(used)
    return windows, k
