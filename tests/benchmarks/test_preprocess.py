# SPDX-License-Identifier: Apache-2.0
"""The benchmark's arithmetic: ratios, verdicts, rows that are not there."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import _machine
from benchmarks.preprocess import load_rows, measure, summarise, table
from benchmarks.preprocess_rows.base import Row

if TYPE_CHECKING:
    from collections.abc import Callable


def row(goal: float, better: Any, *works: Callable[[], object]) -> Row:
    ours, peer = works or (lambda: None, lambda: None)
    return Row("fake", goal, better, ours, peer, "a note")


@pytest.mark.parametrize(
    ("goal", "better", "met"),
    [(3.0, "higher", True), (3.1, "higher", False), (0.4, "lower", True), (0.3, "lower", False)],
)
def test_a_goal_is_met_if_medians_and_10th_percentiles_both_reach_it(
    goal: float, better: str, met: bool
) -> None:
    ours = [10.0, 10.0, 10.0, 10.0, 90.0]
    figures = summarise(row(goal, better), ours, [time * 3 for time in ours])
    assert figures["met"] is met
    assert figures["ratio"]["median"] == pytest.approx(3 if better == "higher" else 1 / 3)
    assert figures["ours_us"] == {"median": 10.0, "p10": 10.0}


def test_one_of_the_two_ratios_is_not_enough() -> None:
    ours, peer = [1.0, 10.0, 10.0, 10.0, 10.0], [50.0] * 5
    assert summarise(row(5.0, "higher"), ours, peer)["met"] is True
    peer = [5.0, 50.0, 50.0, 50.0, 50.0]
    ours = [4.0, 10.0, 10.0, 10.0, 10.0]
    figures = summarise(row(5.0, "higher"), ours, peer)
    assert figures["ratio"]["median"] == 5
    assert figures["ratio"]["p10"] < 5
    assert figures["met"] is False


def test_without_a_goal_there_is_no_verdict() -> None:
    figures = summarise(row(0.0, "lower"), [1.0] * 4, [2.0] * 4)
    assert figures["met"] is None
    assert "MISSED" not in table([figures])
    assert "MISSED" in table([summarise(row(3.0, "higher"), [1.0] * 4, [2.0] * 4)])


def test_both_works_of_a_row_are_measured() -> None:
    calls: Counter[str] = Counter()
    fake = row(0.0, "higher", lambda: calls.update(["ours"]), lambda: calls.update(["peer"]))
    (figures,) = measure([fake], rounds=5)
    assert min(calls["ours"], calls["peer"]) > 5
    assert figures["ours_us"]["p10"] > 0
    assert figures["peer_us"]["p10"] > 0


def test_a_missing_peer_takes_away_its_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.interpolate", None)
    rows, missing = load_rows()
    assert "scipy.interpolate" in missing["imu"]
    assert not any(name.name.startswith("imu") for name in rows)


def test_the_machine_is_described() -> None:
    machine = _machine.describe(["numpy", "no-such-package"])
    assert list(machine["versions"]) == ["numpy"]
    assert machine["cpu"]
    assert len(machine["load_average"]) == 3
    assert all(value > 0 for value in _machine.floors().values())
