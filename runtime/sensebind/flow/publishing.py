# SPDX-License-Identifier: Apache-2.0
"""Records of a live run to its sinks, each in a thread of its own: none holds up another."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING

from sensebind.closing import Closing
from sensebind.flow.backoff import Backoff
from sensebind.flow.incidents import told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sensebind.flow.incidents import Incidents
    from sensebind.records import Record
    from sensebind.sinks.base import LiveSink

    OpenSink = Callable[[], LiveSink]

QUEUE = 1024
"""Records that wait for a slow sink."""
_CLOSE_S = 30.0


@dataclass(slots=True)
class SinkReport:
    """What became of the records for one sink: offered = written + lost, when it is closed.

    Attributes:
        offered: records.
        written: those the sink took; of one that failed, those it had made safe.
        lost: those it did not: it was too slow, or failing.
    """

    offered: int = 0
    written: int = 0
    lost: int = 0


class Publishing(Closing):
    """Hands records to sinks; a context manager that closes them.

    Attributes:
        reports: counts by the sinks' names.
    """

    def __init__(
        self, sinks: Mapping[str, OpenSink], incidents: Incidents, *, queue: int = QUEUE
    ) -> None:
        """Open the sinks, each in its thread.

        Args:
            sinks: what opens each, by name; called again after a failure.
            incidents: told of failures.
            queue: records that may wait for each.
        """
        self._threads = [SinkThread(name, each, incidents, queue) for name, each in sinks.items()]
        self.reports = {thread.name: thread.report for thread in self._threads}

    def publish(self, record: Record) -> None:
        """Give a record to all sinks; never waits and never fails."""
        for thread in self._threads:
            thread.offer(record)

    def close(self) -> None:
        """Let the sinks write what waits and finish, within a bound of time."""
        for thread in self._threads:
            thread.finish()
        for thread in self._threads:
            thread.join(_CLOSE_S)


class SinkThread:
    """One sink and the records that wait for it.

    Attributes:
        name: of the sink.
        report: counts so far.
    """

    def __init__(self, name: str, open_sink: OpenSink, incidents: Incidents, queue: int) -> None:
        """Open the sink and wait for records."""
        self.name = name
        self.report = SinkReport()
        self._open_sink = open_sink
        self._incidents = incidents
        self._longest = queue
        self._waiting: deque[Record] = deque()
        self._changed = Condition()
        self._finishing = Event()
        self._backoff = Backoff()
        self._thread = Thread(target=self._run, name=f"sink {name}", daemon=True)
        self._thread.start()

    def offer(self, record: Record) -> None:
        """Let a record wait; if too many do, the oldest is lost."""
        with self._changed:
            self.report.offered += 1
            self._waiting.append(record)
            self._lose_oldest()
            self._changed.notify()

    def finish(self) -> None:
        """No more records come."""
        with self._changed:
            self._finishing.set()
            self._changed.notify()

    def join(self, timeout_s: float) -> None:
        """Wait until the sink is closed; leave it behind if it takes too long."""
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._tell(f"did not finish within {timeout_s:g} s and was left behind")
            self._lose_waiting()

    def _run(self) -> None:
        """The thread: keep a sink open as long as there are records."""
        while not self._is_over():
            self._finishing.wait(self._backoff.next_s())
        self._lose_waiting()

    def _is_over(self) -> bool:
        """Open the sink and write until the end; False if it failed and is to be tried again.

        What waits at the end is tried once more.
        """
        last = self._finishing.is_set()
        try:
            self._keep(self._open_sink())
        except Exception as error:  # noqa: BLE001 - whatever a sink raises
            given_up = last or (self._finishing.is_set() and not self._waiting)
            self._tell(f"{told(error)}; it is {'given up' if given_up else 'opened again'}")
            return given_up
        return True

    def _keep(self, sink: LiveSink) -> None:
        """Write records until the end."""
        try:
            while (record := self._next()) is not None:
                try:
                    sink.write(record)
                except BaseException:
                    self.report.lost += 1
                    raise
                self.report.written += 1
            sink.close()
        except BaseException:
            sink.abort()
            self._put_back(sink.unwritten)
            raise

    def _put_back(self, records: Sequence[Record]) -> None:
        """Let what a sink took and could not keep wait for the next one."""
        with self._changed:
            self.report.written -= len(records)
            self._waiting.extendleft(reversed(records))
            self._lose_oldest()

    def _next(self) -> Record | None:
        """Wait for a record; None at the end."""
        with self._changed:
            while not self._waiting:
                if self._finishing.is_set():
                    return None
                self._changed.wait()
            return self._waiting.popleft()

    def _lose_oldest(self) -> None:
        """Keep as many as may wait."""
        while len(self._waiting) > self._longest:
            self._waiting.popleft()
            self.report.lost += 1

    def _lose_waiting(self) -> None:
        with self._changed:
            self.report.lost += len(self._waiting)
            self._waiting.clear()

    def _tell(self, what: str) -> None:
        self._incidents.tell(f"sink {self.name}", what)
