# SPDX-License-Identifier: Apache-2.0
"""The threads that fill the lanes: one reads a recording, one keeps a device open."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Protocol

from sensebind.closing import has_ended
from sensebind.errors import InputError
from sensebind.flow.backoff import Backoff
from sensebind.flow.incidents import told
from sensebind.ring import check_block
from sensebind.sources.base import EndOfStream
from sensebind.sources.finishing import Finishing
from sensebind.sources.imu_pairs import halves_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sensebind.clock import ReferenceClock
    from sensebind.clock.mapping import StampMapper
    from sensebind.clock.models import ClockModels
    from sensebind.config import Order, StreamConfig
    from sensebind.flow.incidents import Incidents
    from sensebind.flow.lane import LiveLane, RecordedLane
    from sensebind.sources.base import LiveSource, LiveStreamInfo, Source
    from sensebind.types import Block


@dataclass(frozen=True, slots=True)
class Times:
    """The clocks of a run.

    Attributes:
        clock: tells when blocks are received.
        models: map the stamps of devices into it.
        lock: held while stamps are mapped: streams of several sources may share a clock.
    """

    clock: ReferenceClock
    models: ClockModels
    lock: Lock = field(default_factory=Lock)

    def tell(self, incidents: Incidents) -> None:
        """Tell what was odd about the clocks."""
        if getattr(self.clock, "wall_jumps", 0):
            incidents.tell("clock", "the wall clock was set meanwhile; the run kept its own time")
        for stream, status in self.models.stream_status().items():
            if status.note:
                incidents.tell(f"stream {stream}", status.note)


class Tap(Protocol):
    """Keeps what enters the pipeline, as `sensebind.sinks.recorder.Recorder`; never raises."""

    def offer(self, device: Block, mapped: Block, receive_ns: int) -> None:
        """Keep a block, with the device's stamps and with mapped ones."""
        ...

    def offer_break(self, stream: str, receive_ns: int) -> None:
        """Keep that samples were dropped before the stream's next block."""
        ...


