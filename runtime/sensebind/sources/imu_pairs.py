# SPDX-License-Identifier: Apache-2.0
"""Which two streams make one IMU: an accelerometer's and a gyroscope's of the same device.

The stream joined of `/camera/accel` and `/camera/gyro` is named `/camera/accel+/camera/gyro`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensebind.sources.base import StreamInfo, StreamKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

ACCELERATION = "acceleration"
ANGULAR_VELOCITY = "angular velocity"
HALVES = (ACCELERATION, ANGULAR_VELOCITY)
"""What a stream that is half of an IMU has as its encoding."""

JOINED = "joined"
"""The encoding of a stream joined of two halves."""

VECTOR = "vector"
"""The encoding of a stream of vectors that may be either half."""

_WORDS = {
    "accel": ACCELERATION,
    "accelerometer": ACCELERATION,
    "acc": ACCELERATION,
    "gyro": ANGULAR_VELOCITY,
    "gyroscope": ANGULAR_VELOCITY,
}
_WORD = re.compile("[a-z]+")


def half_by_name(name: str) -> str:
    """The half of an IMU that a stream's name speaks of, "" if of none or both."""
    halves = {_WORDS[word] for word in _WORD.findall(name.lower()) if word in _WORDS}
    return halves.pop() if len(halves) == 1 else ""


def pairs_in(infos: Sequence[StreamInfo]) -> list[StreamInfo]:
    """The IMUs that halves among the streams make: names that differ in the half's word only.

    Where there is just one of each half they go together whatever their names.
    """
    accels, gyros = (
        [info for info in infos if info.encoding == half and info.count] for half in HALVES
    )
    if len(accels) == len(gyros) == 1:
        return [_pair(accels[0], gyros[0])]
    by_rest = {_rest(info.name): info for info in accels}
    return [_pair(by_rest[_rest(gyro.name)], gyro) for gyro in gyros if _rest(gyro.name) in by_rest]


def with_asked_for(infos: Sequence[StreamInfo], names: Iterable[str]) -> list[StreamInfo]:
    """The streams, and those that are named by two of them joined."""
    known = {info.name: info for info in infos}
    asked = {
        name: halves
        for name in names
        if name not in known and (halves := halves_of(name, known)) is not None
    }
    return [*infos, *(_pair(known[a], known[g]) for a, g in asked.values())]


def halves_of(name: str, known: Collection[str]) -> tuple[str, str] | None:
    """The two streams a name joins with "+", None if they are not both known."""
    places = (match.start() for match in re.finditer(r"\+", name))
    splits = ((name[:place], name[place + 1 :]) for place in places)
    return next((split for split in splits if split[0] in known and split[1] in known), None)


def _pair(accel: StreamInfo, gyro: StreamInfo) -> StreamInfo:
    fits = accel.kind is gyro.kind is StreamKind.SAMPLES
    return StreamInfo(
        f"{accel.name}+{gyro.name}",
        StreamKind.SAMPLES if fits else StreamKind.OTHER,
        gyro.message_type,
        JOINED,
        gyro.count,
        "" if fits else "only streams of accelerations and angular velocities can be joined",
    )


def _rest(name: str) -> str:
    """A stream's name without the word for its half."""
    return _WORD.sub(lambda word: "" if word[0] in _WORDS else word[0], name.lower())
