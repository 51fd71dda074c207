# SPDX-License-Identifier: Apache-2.0
"""One stream of a recording: its blocks as messages, each where replay will look for it.

Replay puts the messages of a stream in the order of their receive times, equal ones as they stand
in the file. Receive times therefore never run backwards here, and a break, or a frame on another
channel than the one before, has a receive time of its own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from sensebind.grid import MAX_STAMP_NS
from sensebind.recording import PictureFacts
from sensebind.sinks.raw import cdr
from sensebind.sinks.raw.channels import AUDIO_BLOCK, COMPRESSED_IMAGE, IMAGE, IMU
from sensebind.sinks.raw.mcap_stream import FRAME, MESSAGE, MESSAGE_FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sensebind.sinks.raw.channels import Channels
    from sensebind.sinks.raw.mcap_stream import Chunk
    from sensebind.types import Frame

    Octets = bytes | memoryview
    Stamps = NDArray[np.int64]

IMU_CHANNELS = 6
_RECORD = np.dtype([*MESSAGE_FIELDS, *cdr.IMU_FIELDS])


class StreamWriter:
    """Writes the messages of one stream.

    Attributes:
        broken: samples were lost since the last message; a break is written before the next one.
    """

    def __init__(self, name: str, channels: Channels) -> None:
        self.broken = False
        self._name = name
        self._channels = channels
        self._channel = 0
        self._newest_ns = -1
        self._messages = 0
        self._sounded = 0

    def add_break(self, chunk: Chunk, receive_ns: int) -> None:
        """Write that samples were lost, just before what is received at `receive_ns`.

        Raises:
            OSError: if its channel cannot be declared in the file; so do the other methods.
        """
        self._newest_ns = max(receive_ns - 1, self._newest_ns + 1)
        log_ns = self._newest_ns
        message = cdr.text_message(self._name)
        chunk.add(self._channels.of_breaks(), 0, log_ns, log_ns, [message])
        self.broken = False
        self._channel = 0

    def add_samples(
        self,
        chunk: Chunk,
        receive_ns: int,
        device_ns: Stamps,
        stamps_ns: Stamps,
        values: NDArray[np.float64],
    ) -> int:
        """Write IMU readings, values (n, 6), a message each; how many could not be expressed."""
        kept = cdr.expressible(stamps_ns)
        count = int(np.count_nonzero(kept))
        lost = len(stamps_ns) - count
        if count:
            channel = self._channels.of(self._name, IMU)
            log_ns = self._log_ns(chunk, receive_ns, channel)
            records = np.empty(count, _RECORD)
            records[:] = _template()
            records["channel"] = channel
            records["sequence"] = self._numbered(count)
            records["log_ns"] = log_ns
            records["publish_ns"] = device_ns[kept].view(np.uint64)
            cdr.put_readings(records, stamps_ns[kept], values[kept])
            chunk.add_records(channel, log_ns, records)
        used = (stamps_ns >= cdr.LATEST_NS) & (stamps_ns < MAX_STAMP_NS)
        self.broken |= bool(used.any())
        return lost

    def add_sound(
        self,
        chunk: Chunk,
        receive_ns: int,
        device_ns: int,
        stamp_ns: int,
        rates_hz: tuple[float, float],
        values: NDArray[np.float32],
    ) -> bool:
        """Write a stretch of sound, values (n, channels); False if its stamp has no expression.

        The rates are the nominal one and that by the clock of the stamps.
        """
        if not self._can_express(stamp_ns):
            return False
        count, channels = values.shape
        head = cdr.audio_head(stamp_ns, rates_hz, channels, self._sounded, values.size)
        channel = self._channels.of(self._name, AUDIO_BLOCK)
        self._add(chunk, channel, receive_ns, device_ns, [head, values.tobytes()])
        self._sounded += count
        return True

    def add_frame(
        self,
        chunk: Chunk,
        receive_ns: int,
        device_ns: int,
        stamp_ns: int,
        frame: Frame,
        octets: memoryview,
    ) -> bool:
        """Write a frame, its data in `octets`; False if its stamp has no expression."""
        if not self._can_express(stamp_ns):
            return False
        if frame.encoding in cdr.COMPRESSED:
            kind, head = COMPRESSED_IMAGE, cdr.compressed_image_head
            facts = PictureFacts(
                frame.scale,
                frame.focal_px,
                frame.width,
                frame.height,
                frame.step,
                bool(frame.big_endian),
            )
        else:
            kind, head = IMAGE, cdr.image_head
            facts = PictureFacts(frame.scale, frame.focal_px)
        channel = self._channels.of(self._name, kind, facts)
        parts = head(stamp_ns, frame, len(octets)), octets
        self._add(chunk, channel, receive_ns, device_ns, parts)
        return True

    def _add(
        self, chunk: Chunk, channel: int, receive_ns: int, device_ns: int, parts: Sequence[Octets]
    ) -> None:
        log_ns = self._log_ns(chunk, receive_ns, channel)
        chunk.add(channel, int(self._numbered(1)[0]), log_ns, device_ns, parts)

    def _can_express(self, stamp_ns: int) -> bool:
        if cdr.can_express(stamp_ns):
            return True
        self.broken |= 0 <= stamp_ns < MAX_STAMP_NS
        return False

    def _log_ns(self, chunk: Chunk, receive_ns: int, channel: int) -> int:
        """The receive time of the next messages; the break before them is written if one is due."""
        if self.broken:
            self.add_break(chunk, receive_ns)
        self._newest_ns = max(receive_ns, self._newest_ns + (channel != self._channel))
        self._channel = channel
        return self._newest_ns

    def _numbered(self, count: int) -> NDArray[np.uint32]:
        """Running numbers for the next messages."""
        numbers = np.arange(self._messages, self._messages + count) & 0xFFFFFFFF
        self._messages += count
        return numbers.astype(np.uint32)


@lru_cache(maxsize=1)
def _template() -> np.void:
    """An Imu message in its MCAP record, all that is the same in every one."""
    record = np.zeros(1, _RECORD)
    message = cdr.imu_template()
    for name in message.dtype.names or ():
        record[name] = message[name]
    record["opcode"] = MESSAGE
    record["length"] = _RECORD.itemsize - FRAME.size
    template: np.void = record[0]
    return template
