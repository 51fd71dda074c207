# SPDX-License-Identifier: Apache-2.0
"""A bounds-checked cursor over serialized messages: CDR (either byte order) and ROS 1.

CDR aligns every primitive to its size, counted from the byte after the 4-byte encapsulation
header (OMG DDSI-RTPS 2.5, section 10); ROS 1 packs fields without gaps. MCAP records use the
ROS 1 layout too.
"""

from __future__ import annotations

from struct import Struct
from typing import Literal

Wire = Literal["cdr", "ros1"]

_ENCAPSULATION_BYTES = 4
_LONGEST_TEXT_BYTES = 1 << 16
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_LARGEST_MESSAGE_BYTES = 1 << 28
_USUAL_RATIO = 16  # frames that claim to unpack to more are unpacked piece by piece
_SMALL_BYTES = 1 << 20
_PIECE_BYTES = 256
_UINT16 = {order: Struct(order + "H") for order in "<>"}
_UINT32 = {order: Struct(order + "I") for order in "<>"}
_FLOAT64 = {order: Struct(order + "d") for order in "<>"}
_UINT64 = {order: Struct(order + "Q") for order in "<>"}


class DecodeError(Exception):
    """A message that cannot be used; its text is the cause it is counted under."""


class Cursor:
    """Reads fields one after another; DecodeError instead of reading past the end."""

    __slots__ = ("_aligned", "body", "order", "position")

    def __init__(self, data: bytes | memoryview, wire: Wire) -> None:
        view = memoryview(data)
        self._aligned = wire == "cdr"
        self.order = "<"
        self.position = 0
        if self._aligned:
            if len(view) < _ENCAPSULATION_BYTES or view[0] != 0 or view[1] > 1:
                raise DecodeError("unknown encapsulation")
            self.order = "<" if view[1] else ">"
            view = view[_ENCAPSULATION_BYTES:]
        self.body = view

    def unpack(self, layout: Struct, alignment: int) -> tuple[int | float, ...]:
        """Read a packed structure whose first field has the given alignment."""
        start = self._take(layout.size, alignment)
        return layout.unpack_from(self.body, start)

    def uint8(self) -> int:
        """Read one byte."""
        return self.body[self._take(1, 1)]

    def uint16(self) -> int:
        """Read an unsigned 16-bit integer."""
        value: int = _UINT16[self.order].unpack_from(self.body, self._take(2, 2))[0]
        return value

    def uint32(self) -> int:
        """Read an unsigned 32-bit integer."""
        value: int = _UINT32[self.order].unpack_from(self.body, self._take(4, 4))[0]
        return value

    def uint64(self) -> int:
        """Read an unsigned 64-bit integer."""
        value: int = _UINT64[self.order].unpack_from(self.body, self._take(8, 8))[0]
        return value

    def float64(self) -> float:
        """Read a double-precision number."""
        value: float = _FLOAT64[self.order].unpack_from(self.body, self._take(8, 8))[0]
        return value

    def skip(self, length: int) -> None:
        """Pass over some bytes."""
        self._take(length, 1)

    def octets(self) -> memoryview:
        """Read a byte sequence without copying it."""
        return self.sequence(1)

    def sequence(self, item_bytes: int) -> memoryview:
        """Read a sequence of numbers as bytes without copying it."""
        return self.items(self.uint32(), item_bytes)

    def items(self, count: int, item_bytes: int) -> memoryview:
        """Read some numbers as bytes without copying them; the first is aligned to its size."""
        length = count * item_bytes
        start = self._take(length, item_bytes if length else 1)
        return self.body[start : start + length]

    def text(self) -> str:
        """Read a string; CDR counts its terminating zero, ROS 1 has none."""
        raw = self.octets()
        if len(raw) > _LONGEST_TEXT_BYTES:
            raise DecodeError("malformed message")
        try:
            return str(raw, "utf-8").removesuffix("\0")
        except UnicodeDecodeError:
            raise DecodeError("malformed message") from None

    def text_map(self) -> dict[str, str]:
        """Read texts by texts behind the length of all, as MCAP has them, up to a damage."""
        texts = {}
        try:
            end = self.uint32() + self.position
            while self.position < end:
                key = self.text()
                texts[key] = self.text()
        except DecodeError:
            pass
        return texts

    def finish(self) -> None:
        """Check that at most the padding to 4 bytes is left."""
        if len(self.body) - self.position >= _ENCAPSULATION_BYTES:
            raise DecodeError("malformed message")

    def _take(self, length: int, alignment: int) -> int:
        start = self.position
        if self._aligned:
            start += -start % alignment
        self.position = start + length
        if self.position > len(self.body):
            raise DecodeError("malformed message")
        return start


def unpacked_message(data: bytes | memoryview) -> bytes | memoryview:
    """Undo rosbag2's message compression; a CDR message never begins like a zstd frame.

    Raises:
        DecodeError: if the frame is damaged or unpacks to more than 256 MiB.
    """
    if bytes(data[:4]) != _ZSTD_MAGIC:
        return data
    return unpacked_zstd(data, _LARGEST_MESSAGE_BYTES)


def unpacked_zstd(packed: bytes | memoryview, limit: int) -> bytes:
    """Unpack a zstd frame of at most `limit` bytes.

    Raises:
        DecodeError: if it is damaged or larger.
    """
    import zstandard

    try:
        size = zstandard.frame_content_size(packed)
        if size > limit:
            raise DecodeError("damaged compression")
        if 0 <= size <= max(_USUAL_RATIO * len(packed), _SMALL_BYTES):
            return zstandard.ZstdDecompressor().decompress(packed, max_output_size=limit)
        return _unpacked_in_pieces(packed, limit)
    except zstandard.ZstdError:
        raise DecodeError("damaged compression") from None


def _unpacked_in_pieces(packed: bytes | memoryview, limit: int) -> bytes:
    """Unpack a zstd frame whatever it claims: nothing is allocated before it is there.

    A piece of 256 bytes holds at most 64 blocks of 128 KiB.
    """
    import zstandard

    unpacker = zstandard.ZstdDecompressor().decompressobj()
    pieces = []
    for begin in range(0, len(packed), _PIECE_BYTES):
        pieces.append(unpacker.decompress(packed[begin : begin + _PIECE_BYTES]))
        limit -= len(pieces[-1])
        if limit < 0:
            raise DecodeError("damaged compression")
        if unpacker.eof:
            return b"".join(pieces)
    raise DecodeError("damaged compression")


def unpacked_lz4(packed: bytes | memoryview, limit: int) -> bytes:
    """Unpack an lz4 frame of at most `limit` bytes.

    Raises:
        DecodeError: if it is damaged.
    """
    import lz4.frame  # type: ignore[import-untyped]

    try:
        unpacked: bytes = lz4.frame.LZ4FrameDecompressor().decompress(packed, max_length=limit)
    except RuntimeError:
        raise DecodeError("damaged compression") from None
    return unpacked
