# SPDX-License-Identifier: Apache-2.0
"""Many sensor_msgs/Imu messages at once: one array operation instead of one view per message.

The layout is fixed after the frame id, so messages of one stream, which share their frame id, lie
as rows of one matrix. Whatever does not fit that matrix is read one by one by `cdr.read_imu`, which
decides what a message is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.grid import NS_PER_S
from sensebind.sources.messages.cdr import NOT_PROVIDED, read_imu
from sensebind.sources.messages.wire import DecodeError, unpacked_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sensebind.sources.bags.containers import Payload
    from sensebind.sources.messages.wire import Wire

_PREFIX_BYTES = 16
"""CDR: encapsulation, seconds, nanoseconds, length of the frame id, four bytes each. ROS 1: a
sequence number, and the same three."""
_SECONDS, _NANOSECONDS, _ID_BYTES = 1, 2, 3
_NUMBERS = 37  # quaternion, covariance, angular velocity, covariance, acceleration, covariance
_NUMBERS_BYTES = 8 * _NUMBERS
_PADDING_BYTES = 4  # as much or more behind the last field is no Imu message
_ROW = np.array([25, 26, 27, 13, 14, 15])
_COVARIANCES = np.array([16, 28])
_LITTLE_ENDIAN = 0x0100  # the encapsulation's first two bytes as a little-endian number


class ImuBatch(NamedTuple):
    """The readings of some messages.

    Attributes:
        kept: intp (k,), which messages could be read, in order.
        stamps_ns: int64 (k,), their header stamps.
        rows: float64 (k, 6), ax ay az in m/s², gx gy gz in rad/s.
        faults: why the others could not be read, one text per message.
    """

    kept: NDArray[np.intp]
    stamps_ns: NDArray[np.int64]
    rows: NDArray[np.float64]
    faults: list[str]


def read_imu_batch(messages: Sequence[Payload], wire: Wire) -> ImuBatch:
    """Read the messages of one stream; equal to `read_imu` of each."""
    size = len(messages[0]) if messages else 0
    if size < _PREFIX_BYTES + _NUMBERS_BYTES or any(len(message) != size for message in messages):
        return _one_by_one(messages, wire)
    matrix = np.frombuffer(b"".join(messages), np.uint8).reshape(-1, size)
    prefix = np.ascontiguousarray(matrix[:, :_PREFIX_BYTES]).view("<u4")
    begin = _begin_of_numbers(prefix, wire)
    if not 0 <= size - begin - _NUMBERS_BYTES < _PADDING_BYTES:
        return _one_by_one(messages, wire)
    numbers = np.ascontiguousarray(matrix[:, begin : begin + _NUMBERS_BYTES]).view("<f8")
    seconds, nanoseconds = prefix[:, _SECONDS], prefix[:, _NANOSECONDS]
    if (nanoseconds >= NS_PER_S).any() or (numbers[:, _COVARIANCES] == NOT_PROVIDED).any():
        return _one_by_one(messages, wire)
    if wire == "cdr":  # in ROS 1 they have no sign
        seconds = seconds.view("<i4")
    stamps_ns = seconds.astype(np.int64) * NS_PER_S + nanoseconds
    return ImuBatch(np.arange(len(messages)), stamps_ns, numbers[:, _ROW], [])


def _begin_of_numbers(prefix: NDArray[np.uint32], wire: Wire) -> int:
    """Where the numbers begin in every message; beyond any message if that is not one place."""
    nowhere = 1 << 40
    id_bytes = prefix[:, _ID_BYTES]
    if (id_bytes != id_bytes[0]).any():
        return nowhere
    end = _PREFIX_BYTES + int(id_bytes[0])
    if wire == "ros1":
        return end
    if ((prefix[:, 0] & 0xFFFF) != _LITTLE_ENDIAN).any():
        return nowhere
    return end + (4 - end) % 8  # aligned to 8, counted from behind the encapsulation


def _one_by_one(messages: Sequence[Payload], wire: Wire) -> ImuBatch:
    kept, stamps_ns, rows, faults = [], [], [], []
    for number, message in enumerate(messages):
        try:
            stamp_ns, row = read_imu(unpacked_message(message), wire)
        except DecodeError as error:
            faults.append(str(error))
            continue
        kept.append(number)
        stamps_ns.append(stamp_ns)
        rows.append(row)
    return ImuBatch(
        np.array(kept, np.intp),
        np.array(stamps_ns, np.int64),
        np.array(rows, np.float64).reshape(-1, len(_ROW)),
        faults,
    )
