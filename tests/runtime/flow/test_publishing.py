# SPDX-License-Identifier: Apache-2.0
"""Sinks are apart: one that fails or hangs costs the others nothing."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from sensebind.errors import SinkError
from sensebind.flow.incidents import Incident, Incidents
from sensebind.flow.publishing import Publishing, SinkThread
from tests.support.records import record
from tests.support.running import PATIENCE_S
from tests.support.service import until

if TYPE_CHECKING:
    import pytest

    from sensebind.records import Record


class ListSink:
    """Keeps records; fails in the writes whose numbers are given, hangs until an event."""

    def __init__(self, *failing: int, until: Event | None = None) -> None:
        self.records: list[Record] = []
        self.unwritten: tuple[Record, ...] = ()
        self.ends: list[str] = []
        self._failing = failing
        self._until = until
        self._writes = 0

    def __call__(self) -> ListSink:
        """Opened again, it is the same."""
        return self

    def write(self, each: Record) -> None:
        self._writes += 1
        if self._until is not None:
            assert self._until.wait(PATIENCE_S)
        if self._writes - 1 in self._failing:
            raise SinkError("the disk is full")
        self.records.append(each)

    def close(self) -> None:
        self.ends.append("closed")

    def abort(self) -> None:
        self.ends.append("aborted")


def test_every_sink_gets_every_record_in_order() -> None:
    sinks = {"a": ListSink(), "b": ListSink()}
    records = [record(index) for index in range(50)]
    with Publishing(sinks, Incidents([])) as out:
        for each in records:
            out.publish(each)
    for name, sink in sinks.items():
        assert sink.records == records
        assert sink.ends == ["closed"]
        report = out.reports[name]
        assert (report.offered, report.written, report.lost) == (50, 50, 0)


def test_a_sink_that_fails_is_opened_again() -> None:
    kept: list[Incident] = []
    failing, steady = ListSink(3), ListSink()
    with Publishing({"failing": failing, "steady": steady}, Incidents(kept)) as out:
        for index in range(10):
            out.publish(record(index))
        assert out.reports["failing"].offered == 10
    assert len(steady.records) == 10
    report = out.reports["failing"]
    assert (report.written, report.lost) == (9, 1)
    assert failing.ends == ["aborted", "closed"]
    assert kept == [Incident("sink failing", "the disk is full; it is opened again", 1)]


def test_a_sink_that_keeps_failing_is_given_up() -> None:
    kept: list[Incident] = []
    failing = ListSink(*range(1000))
    with Publishing({"failing": failing}, Incidents(kept)) as out:
        for index in range(100):
            out.publish(record(index))
    assert (out.reports["failing"].written, out.reports["failing"].lost) == (0, 100)
    assert kept[-1].what == "the disk is full; it is given up"


def test_a_sink_that_hangs_loses_the_oldest_and_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    join = SinkThread.join

    def join_soon(self: SinkThread, timeout_s: float) -> None:
        join(self, 0.01 if self.name == "hanging" else timeout_s)

    monkeypatch.setattr(SinkThread, "join", join_soon)
    kept: list[Incident] = []
    released = Event()
    hanging, steady = ListSink(until=released), ListSink()
    with Publishing({"hanging": hanging, "steady": steady}, Incidents(kept), queue=4) as out:
        for index in range(4):
            out.publish(record(index))
    report = out.reports["hanging"]
    assert [incident.where for incident in kept] == ["sink hanging"]
    assert report.lost >= 3
    assert len(steady.records) == 4
    released.set()


def test_a_slow_sink_loses_the_oldest() -> None:
    released = Event()
    slow = ListSink(until=released)
    with Publishing({"slow": slow}, Incidents([]), queue=4) as out:
        for index in range(20):
            out.publish(record(index))
        released.set()
    report = out.reports["slow"]
    assert report.written + report.lost == report.offered == 20
    assert report.written in (4, 5)  # those that waited, and one it may have taken
    assert slow.records[-1].embedding.grid_ns == record(19).embedding.grid_ns


def test_what_a_sink_took_and_could_not_keep_goes_to_the_next_one() -> None:
    """As where a disk is full for a while: a part fails after its records were taken."""
    first, second = ListSink(3), ListSink()
    sinks = [first, second]
    records = [record(index) for index in range(6)]
    first.unwritten = tuple(records[1:3])
    with Publishing({"a": lambda: sinks.pop(0)}, Incidents([])) as out:
        for each in records[:4]:
            out.publish(each)
        until(lambda: not sinks)
        for each in records[4:]:
            out.publish(each)
    assert second.records == [records[1], records[2], *records[4:]]
    report = out.reports["a"]
    assert (report.offered, report.written, report.lost) == (6, 5, 1)


def test_what_no_sink_could_keep_is_lost_not_written() -> None:
    records = [record(index) for index in range(4)]
    failing = ListSink(3)
    failing.unwritten = tuple(records[1:3])
    opened = Event()

    def opening() -> ListSink:
        if opened.is_set():
            raise SinkError("the disk is full")
        opened.set()
        return failing

    with Publishing({"a": opening}, Incidents([])) as out:
        for each in records:
            out.publish(each)
    report = out.reports["a"]
    assert (report.offered, report.written, report.lost) == (4, 1, 3)


def test_a_sink_is_opened_again_however_often_it_failed() -> None:
    steady = ListSink()
    failures = list(range(20))

    def opening() -> ListSink:
        if failures:
            raise SinkError(f"there is no folder, {failures.pop()}")
        return steady

    with Publishing({"a": opening}, Incidents([])) as out:
        out.publish(record(0))
        until(lambda: bool(steady.records))
    assert (out.reports["a"].written, out.reports["a"].lost) == (1, 0)
