# SPDX-License-Identifier: Apache-2.0
"""Blocks on their way to the file: what is copied of them, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from sensebind.sinks.raw.encoding import IMU_CHANNELS
from sensebind.types import SampleBlock, UniformBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.sinks.raw.encoding import StreamWriter
    from sensebind.sinks.raw.mcap_stream import Chunk
    from sensebind.types import Block, Frame

    Octets = NDArray[np.uint8]
    """Bytes."""


Number = TypeVar("Number", bound="np.generic")


@dataclass(frozen=True, slots=True)
class Offer:
    """A block in the queue, or a break.

    Attributes:
        stream: its name.
        receive_ns: when it was received, by the reference clock.
        count: samples, readings or frames in it; 0 for a break.
        content: the rest of it without its arrays; None for a break.
        sizes: bytes of its arrays, in order.
        after_loss: whether blocks of the stream were lost just before it.
    """

    stream: str
    receive_ns: int
    count: int = 0
    content: Samples | Sound | Picture | None = None
    sizes: tuple[int, ...] = ()
    after_loss: bool = False

    def write(self, writer: StreamWriter, chunk: Chunk, parts: list[Octets]) -> int:
        """Write it as messages; how many of its samples could not be expressed.

        Args:
            writer: of its stream.
            chunk: takes the messages.
            parts: its arrays' bytes.

        Raises:
            OSError: if the file cannot be written. Whatever else: if the block cannot be expressed.
        """
        if self.after_loss:
            writer.broken = True
        if self.content is None:
            writer.add_break(chunk, self.receive_ns)
            return 0
        return self.content.write(writer, chunk, self, parts)


@dataclass(frozen=True, slots=True)
class Samples:
    """IMU readings: device stamps, mapped stamps and values are the parts."""

    def write(self, writer: StreamWriter, chunk: Chunk, offer: Offer, parts: list[Octets]) -> int:
        """See `Offer.write`."""
        values = parts[2].view(np.float64).reshape(-1, IMU_CHANNELS)
        device_ns, stamps_ns = parts[0].view(np.int64), parts[1].view(np.int64)
        return writer.add_samples(chunk, offer.receive_ns, device_ns, stamps_ns, values)


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch of sound: its values are the only part."""

    device_ns: int
    stamp_ns: int
    rates_hz: tuple[float, float]
    channels: int

    def write(self, writer: StreamWriter, chunk: Chunk, offer: Offer, parts: list[Octets]) -> int:
        """See `Offer.write`."""
        values = parts[0].view(np.float32).reshape(offer.count, self.channels)
        times = offer.receive_ns, self.device_ns, self.stamp_ns
        return 0 if writer.add_sound(chunk, *times, self.rates_hz, values) else offer.count


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame: its data are the only part; `frame` has none."""

    device_ns: int
    stamp_ns: int
    frame: Frame

    def write(self, writer: StreamWriter, chunk: Chunk, offer: Offer, parts: list[Octets]) -> int:
        """See `Offer.write`."""
        times = offer.receive_ns, self.device_ns, self.stamp_ns
        return 0 if writer.add_frame(chunk, *times, self.frame, parts[0].data) else 1


def offer_of(device: Block, mapped: Block, receive_ns: int) -> tuple[Offer, list[Octets]]:
    """A block as an offer, with the bytes that are to be copied.

    Args:
        device: the block with the device's stamps.
        mapped: the same block with stamps of the reference clock.
        receive_ns: when it was received, by the reference clock.

    Raises:
        ValueError, TypeError, AttributeError: if the block is no such block.
    """
    if isinstance(mapped, SampleBlock):
        return _samples(device, mapped, receive_ns)
    if isinstance(device, SampleBlock) or type(device) is not type(mapped):
        raise TypeError("two kinds of blocks")
    if isinstance(mapped, UniformBlock):
        values = _packed(mapped.values, np.float32)
        count, channels = values.shape
        rates_hz = float(mapped.rate_hz), float(mapped.clock_rate_hz)
        sound = Sound(int(device.stamp_ns), int(mapped.stamp_ns), rates_hz, channels)
        return _offer(mapped.stream, receive_ns, count, sound, [_octets(values)])
    data = np.frombuffer(mapped.frame.data, np.uint8)
    picture = Picture(int(device.stamp_ns), int(mapped.stamp_ns), replace(mapped.frame, data=b""))
    return _offer(mapped.stream, receive_ns, 1, picture, [data])


def _samples(device: Block, mapped: SampleBlock, receive_ns: int) -> tuple[Offer, list[Octets]]:
    if not isinstance(device, SampleBlock):
        raise TypeError("two kinds of blocks")
    values = _packed(mapped.values, np.float64)
    stamps = [_packed(block.stamps_ns, np.int64) for block in (device, mapped)]
    count = len(stamps[1])
    if values.shape != (count, IMU_CHANNELS) or any(s.shape != (count,) for s in stamps):
        raise ValueError("unlike numbers of stamps and values")
    parts = [_octets(part) for part in (*stamps, values)]
    return _offer(mapped.stream, receive_ns, count, Samples(), parts)


def _offer(
    stream: str,
    receive_ns: int,
    count: int,
    content: Samples | Sound | Picture,
    parts: list[Octets],
) -> tuple[Offer, list[Octets]]:
    return Offer(stream, receive_ns, count, content, tuple(map(len, parts))), parts


def _packed(values: NDArray[Number], dtype: type[Number]) -> NDArray[Number]:
    """The array with its rows one behind the other."""
    if values.dtype != dtype:
        raise TypeError("an array of another type")
    return np.ascontiguousarray(values)


def _octets(values: NDArray[np.generic]) -> Octets:
    return values.reshape(-1).view(np.uint8)
