# SPDX-License-Identifier: Apache-2.0
"""The one thread between sources and engines: blocks to windows, windows to features."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sensebind.errors import CalibrationError
from sensebind.flow.incidents import told
from sensebind.flow.lane import RecordedLane
from sensebind.flow.pending import Passage
from sensebind.metrics.times import WindowTimes
from sensebind.types import Break

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

    from sensebind.flow.engines import Engines
    from sensebind.flow.incidents import Incidents
    from sensebind.flow.inference import Inference
    from sensebind.flow.lane import Lane
    from sensebind.preprocess.base import Prepared
    from sensebind.ring import Arrival
    from sensebind.stream_path import StreamPath
    from sensebind.types import Modality, Window

    View = Callable[[Modality, Window, Prepared], None]
    """Is shown each window and what its encoder gets."""

_AT_ONCE = 64
"""Blocks of one lane taken before the others, and the windows, have their turn."""


class Worker:
    """Takes blocks from the lanes and hands features to the inference thread."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        inference: Inference,
        engines: Engines,
        wake: Event,
        fail: Callable[[BaseException], None],
        incidents: Incidents,
        views: Sequence[View] = (),
    ) -> None:
        """Serve lanes until all have ended.

        Args:
            lanes: where blocks come from.
            inference: takes windows with their features.
            engines: tell which modalities are up.
            wake: set by everybody who gives the worker something to do.
            fail: told of an error of our own.
            incidents: told of a view that fails.
            views: shown each window and its features, in this thread; one that fails is shown no
                more.
        """
        self._lanes = lanes
        self._open = list(lanes)
        self._inference = inference
        self._engines = engines
        self._wake = wake
        self._fail = fail
        self._incidents = incidents
        self._views = list(views)
        self._stopping = False

    def run(self) -> None:
        """The thread: work until everything has ended."""
        try:
            while not self._stopping:
                self._wake.clear()
                while self._work():
                    pass
                if not self._open and not any(len(lane.pending) for lane in self._lanes):
                    self._inference.finish()
                    return
                self._wake.wait()
        except BaseException as error:  # noqa: BLE001 - it belongs to the consumer
            self._fail(error)

    def stop(self) -> None:
        """Do nothing more after what is being done."""
        self._stopping = True
        self._wake.set()

    def settle(self) -> None:
        """Count all that is still on its way as lost; only when the thread has ended."""
        for lane in self._lanes:
            lane.drop()
            lane.pending.drop_all("stopped")
            for path in lane.paths.values():
                for _ in path.flush():
                    path.count_dropped("stopped")

    def _work(self) -> bool:
        """Do a bit of everything there is to do; False if there is nothing."""
        if self._stopping:
            return False
        received = [self._receive(lane) for lane in list(self._open)]
        return self._prepare_next() or any(received)

    def _receive(self, lane: Lane) -> bool:
        """Take some blocks of a lane, or end it."""
        for taken in range(_AT_ONCE):
            if not lane.has_room():
                return taken > 0
            ended = lane.ended  # asked first: what came before the end is taken
            arrival = lane.take()
            if arrival is not None:
                self._window(lane, arrival)
                continue
            if ended:
                self._end(lane)
            return taken > 0 or ended
        return True

    def _window(self, lane: Lane, arrival: Arrival) -> None:
        delivery = arrival.delivery
        path = lane.paths[delivery.stream]
        try:
            windows = path.take(delivery)
        except CalibrationError as error:
            if isinstance(lane, RecordedLane):
                raise
            assert not isinstance(delivery, Break)
            path.count_refused(delivery, str(error))
            self._incidents.tell(f"stream {path.name}", f"its blocks are refused: {error}")
            return
        except Exception as error:  # noqa: BLE001 - a block of any content costs itself only
            assert not isinstance(delivery, Break)
            path.count_refused(delivery, told(error))
            return
        for window in windows:
            lane.pending.add(_passage(path, window, arrival.receive_ns, arrival.monotonic_ns))

    def _end(self, lane: Lane) -> None:
        """Close what can still be closed, the streams' windows in the order of the grid."""
        self._open.remove(lane)
        ending = [(path, window) for path in lane.paths.values() for window in path.flush()]
        ending.sort(key=lambda each: (each[1].grid_ns, each[0].name))
        for path, window in ending:
            lane.pending.add(_passage(path, window, None, time.monotonic_ns()))

    def _prepare_next(self) -> bool:
        """Make the features of the most urgent window, if the inference thread has room for it."""
        if not self._inference.has_room():
            return False
        now_ns = time.monotonic_ns()
        for lane in self._lanes:
            lane.pending.expire(now_ns)
        waiting = [lane.pending for lane in self._lanes if len(lane.pending)]
        if not waiting:
            return False
        passage = min(waiting, key=lambda pending: pending.urgency()).pop(now_ns)
        if not self._engines.usable(passage.path.config.modality):
            passage.drop("engine")
            return True
        passage.times.prepare_begin_ns = now_ns
        passage.prepared = passage.path.prepare(passage.window)
        passage.times.prepared_ns = time.monotonic_ns()
        if passage.prepared is not None:
            for view in list(self._views):
                self._show(view, passage, passage.prepared)
            self._inference.submit(passage)
        return True

    def _show(self, view: View, passage: Passage, prepared: Prepared) -> None:
        try:
            view(passage.path.config.modality, passage.window, prepared)
        except Exception as error:  # noqa: BLE001 - what only looks on costs nothing else
            self._views.remove(view)
            self._incidents.tell("view", f"{told(error)}; it is shown no more")


def _passage(
    path: StreamPath, window: Window, receive_ns: int | None, monotonic_ns: int
) -> Passage:
    times = WindowTimes(
        stream=path.name,
        modality=path.config.modality,
        grid_ns=window.grid_ns,
        stamp_ns=window.stamp_ns,
        closable_ns=receive_ns,
        received_ns=monotonic_ns,
        closed_ns=time.monotonic_ns(),
    )
    return Passage(path, window, times)
