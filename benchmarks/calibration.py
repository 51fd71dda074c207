# SPDX-License-Identifier: Apache-2.0
"""Overlapping Allan deviation against allantools, on the same readings and spans.

Both sum up the readings and give the deviation at the same spans, one axis. Beyond 128 readings
ours takes starts that lie apart (see `sensebind_calibration.allan`); the largest difference of the
two curves is told beside the times. Processor time, one thread, the two alternating round by round.
Needs allantools (2024.06) in the environment.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import allantools
import numpy as np

from benchmarks._machine import describe
from sensebind_calibration.allan import allan_curve, cumulative, span_counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

GOAL = 5.0
_RATE_HZ = 400.0


def measure(readings: int, rounds: int, per_decade: int) -> dict[str, Any]:
    """Times of both in seconds, their ratios and the largest difference of the curves."""
    values = np.random.default_rng(0).normal(size=readings)
    counts = span_counts(readings, per_decade)

    def ours() -> NDArray[np.float64]:
        return np.asarray(allan_curve([cumulative(values)], _RATE_HZ, counts).deviations[0])

    def theirs() -> NDArray[np.float64]:
        found = allantools.oadev(values, rate=_RATE_HZ, data_type="freq", taus=counts / _RATE_HZ)
        return np.asarray(found[1])

    difference = float(np.abs(ours() / theirs() - 1).max())  # warms up, too
    times: dict[str, list[float]] = {"ours": [], "allantools": []}
    for index in range(rounds):
        pair: list[tuple[str, Callable[[], object]]] = [("ours", ours), ("allantools", theirs)]
        for name, function in pair if index % 2 else pair[::-1]:
            begin_s = time.process_time()
            function()
            times[name].append(time.process_time() - begin_s)
    ratios = {
        "median": statistics.median(times["allantools"]) / statistics.median(times["ours"]),
        "best": min(times["allantools"]) / min(times["ours"]),
    }
    return {
        "readings": readings,
        "spans": len(counts),
        "median_s": {name: statistics.median(of) for name, of in times.items()},
        "times_faster": ratios,
        "largest_difference": difference,
        "goal": GOAL,
        "met": min(ratios.values()) >= GOAL,
    }


def main() -> None:
    """Measure, print a line and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--readings", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each")
    parser.add_argument("--per-decade", type=int, default=12, help="spans per decade")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    figures = measure(options.readings, options.rounds, options.per_decade)
    median = figures["median_s"]
    print(
        f"Allan deviation of {figures['readings']} readings at {figures['spans']} spans: "
        f"{median['ours']:.2f} s, allantools {median['allantools']:.2f} s, "
        f"{figures['times_faster']['median']:.1f} times faster (goal {GOAL:g}: "
        f"{'met' if figures['met'] else 'MISSED'}); curves differ by at most "
        f"{figures['largest_difference']:.1e}"
    )
    if options.out:
        machine = describe(("sensebind", "numpy", "numba", "allantools"))
        document = {"machine": machine, "rounds": options.rounds, "allan": figures}
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
