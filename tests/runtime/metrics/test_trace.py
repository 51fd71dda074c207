# SPDX-License-Identifier: Apache-2.0
"""Traces against the rules of the trace-event format that viewers rely on."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from sensebind.errors import SinkError
from sensebind.metrics.times import STAGES
from sensebind.metrics.trace import TraceWriter
from tests.support.timing import MS, embedding, window_times

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.metrics.times import WindowTimes

    Event = dict[str, Any]

REQUIRED = {
    "X": {"name", "cat", "ph", "ts", "dur", "pid", "tid"},
    "M": {"name", "ph", "pid", "args"},
    "s": {"name", "cat", "ph", "ts", "pid", "tid", "id"},
    "t": {"name", "cat", "ph", "ts", "pid", "tid", "id"},
    "f": {"name", "cat", "ph", "ts", "pid", "tid", "id", "bp"},
    "b": {"name", "cat", "ph", "ts", "pid", "id2"},
    "e": {"name", "cat", "ph", "ts", "pid", "id2"},
}
"""Fields the format asks for, by phase."""

BEGIN = 10**15
# Two streams whose windows overlap in time, a batch of two, a block that closed two windows.
WINDOWS = [
    window_times(received_ns=BEGIN, batch=2),
    window_times(received_ns=BEGIN, stages_ms=(0.1, 1.2, 0.5, 0.0, 4.0, 0.3), batch=2),
    window_times(stream="/camera", received_ns=BEGIN + 7 * MS, stages_ms=(0, 0, 2, 1, 3, 0.1)),
]


def traced(path: Path, windows: list[WindowTimes], kept: int = 100) -> list[Event]:
    """Write a trace, read it back and check every event for itself."""
    with TraceWriter(path, kept) as writer:
        for times in windows:
            writer.observe(embedding(times), times)
    document = json.loads(path.read_bytes())
    assert set(document) == {"traceEvents", "displayTimeUnit"}
    for event in document["traceEvents"]:
        assert REQUIRED[event["ph"]] <= set(event), event
        assert event.get("ts", 0) >= 0
        assert event.get("dur", 0) >= 0
    return list(document["traceEvents"])


def of_phase(events: list[Event], phases: str) -> list[Event]:
    return [event for event in events if event["ph"] in phases]


def test_what_a_thread_does_is_nested(tmp_path: Path) -> None:
    slices = defaultdict(list)
    for event in of_phase(traced(tmp_path / "t.json", WINDOWS), "X"):
        slices[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    assert len(slices) == 5
    for spans in slices.values():
        for begin, end in spans:
            for other_begin, other_end in spans:
                apart = end <= other_begin or other_end <= begin
                inside = (begin >= other_begin and end <= other_end) or (
                    other_begin >= begin and other_end <= end
                )
                assert apart or inside


def test_arrows_lead_from_receipt_to_publication(tmp_path: Path) -> None:
    events = traced(tmp_path / "t.json", WINDOWS)
    slices = of_phase(events, "X")
    arrows = defaultdict(list)
    for event in of_phase(events, "stf"):
        arrows[event["cat"], event["name"], event["id"]].append(event)
        # An arrow is bound to the slice of its thread at its time.
        (bound, *_) = [
            s for s in slices
            if s["tid"] == event["tid"] and s["ts"] <= event["ts"] <= s["ts"] + s["dur"]
        ]  # fmt: skip
        assert bound["name"] in {"receive", "preprocess", "infer", "publish"}
    assert len(arrows) == len(WINDOWS)
    for steps in arrows.values():
        assert [step["ph"] for step in steps] == ["s", "t", "t", "f"]
        assert [step["ts"] for step in steps] == sorted(step["ts"] for step in steps)


def test_each_window_has_its_stages_in_a_group(tmp_path: Path) -> None:
    groups = defaultdict(list)
    for event in of_phase(traced(tmp_path / "t.json", WINDOWS), "be"):
        groups[event["id2"]["local"]].append(event)
    assert len(groups) == len(WINDOWS)
    for events in groups.values():
        opened: list[str] = []
        for event in events:
            if event["ph"] == "b":
                opened.append(event["name"])
            else:
                assert opened.pop() == event["name"]
        assert opened == []
        whole, *inner = [event["name"] for event in events if event["ph"] == "b"]
        assert whole.endswith(" window")
        assert tuple(inner) == STAGES


def test_times_are_microseconds_from_the_first_receipt(tmp_path: Path) -> None:
    events = traced(tmp_path / "t.json", WINDOWS)
    (camera,) = [e for e in of_phase(events, "X") if e["name"] == "receive" and e["ts"] > 0]
    assert camera["ts"] == 7000
    assert camera["args"] == {
        "stream": "/camera", "modality": "imu", "grid_ns": "1000000000", "coverage": 0.97,
    }  # fmt: skip
    infer = [e for e in of_phase(events, "X") if e["name"] == "infer"]
    assert [e["args"]["batch"] for e in infer] == [2, 1]


def test_threads_are_named_sources_first(tmp_path: Path) -> None:
    named = of_phase(traced(tmp_path / "t.json", WINDOWS), "M")
    names = {e["tid"]: e["args"]["name"] for e in named if e["name"] == "thread_name"}
    order = {e["tid"]: e["args"]["sort_index"] for e in named if e["name"] == "thread_sort_index"}
    assert [names[tid] for tid in sorted(names, key=lambda tid: order[tid])] == [
        "source /camera", "source /imu", "preprocess", "infer", "publish",
    ]  # fmt: skip


def test_a_batch_is_drawn_once(tmp_path: Path) -> None:
    pair = [window_times(received_ns=BEGIN, batch=2) for _ in range(2)]
    slices = of_phase(traced(tmp_path / "t.json", pair), "X")
    assert [s["name"] for s in slices] == ["receive", "preprocess", "infer", "publish"]


def test_the_newest_windows_are_kept(tmp_path: Path) -> None:
    windows = [window_times(received_ns=BEGIN + i * 10 * MS, grid_ns=i) for i in range(20)]
    events = traced(tmp_path / "t.json", windows, kept=3)
    grids = {e["args"]["grid_ns"] for e in of_phase(events, "X")}
    assert grids == {"17", "18", "19"}


def test_a_run_without_windows_leaves_an_empty_trace(tmp_path: Path) -> None:
    assert of_phase(traced(tmp_path / "t.json", []), "Xbestf") == []


def test_a_place_that_cannot_be_written_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot write the trace '.*none/t.json': No such file"):
        TraceWriter(tmp_path / "none" / "t.json")
