# SPDX-License-Identifier: Apache-2.0
"""How fast the front ends are, against their peers on the same work.

Every module of `benchmarks/preprocess_rows` gives rows: two functions that do the same work, and
the ratio to reach. All of them run in one process and one thread; in each round each function
runs once in random order, as often in a row as makes half a millisecond, and its CPU time is
taken. So all see the same machine, and being interrupted costs nobody anything.

A row's ratio is reported twice: of the medians over the rounds, with the quartiles of the ratios
round by round, and of the 10th percentiles, which leave out most of what other programs disturb.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import random
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.preprocess_rows.base import Row

PACKAGES = (
    "sensebind", "numpy", "numba", "llvmlite", "scipy", "torch", "torchaudio", "torchvision",
    "kaldi-native-fbank", "opencv-python-headless", "soxr",
)  # fmt: skip
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SLICE_NS = 500_000
"""CPU time of one measurement; the clock's own cost is far below it."""


def load_rows() -> tuple[list[Row], dict[str, str]]:
    """Rows of all modules, and why a module gave none, by its name."""
    import benchmarks.preprocess_rows as package

    rows: list[Row] = []
    missing: dict[str, str] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.name == "base":
            continue
        try:
            rows += importlib.import_module(f"{package.__name__}.{info.name}").rows()
        except ImportError as error:
            missing[info.name] = str(error)
    return rows, missing


def measure(rows: Sequence[Row], rounds: int, seed: int = 0) -> list[dict[str, Any]]:
    """Run all rows interleaved; their figures as `summarise` gives them, in their order."""
    works = [work for row in rows for work in (row.ours, row.peer)]
    repeats = [_repeats(work) for work in works]
    times_us: list[list[float]] = [[] for _ in works]
    order = list(range(len(works)))
    shuffled = random.Random(seed)  # noqa: S311 -- an order, not a secret
    for _ in range(rounds):
        shuffled.shuffle(order)
        for index in order:
            times_us[index].append(_time_ns(works[index], repeats[index]) / repeats[index] / 1e3)
    pairs = zip(rows, times_us[::2], times_us[1::2], strict=True)
    return [summarise(row, ours, peer) for row, ours, peer in pairs]


def summarise(row: Row, ours_us: Sequence[float], peer_us: Sequence[float]) -> dict[str, Any]:
    """Figures of one row from its times round by round, in microseconds."""
    higher = row.better == "higher"
    over, under = (peer_us, ours_us) if higher else (ours_us, peer_us)
    quartiles = statistics.quantiles([a / b for a, b in zip(over, under, strict=True)], n=4)
    median = statistics.median(over) / statistics.median(under)
    p10 = _p10(over) / _p10(under)
    met = None
    if row.goal:
        met = min(median, p10) >= row.goal if higher else max(median, p10) <= row.goal
    return {
        "name": row.name,
        "ours_us": {"median": statistics.median(ours_us), "p10": _p10(ours_us)},
        "peer_us": {"median": statistics.median(peer_us), "p10": _p10(peer_us)},
        "better": row.better,
        "goal": row.goal,
        "ratio": {"median": median, "p10": p10, "quartiles": [quartiles[0], quartiles[2]]},
        "met": met,
        "note": row.note,
    }


def table(results: Sequence[dict[str, Any]]) -> str:
    """The figures as aligned lines."""
    lines = [("row", "ours us", "peer us", "ratio", "quartiles", "p10", "goal", "")]
    for figures in results:
        ratio = figures["ratio"]
        sign = "at least" if figures["better"] == "higher" else "at most"
        lines.append(
            (
                figures["name"],
                f"{figures['ours_us']['median']:.1f}",
                f"{figures['peer_us']['median']:.1f}",
                f"{ratio['median']:.2f}",
                f"{ratio['quartiles'][0]:.2f}-{ratio['quartiles'][1]:.2f}",
                f"{ratio['p10']:.2f}",
                f"{sign} {figures['goal']:g}" if figures["goal"] else "",
                {True: "met", False: "MISSED", None: ""}[figures["met"]],
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([cells[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)
        ]).rstrip()
        for cells in lines
    )  # fmt: skip


def _repeats(work: Callable[[], object]) -> int:
    """How often in a row fills a slice; running it also warms it up."""
    for _ in range(3):
        work()
    count = 1
    while (taken := _time_ns(work, count)) < SLICE_NS // 4:
        count *= 2
    return max(1, round(count * SLICE_NS / taken))


def _time_ns(work: Callable[[], object], count: int) -> int:
    begin = time.process_time_ns()
    for _ in range(count):
        work()
    return time.process_time_ns() - begin


def _p10(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=10, method="inclusive")[0]


def main() -> None:
    """Measure the rows, print them as a table and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=60, help="measurements per function")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    for name in ONE_THREAD:  # before anything that reads them is imported
        os.environ.setdefault(name, "1")
    from benchmarks import _machine

    machine = _machine.describe(PACKAGES)
    rows, missing = load_rows()
    results = measure([row for row in rows if options.only in row.name], options.rounds)
    floors = _machine.floors()
    for module, reason in missing.items():
        print(f"no rows of {module}: {reason}")
    print(f"{machine['cpu']}, load {machine['load_average'][0]:.1f}, {options.rounds} rounds")
    print(", ".join(f"{name} {value:.0f}" for name, value in floors.items()))
    print(table(results))
    if options.out:
        document = {
            "machine": {**machine, "load_average_after": os.getloadavg(), **floors},
            "rounds": options.rounds,
            "rows": results,
            "missing": missing,
        }
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
