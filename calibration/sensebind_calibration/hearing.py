# SPDX-License-Identifier: Apache-2.0
"""Sound to be measured: of a recording, or of a microphone for some seconds."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensebind.config import StreamConfig
from sensebind.errors import InputError, SourceError
from sensebind.grid import NS_PER_S
from sensebind.sources.bags.recorded_times import recorded_times
from sensebind.sources.devices.microphone import STREAM, Microphone
from sensebind.types import Modality, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.types import Block

    Times = NDArray[np.int64]

_LONGEST_S = 1800.0
_WARM_UP_S = 0.5  # what a sound server delivers first is not what is heard
_COUNT_TOLERANCE_NS = 2_000_000
_PATIENCE_S = 10.0
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Heard:
    """Sound, and when it came.

    Attributes:
        samples: float32 (n,) of the first channel.
        rate_hz: nominal.
        counted_ns: int64 (blocks,), when each block is due by counting samples at that rate.
        seen_ns: int64 (blocks,), when it came by the reference clock.
        by: how that is known: "arrival" or "stamps".
    """

    samples: NDArray[np.float32]
    rate_hz: float
    counted_ns: Times
    seen_ns: Times
    by: str

    @property
    def duration_s(self) -> float:
        """How long it is, by its samples."""
        return len(self.samples) / self.rate_hz


def hear_recording(blocks: Iterable[Block], path: Path, stream: str) -> Heard:
    """The sound of a recording.

    Args:
        blocks: of one stream of sound.
        path: the recording; one of ours tells when samples arrived.
        stream: its name.

    Raises:
        InputError: if there is none, it changes its rate, or is longer than half an hour.
    """
    parts: list[UniformBlock] = []
    length_s = 0.0
    for block in blocks:
        assert isinstance(block, UniformBlock)
        if parts and block.rate_hz != parts[0].rate_hz:
            raise InputError(
                f"the sound changes its rate from {parts[0].rate_hz:g} to {block.rate_hz:g} Hz; "
                "choose the part with one rate by --from and --to"
            )
        length_s += block.count / block.rate_hz
        if length_s > _LONGEST_S:
            raise InputError(
                f"the sound is longer than {_LONGEST_S:g} s; a minute is enough: choose a part by "
                "--from and --to"
            )
        parts.append(block)
    if not parts:
        raise InputError("the stream has no samples; is the right topic chosen?")
    seen_ns = np.array([block.stamp_ns for block in parts], np.int64)
    counted_ns = _counted(parts)
    arrived_ns = _arrivals(path, stream, counted_ns)
    known = arrived_ns is not None
    return Heard(
        np.concatenate([block.values[:, 0] for block in parts]),
        parts[0].rate_hz,
        counted_ns,
        arrived_ns if arrived_ns is not None else seen_ns,
        "arrival" if known else "stamps",
    )


def hear_live(
    device: str | None,
    seconds: float,
    rate_hz: float | None = None,
    advance: Callable[[float], None] = lambda _share: None,
) -> Heard:
    """Listen to a microphone; its first half second is left out.

    Args:
        device: part of its name or its number; the system's own if None.
        seconds: how long.
        rate_hz: to open it with; its own if None.
        advance: takes the share done.

    Raises:
        SourceError: if it is not there, fails, or delivers nothing.
        MissingExtraError: if sounddevice is not installed.
    """
    microphone, ear = Microphone(device, rate_hz=rate_hz), _Ear(seconds + _WARM_UP_S)
    microphone.start({STREAM: StreamConfig(modality=Modality.AUDIO)}, ear.take, ear.fail)
    try:
        ear.wait(advance)
    finally:
        microphone.stop()
    return ear.heard()


class _Ear:
    """Keeps what a microphone delivers until it is long enough."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._heard_s = 0.0
        self._blocks: list[UniformBlock] = []
        self._arrivals_ns: list[int] = []
        self._failure: Exception | None = None
        self._done = threading.Event()

    def take(self, block: Block) -> None:
        arrival_ns = time.monotonic_ns()
        assert isinstance(block, UniformBlock)
        if self._done.is_set():
            return
        self._blocks.append(block)
        self._arrivals_ns.append(arrival_ns)
        self._heard_s += block.count / block.rate_hz
        if self._heard_s >= self._seconds:
            self._done.set()

    def fail(self, error: Exception) -> None:
        self._failure = error
        self._done.set()

    def wait(self, advance: Callable[[float], None]) -> None:
        deadline_s = time.monotonic() + self._seconds + _PATIENCE_S
        while not self._done.wait(_LOOK_S):
            advance(self._heard_s / self._seconds)
            if time.monotonic() > deadline_s:
                raise SourceError(
                    f"the microphone gave {self._heard_s:.1f} s of sound in "
                    f"{self._seconds + _PATIENCE_S:g} s; close other programs that use it, or "
                    "unplug it and plug it in again"
                )
        if self._failure is not None:
            raise self._failure

    def heard(self) -> Heard:
        rate_hz = self._blocks[0].rate_hz
        begin_ns = self._blocks[0].stamp_ns + round(_WARM_UP_S * NS_PER_S)
        kept = [n for n, block in enumerate(self._blocks) if block.stamp_ns >= begin_ns]
        blocks = [self._blocks[n] for n in kept]
        return Heard(
            np.concatenate([block.values[:, 0] for block in blocks]),
            rate_hz,
            # Stamps count samples, those that the driver lost as well.
            np.array([block.stamp_ns for block in blocks], np.int64),
            np.array([self._arrivals_ns[n] for n in kept], np.int64),
            "arrival",
        )


def _counted(blocks: list[UniformBlock]) -> Times:
    """When each block is due after the first one."""
    before = np.cumsum([0, *(block.count for block in blocks[:-1])])
    counted_ns: Times = np.rint(before * (NS_PER_S / blocks[0].rate_hz)).astype(np.int64)
    return counted_ns


def _arrivals(path: Path, stream: str, counted_ns: Times) -> Times | None:
    """When the samples of a recording of ours arrived, if its device counted them."""
    if path.is_dir():
        return None
    try:
        times = recorded_times(path).get(stream)
    except SourceError:  # of another make
        return None
    if times is None or len(times.device_ns) != len(counted_ns):
        return None
    since_ns = times.device_ns - times.device_ns[0]
    if np.abs(since_ns - counted_ns).max() > _COUNT_TOLERANCE_NS:
        return None
    return times.receive_ns
