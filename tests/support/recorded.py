# SPDX-License-Identifier: Apache-2.0
"""Recordings of blocks for tests, and deliveries in a form that compares bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensebind.config import StreamConfig
from sensebind.sinks.recorder import Recorder
from sensebind.sources import open_source
from sensebind.types import Break, Modality, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from sensebind.config import Order
    from sensebind.types import Block, Delivery

IMU, MICROPHONE, CAMERA = "/robot/imu", "microphone", "/camera/image raw"
STREAMS = {
    IMU: StreamConfig(modality=Modality.IMU),
    MICROPHONE: StreamConfig(modality=Modality.AUDIO),
    CAMERA: StreamConfig(modality=Modality.VISION),
}
"""A stream of each kind; two of the names are no ROS topics."""


@dataclass(frozen=True)
class Taken:
    """What a recorder is offered: a block with device and mapped stamps, or a break."""

    receive_ns: int
    mapped: Delivery
    device: Block | None = None


def record(path: Path, taken: Iterable[Taken]) -> Recorder:
    """Offer everything to a recorder and close it."""
    recorder = Recorder(path, queue_bytes=32 << 20)
    recorder.begin(STREAMS)
    for each in taken:
        offer(recorder, each)
    recorder.close()
    return recorder


def offer(recorder: Recorder, taken: Taken) -> None:
    """Offer one block or break."""
    if isinstance(taken.mapped, Break):
        recorder.offer_break(taken.mapped.stream, taken.receive_ns)
    else:
        recorder.offer(taken.device or taken.mapped, taken.mapped, taken.receive_ns)


def read_back(path: Path, order: Order = "log") -> list[Delivery]:
    """Every delivery of the streams of a recording."""
    with open_source(path) as source:
        return list(source.blocks(STREAMS, order))


def contents(deliveries: Iterable[Delivery]) -> dict[str, list[object]]:
    """By stream, everything that is delivered, to the bit: IMU readings one by one, the rest as is.

    Readings may be cut into blocks in any way.
    """
    streams: dict[str, list[object]] = {}
    for each in deliveries:
        streams.setdefault(each.stream, []).extend(_parts(each))
    return streams


def _parts(delivery: Delivery) -> Sequence[object]:
    if isinstance(delivery, Break):
        return ["break"]
    if isinstance(delivery, SampleBlock):
        rows = np.ascontiguousarray(delivery.values)
        return [
            (int(stamp), row.tobytes()) for stamp, row in zip(delivery.stamps_ns, rows, strict=True)
        ]
    if isinstance(delivery, UniformBlock):
        values = np.ascontiguousarray(delivery.values)
        rates_hz = delivery.rate_hz, delivery.clock_rate_hz
        return [(delivery.stamp_ns, *rates_hz, values.shape, values.tobytes())]
    frame = delivery.frame
    size = frame.width, frame.height, frame.step, frame.big_endian
    facts = frame.encoding, *size, frame.scale, frame.focal_px
    return [(delivery.stamp_ns, *facts, bytes(frame.data))]