class Recording(Tap, Protocol):
    """A tap that is told of the streams before their first block."""

    def begin(
        self,
        streams: Mapping[str, StreamConfig],
        known: Mapping[str, Mapping[str, Any]] | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Begin; see `sensebind.sinks.recorder.Recorder.begin`."""
        ...


class Reader:
    """Reads a recording into its lane, as fast as blocks are taken from it."""

    def __init__(
        self,
        source: Source,
        selected: dict[str, StreamConfig],
        order: Order,
        lane: RecordedLane,
        fail: Callable[[BaseException], None],
    ) -> None:
        """Nothing is read before `start`; `fail` is told why the recording ended early."""
        self._source = source
        self._selected = selected
        self._order: Order = order
        self._lane = lane
        self._fail = fail
        self._thread = Thread(target=self._run, name=f"reader {source.name}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more; what was read is still encoded."""
        self._lane.close()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; whether it has ended."""
        return has_ended(self._thread, timeout_s)

    def _run(self) -> None:
        try:
            for block in self._source.blocks(self._selected, self._order):
                if not self._lane.put(block):
                    return
        except BaseException as error:  # noqa: BLE001 - it belongs to the consumer
            self._fail(error)
        finally:
            self._lane.end()


class LiveFeed:
    """Keeps a live source open, and passes its blocks on with mapped stamps.

    A source that fails or falls silent is stopped and, after a pause, started again.
    """

    def __init__(
        self,
        source: LiveSource,
        selected: dict[str, StreamConfig],
        infos: Sequence[LiveStreamInfo],
        lanes: Mapping[str, LiveLane],
        times: Times,
        tap: Tap | None,
        incidents: Incidents,
        *,
        silence_s: float,
    ) -> None:
        """Nothing is opened before `start`.

        Args:
            source: the device.
            selected: the streams wanted of it.
            infos: what it says of its streams.
            lanes: where the streams go, by name.
            times: the clocks.
            tap: is offered every block that enters a lane.
            incidents: told of failures.
            silence_s: longest time without a block.
        """
        self._source = source
        self._selected = selected
        self._lanes = lanes
        self._times = times
        self._mappers: dict[str, StampMapper] = {}
        self._tap = tap
        self._incidents = incidents
        self._silence_s = silence_s
        self._clocked = {name: clocked(name, infos) for name in selected}
        finished = all(info.finished for info in infos)
        self._finishing = None if finished else Finishing(selected, infos, source.report)
        self._backoff = Backoff()
        self._heard = Event()
        self._over = Event()  # of this opening
        self._outcome: Exception | None = None
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=f"feed {source.name}", daemon=True)

    def start(self) -> None:
        """Open the device."""
        self._thread.start()

    def stop(self) -> None:
        """End the lanes and close the device; what came before is still encoded."""
        self._stopping.set()
        self._end()
        self._over.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; whether it has ended."""
        return has_ended(self._thread, timeout_s)

    def _run(self) -> None:
        """The thread: start the source, wait until it is over, and begin again."""
        try:
            while not self._stopping.is_set():
                outcome = self._play()
                if isinstance(outcome, EndOfStream):
                    return
                if outcome is not None:
                    self._incidents.tell(
                        f"source {self._source.name}", f"{told(outcome)}; it is opened again"
                    )
                    self._stopping.wait(self._backoff.next_s())
        finally:
            self._end()
            self._finish()

    def _finish(self) -> None:
        """Note what looked wrong in the source's blocks, and what could not be joined."""
        if self._finishing is None:
            return
        try:
            with self._times.lock:
                self._finishing.end()
        except Exception as error:  # noqa: BLE001 - it was looking at blocks of any content
            self._incidents.tell(f"source {self._source.name}", f"not looked over: {told(error)}")

    def _play(self) -> Exception | None:
        """Open the source and stop it when it is over; why it was, None if we stopped it."""
        self._over.clear()
        self._heard.clear()
        self._outcome = None
        try:
            if not self._stopping.is_set():
                self._make_mappers()
                self._source.start(self._selected, self._deliver, self._told_of_failure)
                self._wait_until_over()
        except Exception as error:  # noqa: BLE001 - whatever the driver raises
            self._outcome = error
        try:
            self._source.stop()
        except Exception as error:  # noqa: BLE001 - whatever the driver raises
            self._outcome = self._outcome or error
        return self._outcome

    def _make_mappers(self) -> None:
        """Make new ones: a device that was opened anew may stamp by another line."""
        for name, info in self._clocked.items():
            jitter_s = self._selected[name].jitter_s
            self._mappers[name] = self._times.models.mapper(info, jitter_s)

    def _wait_until_over(self) -> None:
        while not self._over.wait(self._silence_s):
            if not self._heard.is_set():
                raise TimeoutError(f"nothing came for {self._silence_s:g} s")
            self._heard.clear()

    def _told_of_failure(self, error: Exception) -> None:
        """What the source calls when it is over."""
        self._outcome = self._outcome or error
        self._over.set()

    def _end(self) -> None:
        for lane in self._lanes.values():
            lane.end()

    def _deliver(self, block: Block) -> None:
        """What the source calls with each block, in its own threads; never raises."""
        receive_ns, monotonic_ns = self._times.clock.now_ns(), time.monotonic_ns()
        if not self._heard.is_set():
            self._heard.set()
            self._backoff.reset()
        try:
            with self._times.lock:
                self._pass_on(block, receive_ns, monotonic_ns)
        except Exception as error:  # noqa: BLE001 - a block of any content costs itself only
            self._refuse(block, error)

    def _pass_on(self, raw: Block, receive_ns: int, monotonic_ns: int) -> None:
        if raw.stream in self._lanes:
            check_block(raw)
        device = raw if self._finishing is None else self._finishing.push(raw)
        if device is None:
            return
        check_block(device)  # of what was joined of two
        mapped = self._mappers[device.stream].map_block(device, receive_ns)
        pushed = self._lanes[device.stream].push(mapped, receive_ns, monotonic_ns)
        if self._tap is not None:
            if pushed.dropped:
                self._tap.offer_break(device.stream, receive_ns)
            if pushed.kept:
                self._tap.offer(device, mapped, receive_ns)

    def _refuse(self, block: Block, error: Exception) -> None:
        stream, why = getattr(block, "stream", None), told(error)
        lane = self._lanes.get(stream) if isinstance(stream, str) else None
        if lane is not None:
            lane.paths[lane.name].count_refused(block, why)
        else:
            self._source.report.skip(str(stream), "not a stream that was asked for")
            if not isinstance(error, InputError):
                what = "no block" if stream is None else f"of stream {stream!r}, not asked for"
                why = f"a {type(block).__name__} is {what}"
        self._incidents.tell(f"source {self._source.name}", f"a block was refused: {why}")


def clocked(stream: str, infos: Sequence[LiveStreamInfo]) -> LiveStreamInfo:
    """What a source says of a stream; of one joined of two, what it says of its first half."""
    known = {info.name: info for info in infos}
    halves = halves_of(stream, known) if stream not in known else None
    return known[stream] if halves is None else replace(known[halves[0]], name=stream)


def known_of(info: LiveStreamInfo) -> dict[str, object]:
    """What a recording keeps of a stream beside its configuration."""
    return {
        "kind": info.kind.value,
        "clock": info.clock,
        "rate_hz": info.rate_hz,
        "serial": info.serial,
    }
