# SPDX-License-Identifier: Apache-2.0
"""The recorder's own thread: from queued blocks to chunks on the disk, through thick and thin."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from sensebind.sinks.atomic import reason_and_fix
from sensebind.sinks.raw.encoding import StreamWriter
from sensebind.sinks.raw.mcap_stream import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sensebind.sinks.raw.offers import Octets, Offer
    from sensebind.sinks.raw.recording_file import RecordingFile
    from sensebind.sinks.raw.report import RecorderReport

FLUSH_S = 0.5
"""Longest time a block waits in a chunk; then it is written and flushed to the disk."""

CHUNK_BYTES = 4 << 20
"""A chunk is written once it holds as many bytes."""

_NOT_WRITTEN = "could not be written"
_NO_STAMP = "stamp that ROS cannot express"
_NOT_EXPRESSIBLE = "the file cannot express it"


class DiskWriter:
    """Gathers blocks in chunks and writes them; one thread owns it.

    A chunk that cannot be written is given up and counted; the next one is tried again.
    """

    def __init__(self, file: RecordingFile, streams: Iterable[str], report: RecorderReport) -> None:
        self._file = file
        self._report = report
        self._writers = {name: StreamWriter(name, file.channels) for name in streams}
        self._chunk = Chunk()
        self._held: Counter[str] = Counter()
        self._due_s = 0.0
        self._failing = False
        self._unsynced = False
        self._unsafe = False

    def take(self, offer: Offer, parts: list[Octets]) -> None:
        """Take a block; `parts` may be used again afterwards."""
        writer = self._writers[offer.stream]
        if not self._chunk.octets and not self._unsynced:
            self._due_s = time.monotonic() + FLUSH_S
        try:
            lost = offer.write(writer, self._chunk, parts)
        except OSError as error:
            self._failed(error, {offer.stream: offer.count})
            return
        except Exception:  # noqa: BLE001 - a block of any content costs itself only
            writer.broken = True
            self._report.lose(offer.stream, _NOT_EXPRESSIBLE, offer.count)
            return
        if lost:
            self._report.lose(offer.stream, _NO_STAMP, lost)
        self._held[offer.stream] += offer.count - lost
        if len(self._chunk.octets) >= CHUNK_BYTES:
            self._write()

    def tick(self) -> None:
        """Write what has waited long enough."""
        if time.monotonic() >= self._due_s:
            self.flush()

    def flush(self) -> None:
        """Write what waits, and have the disk keep it."""
        self._write()
        if not self._unsynced:
            return
        self._unsynced = False
        self._due_s = time.monotonic() + FLUSH_S
        try:
            self._file.sync()
            self._unsafe = False
        except OSError as error:
            if not self._unsafe:
                self._unsafe = True
                self._report.note(f"the recording may not be safe yet: {reason_and_fix(error)}")

    def complete(self) -> None:
        """Write everything and complete the file.

        Raises:
            SinkError: if that fails.
        """
        self._write()
        self._file.complete(self._report.copied_losses())

    def _write(self) -> None:
        chunk, held = self._chunk, self._held
        if not chunk.octets:
            return
        self._chunk, self._held = Chunk(), Counter()
        try:
            self._file.write(chunk)
        except OSError as error:
            self._failed(error, held)
            return
        self._unsynced = True
        for stream, count in held.items():
            self._report.written[stream] = self._report.written.get(stream, 0) + count
        if self._failing:
            self._failing = False
            self._report.note("the recording goes on")

    def _failed(self, error: OSError, held: dict[str, int]) -> None:
        for stream, count in held.items():
            self._writers[stream].broken = True
            self._report.lose(stream, _NOT_WRITTEN, count)
        if not self._failing:
            self._failing = True
            self._report.note(
                f"the recording cannot be written: {reason_and_fix(error)}. What is written stays; "
                "what comes now is lost until it can be written again"
            )
