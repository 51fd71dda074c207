# SPDX-License-Identifier: Apache-2.0
"""Recording a robot's sensors while their streams are encoded, so that the run can be replayed.

The blocks of a live run go into an MCAP file as standard ROS 2 messages, just as they enter the
pipeline. The threads of the devices only copy them into a bounded queue; a thread of the recorder
writes them. A disk that is slow, full or gone costs blocks of the recording, counted and told, and
a break where they are missing; it never holds up the run.

While it grows, the file is called NAME.mcap.part. It can be read like any recording, also after a
crash, and `sensebind recover NAME.mcap` completes it. An earlier NAME.mcap stays until then.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sensebind.closing import Closing
from sensebind.errors import InputError, SinkError
from sensebind.recording import RecordingMetadata, recorded_stream
from sensebind.sinks import check_output
from sensebind.sinks.raw.byte_queue import ByteQueue
from sensebind.sinks.raw.disk_writer import DiskWriter
from sensebind.sinks.raw.offers import Offer, offer_of
from sensebind.sinks.raw.recording_file import RecordingFile, unfinished
from sensebind.sinks.raw.report import RecorderReport
from sensebind.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sensebind.config import StreamConfig
    from sensebind.sinks.raw.offers import Octets
    from sensebind.types import Block

QUEUE_BYTES = 64 << 20
"""Two seconds of raw VGA colour pictures at 30 Hz: what a disk may take to think."""

_POLL_S = 0.1
_CLOSE_S = 30.0
_QUEUE_FULL = "the disk was too slow"
_MALFORMED = "malformed block"
_NOT_BEGUN = "not a stream of the recording"


class Recorder(Closing):
    """Writes one recording; a context manager that closes it.

    `offer` and `offer_break` may be called from several threads, those of one stream from one; they
    return at once and never raise.

    Attributes:
        path: where the recording will be when it is closed.
        report: counts so far.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        queue_bytes: int = QUEUE_BYTES,
        compress: bool = False,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """Check the path; nothing is written before `begin`.

        Args:
            path: ends in .mcap.
            queue_bytes: memory for blocks that wait to be written; a larger block is lost.
            compress: whether to pack chunks with zstd.
            tell: called in the recorder's thread with each new note.

        Raises:
            InputError: if the path cannot be used.
        """
        self.path = check_output(path)
        if self.path.suffix.lower() != ".mcap":
            raise InputError(
                f"cannot record to {str(path)!r}: its suffix is {self.path.suffix!r}; end the name "
                "with .mcap"
            )
        self.report = RecorderReport(_tell=tell)
        self._compress = compress
        self._queue: ByteQueue[Offer] = ByteQueue(queue_bytes)
        self._streams: frozenset[str] = frozenset()
        self._lossy: set[str] = set()
        self._wake = threading.Event()
        self._ending = False
        self._thread: threading.Thread | None = None
        self._failure: SinkError | None = None

    def begin(
        self,
        streams: Mapping[str, StreamConfig],
        known: Mapping[str, Mapping[str, Any]] | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Begin the file; blocks of these streams can then be offered.

        Args:
            streams: how each is windowed; replay uses it again.
            known: by stream, other fields of `recording.RecordedStream`: kind, clock, rate_hz, ….
            facts: anything else worth keeping (device, calibration), by name.

        Raises:
            InputError: if an unfinished recording of that name is there.
            SinkError: if the file cannot be written.
        """
        known = known or {}
        recorded = {
            name: recorded_stream(config, **known.get(name, {})) for name, config in streams.items()
        }
        metadata = RecordingMetadata(version=__version__, streams=recorded, facts=dict(facts or {}))
        file = RecordingFile(self.path, metadata, compress=self._compress)
        self.report.written.update(dict.fromkeys(streams, 0))
        writer = DiskWriter(file, streams, self.report)
        self._streams = frozenset(streams)
        self._thread = threading.Thread(
            target=self._run, args=(writer,), name="recorder", daemon=True
        )
        self._thread.start()

    def offer(self, device: Block, mapped: Block, receive_ns: int) -> None:
        """Keep a block, of which a copy is taken.

        Args:
            device: with the device's stamps.
            mapped: with stamps of the reference clock; the same object where these are equal.
            receive_ns: when it was received, by the reference clock.
        """
        try:
            offer, parts = offer_of(device, mapped, receive_ns)
        except (ValueError, TypeError, AttributeError, BufferError):
            self.report.lose(mapped.stream, _MALFORMED, 1)  # no window is made of it either
            return
        self._put(offer, parts)

    def offer_break(self, stream: str, receive_ns: int) -> None:
        """Keep that the pipeline lost samples of a stream before its next block."""
        self._put(Offer(stream, receive_ns), [])

    def close(self) -> None:
        """Write what waits and complete the file; a second call does nothing.

        Raises:
            SinkError: if it cannot be completed, naming where what was written lies.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._streams = frozenset()
        self._ending = True
        self._wake.set()
        thread.join(_CLOSE_S)
        if thread.is_alive():
            raise SinkError(
                f"the disk of {str(self.path)!r} did not answer within {_CLOSE_S:g} s; what was "
                f"written lies in {str(unfinished(self.path))!r}"
            )
        if self._failure is not None:
            raise self._failure

    def _put(self, offer: Offer, parts: list[Octets]) -> None:
        stream = offer.stream
        if stream not in self._streams:
            self._lose(stream, _NOT_BEGUN, offer.count)
            return
        if stream in self._lossy:
            offer = replace(offer, after_loss=True)
        if self._queue.put(offer, parts):
            self._lossy.discard(stream)
        else:
            self._lose(stream, _QUEUE_FULL, offer.count)
        if 2 * self._queue.used > self._queue.capacity:
            self._wake.set()

    def _lose(self, stream: str, cause: str, count: int) -> None:
        self.report.lose(stream, cause, count)
        self._lossy.add(stream)

    def _run(self, writer: DiskWriter) -> None:
        """Write what is offered until the end, then complete the file."""
        while not self._ending:
            self._wake.wait(_POLL_S)
            self._wake.clear()
            self._drain(writer)
            writer.tick()
        self._drain(writer)
        try:
            writer.complete()
        except SinkError as error:
            self._failure = error

    def _drain(self, writer: DiskWriter) -> None:
        while (entry := self._queue.first()) is not None:
            writer.take(entry.label, self._queue.parts(entry, entry.label.sizes))
            self._queue.drop_first()
