# SPDX-License-Identifier: Apache-2.0
"""Live sources for some seconds, as a recording in memory."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sensebind.clock import SystemClock
from sensebind.clock.models import ClockModels
from sensebind.errors import InputError, SourceError
from sensebind.flow.feeding import clocked
from sensebind.sources.base import EndOfStream, StreamInfo, StreamKind
from sensebind.sources.finishing import Finishing
from sensebind.sources.held import HeldSource
from sensebind.sources.imu_pairs import with_asked_for
from sensebind.types import FrameBlock, Modality, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sensebind.config import StreamConfig
    from sensebind.sources.base import LiveSource, LiveStreamInfo, SourceReport
    from sensebind.types import Block

    Choose = Callable[[Sequence[StreamInfo]], dict[str, StreamConfig]]
    """Chooses streams of those there are, and how they are read."""

_LOOK_S = 0.2
_MOST_BYTES = 1 << 30


def capture(
    sources: Sequence[LiveSource],
    choose: Choose,
    seconds: float,
    advance: Callable[[float], None] = lambda _share: None,
) -> HeldSource:
    """What live sources deliver in some seconds, as a recording that is held in memory.

    Its blocks are as `sensebind live` would have encoded them: in SI units, joined, stamped by the
    reference clock, in order of arrival.

    Args:
        sources: the devices.
        choose: the streams to keep.
        seconds: how long.
        advance: takes the share done.

    Raises:
        SourceError: if a device is not there, fails, or delivers nothing.
        InputError: if a stream is not there, or it is too much for memory.
    """
    offered = [source.streams() for source in sources]
    configs = choose([info for infos in offered for info in infos])
    keeper = _Keeper()
    taps = []
    for source, infos in zip(sources, offered, strict=True):
        names = {info.name for info in with_asked_for(infos, configs)}
        mine = {name: config for name, config in configs.items() if name in names}
        if mine:
            taps.append(_Tap(source, infos, mine, keeper))
    try:
        for tap in taps:
            tap.start()
        keeper.wait(seconds, len(taps), advance)
    finally:
        for tap in reversed(taps):
            tap.stop()
    silent = configs.keys() - {block.stream for block in keeper.blocks}
    if silent:
        raise SourceError(_silence(min(silent), seconds, [tap.source.report for tap in taps]))
    return HeldSource(
        " and ".join(tap.source.name for tap in taps),
        [tap.info(name) for tap in taps for name in tap.selected],
        keeper.blocks,
        [note for tap in taps for note in tap.source.report.notes],
    )


def _silence(stream: str, seconds: float, reports: Sequence[SourceReport]) -> str:
    """Why a stream gave nothing: what came and could not be used, or nothing at all."""
    skipped = [
        f"{count} times {cause}"
        for report in reports
        for causes in report.skipped.values()
        for cause, count in causes.items()
    ]
    why = (
        f"what came was skipped ({', '.join(skipped)})"
        if skipped
        else ("check that the device is switched on and no other program reads it")
    )
    return f"stream {stream!r} delivered nothing in {seconds:g} s; {why}"


class _Keeper:
    """Collects blocks of several threads until it is time."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.clock = SystemClock()
        self.models = ClockModels()
        self.lock = threading.Lock()
        self._bytes = 0
        self._over = 0
        self._failure: Exception | None = None
        self._changed = threading.Event()

    def keep(self, block: Block) -> None:
        """Take a block that is nobody else's."""
        self._bytes += _bytes_of(block)
        self.blocks.append(block)
        if self._bytes > _MOST_BYTES:
            self.end(
                InputError(
                    f"more than {_MOST_BYTES >> 30} GiB came, which is too much for memory; record "
                    "to a file by 'sensebind live --record FILE.mcap', and calibrate from that"
                )
            )

    def end(self, error: Exception) -> None:
        """A source has ended, or failed."""
        if isinstance(error, EndOfStream):
            self._over += 1
        else:
            self._failure = self._failure or error
        self._changed.set()

    def wait(self, seconds: float, sources: int, advance: Callable[[float], None]) -> None:
        """Wait until the time is over or all sources are."""
        begin_s = time.monotonic()
        while (passed_s := time.monotonic() - begin_s) < seconds and self._over < sources:
            advance(passed_s / seconds)
            self._changed.wait(min(_LOOK_S, seconds - passed_s))
            self._changed.clear()
            if self._failure is not None:
                raise self._failure


class _Tap:
    """One source on its way into the keeper."""

    def __init__(
        self,
        source: LiveSource,
        infos: Sequence[LiveStreamInfo],
        selected: dict[str, StreamConfig],
        keeper: _Keeper,
    ) -> None:
        self.source = source
        self.selected = selected
        self._infos = infos
        self._keeper = keeper
        finished = all(info.finished for info in infos)
        self._finishing = None if finished else Finishing(selected, infos, source.report)
        self._mappers = {
            name: keeper.models.mapper(clocked(name, infos), config.jitter_s)
            for name, config in selected.items()
        }

    def start(self) -> None:
        self.source.start(self.selected, self._deliver, self._keeper.end)

    def stop(self) -> None:
        self.source.stop()
        if self._finishing is not None:
            with self._keeper.lock:
                self._finishing.end()

    def info(self, name: str) -> StreamInfo:
        """What is told of a stream that was captured."""
        known = clocked(name, self._infos)
        joined = self.selected[name].modality is Modality.IMU
        return StreamInfo(
            name,
            StreamKind.SAMPLES if joined else known.kind,
            known.message_type,
            known.encoding,
            serial=known.serial,
        )

    def _deliver(self, block: Block) -> None:
        receive_ns = self._keeper.clock.now_ns()
        try:
            with self._keeper.lock:
                raw = _copied(block)
                device = raw if self._finishing is None else self._finishing.push(raw)
                if device is not None:
                    mapper = self._mappers[device.stream]
                    self._keeper.keep(mapper.map_block(device, receive_ns))
        except Exception as error:  # noqa: BLE001 - the source's thread is not to be ended by it
            self._keeper.end(error)


def _copied(block: Block) -> Block:
    """A block whose memory is its own: a source may use its blocks' again."""
    if isinstance(block, SampleBlock):
        return replace(block, stamps_ns=block.stamps_ns.copy(), values=block.values.copy())
    if isinstance(block, FrameBlock):
        return replace(block, frame=replace(block.frame, data=bytes(block.frame.data)))
    return replace(block, values=block.values.copy())


def _bytes_of(block: Block) -> int:
    return len(block.frame.data) if isinstance(block, FrameBlock) else block.values.nbytes
