# SPDX-License-Identifier: Apache-2.0
"""How the benchmark of engines measures and judges."""

from __future__ import annotations

from itertools import count

import pytest

from benchmarks.engines import _judged, alternate


def test_every_variant_runs_in_every_round_and_once_before() -> None:
    ran: list[str] = []
    ticks = count()
    works = {name: lambda name=name: ran.append(name) for name in ("a", "b")}
    times = alternate(works, 5, lambda: float(next(ticks)))
    assert sorted(ran[:2]) == ["a", "b"]
    assert all(sorted(ran[k : k + 2]) == ["a", "b"] for k in range(2, 12, 2))
    assert times == {name: {"median_ms": 1000.0, "p10_ms": 1000.0} for name in "ab"}


def times_of(**median_ms: float) -> dict[str, dict[str, float]]:
    names = {"eager": "eager fp32", "ours": "onnxruntime fp32", "int8": "onnxruntime int8"}
    named = {names.get(name, "product 2048"): ms for name, ms in median_ms.items()}
    return {name: {"median_ms": ms, "p10_ms": 0.9 * ms} for name, ms in named.items()}


def test_the_share_of_the_peak_is_that_of_rates() -> None:
    # As many operations as the product in twice its time.
    judged = _judged(times_of(eager=400, ours=200, int8=80, product=100), 2 * 2048**3)
    assert judged["share_of_peak"] == pytest.approx(0.5)
    assert judged["of_eager"] == pytest.approx({"onnxruntime fp32": 0.5, "onnxruntime int8": 0.2})
    assert judged["met"] == {
        "onnxruntime fp32": True,
        "onnxruntime int8": True,
        "share_of_peak": False,
    }
    assert judged["gflop_per_s"]["product 2048"] == pytest.approx(2 * 2048**3 / 0.09 / 1e9)


def test_the_worse_of_both_ratios_counts() -> None:
    times = times_of(eager=100, ours=40, int8=20, product=40)
    times["onnxruntime fp32"]["p10_ms"] = 60
    judged = _judged(times, 2 * 2048**3)
    assert judged["of_eager"]["onnxruntime fp32"] == pytest.approx(60 / 90)
    assert judged["share_of_peak"] == pytest.approx(36 / 60)
    assert not judged["met"]["onnxruntime fp32"]
