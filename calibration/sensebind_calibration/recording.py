# SPDX-License-Identifier: Apache-2.0
"""A sense of a recording, chosen and read as `sensebind replay` does; an IMU in its own axes."""

from __future__ import annotations

import hashlib
import shlex
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensebind import __version__
from sensebind.calibration.sections import Provenance
from sensebind.cli.settings import parse_streams
from sensebind.errors import InputError, SourceError
from sensebind.grid import NS_PER_S
from sensebind.sources import open_source
from sensebind.sources.base import without_breaks
from sensebind.sources.mapping import map_streams
from sensebind.types import Modality, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.sources.base import Source, StreamInfo
    from sensebind.sources.time_range import TimeRange
    from sensebind.types import Block

_GAP_PERIODS = 1.8  # stamps farther apart have readings missing between them
_MOST_MISSING = 0.01


@dataclass(slots=True)
class SenseStream:
    """One stream of an open recording.

    Attributes:
        source: the recording.
        name: of the stream.
        config: as it was declared: unit, frame, scale.
        serial: number of its sensor, "" if the recording tells none.
        notes: once it was read, what looked odd to the reader (units, axes, stamps).
    """

    source: Source
    name: str
    config: StreamConfig
    serial: str = ""
    notes: list[str] = field(default_factory=list)

    def blocks(self) -> Iterator[Block]:
        """Read it: its blocks in order of their stamps."""
        yield from without_breaks(self.source.blocks({self.name: self.config}, "stamp"))
        self.notes = list(self.source.report.notes)


class ImuStream(SenseStream):
    """The IMU of an open recording."""

    def blocks(self) -> Iterator[SampleBlock]:
        """Read it: blocks of finite samples in m/s² and rad/s, in order of their stamps."""
        for block in SenseStream.blocks(self):
            assert isinstance(block, SampleBlock)
            finite = np.isfinite(block.values).all(axis=1)
            if finite.any():
                yield SampleBlock(block.stream, block.stamps_ns[finite], block.values[finite])


@dataclass(frozen=True, slots=True)
class Timing:
    """Stamps of a stream, summed up.

    Attributes:
        rate_hz: readings per second where none is missing.
        missing: share of readings that are missing.
        readings: how many there are.
        duration_s: from the first to the last.
    """

    rate_hz: float
    missing: float
    readings: int
    duration_s: float

    def check(self) -> None:
        """Refuse a stream with holes: noise cannot be followed across them.

        Raises:
            InputError: telling how much is missing.
        """
        if self.missing > _MOST_MISSING:
            raise InputError(
                f"{self.missing:.1%} of the readings are missing (gaps between stamps), expected "
                f"at most {_MOST_MISSING:.0%}; record again with less load on the bus or disk, or "
                "choose a part without gaps by --from and --to"
            )


@contextmanager
def refusals_of(*recordings: str, stream: str) -> Iterator[None]:
    """Begin what is refused with the recordings and the stream that it is of.

    What is wrong with a source names it already.
    """
    try:
        yield
    except SourceError:
        raise
    except InputError as error:
        names = ", ".join(dict.fromkeys([*recordings, stream]))
        raise type(error)(f"{names}: {naming(stream, str(error))}") from error


def naming(stream: str, advice: str) -> str:
    """Advice of who knew no stream, with its name where TOPIC stands for it."""
    return advice.replace("--stream TOPIC=", f"--stream {shlex.quote(stream)}=")


@contextmanager
def opened(recording: Path | Source, limits: TimeRange | None) -> Iterator[Source]:
    """Open a recording; one that was captured from live sources is open.

    Raises:
        SourceError: if it cannot be read.
    """
    if not isinstance(recording, Path):
        yield recording
        return
    with open_source(recording, time_range=limits) as source:
        yield source


@contextmanager
def open_imu(
    recording: Path | Source, stream: str | None, limits: TimeRange | None
) -> Iterator[ImuStream]:
    """Open the IMU of a recording; see `open_sense`."""
    with open_sense(recording, Modality.IMU, stream, limits) as found:
        yield ImuStream(found.source, found.name, found.config, found.serial)


@contextmanager
def open_sense(
    recording: Path | Source, modality: Modality, stream: str | None, limits: TimeRange | None
) -> Iterator[SenseStream]:
    """Open one sense of a recording.

    Args:
        recording: any recording `sensebind replay` reads, or what was captured live.
        modality: the sense.
        stream: "TOPIC" or "TOPIC=imu,unit=…,frame=…"; the one `replay` would take if None.
        limits: the part to read.

    Raises:
        SourceError: if the recording cannot be read or lacks the stream.
        InputError: if it has no such sense.
    """
    with opened(recording, limits) as source:
        infos = source.streams()
        ((name, config),) = one_stream(infos, modality, stream).items()
        serial = next((info.serial for info in infos if info.name == name), "")
        yield SenseStream(source, name, config, serial)


def one_stream(
    infos: Sequence[StreamInfo], modality: Modality, stream: str | None
) -> dict[str, StreamConfig]:
    """The stream of a sense by its name, and how it is read.

    Args:
        infos: the streams there are.
        modality: the sense.
        stream: as `open_sense` takes it.

    Raises:
        SourceError: if there is no such stream.
        InputError: if there is no such sense.
    """
    overrides = {}
    if stream is not None:
        named = any(info.name == stream for info in infos) or f"={modality}" not in stream
        overrides = parse_streams([f"{stream}={modality}" if named else stream])
    return map_streams(infos, [modality], overrides).selected


def any_stream(infos: Sequence[StreamInfo], stream: str) -> dict[str, StreamConfig]:
    """A stream of any sense by its name, and how it is read.

    Args:
        infos: the streams there are.
        stream: "TOPIC", for the sense it is taken for, or "TOPIC=imu,unit=…".

    Raises:
        SourceError: if there is no such stream.
        InputError: if its sense cannot be told.
    """
    senses = [modality for modality in Modality if modality is not Modality.TEXT]
    if not any(info.name == stream for info in infos):
        overrides = parse_streams([stream])
        selected = map_streams(infos, senses, overrides).selected
        return {name: selected[name] for name in overrides}
    decisions = {each.stream: each for each in map_streams(infos, senses, {}).decisions}
    modality = decisions[stream].modality
    if modality is None:
        raise InputError(
            f"stream {stream!r} cannot be told to be a sense ({decisions[stream].reason}); say "
            f"which: {stream}=imu, =audio, =depth, =vision or =thermal"
        )
    return one_stream(infos, modality, stream)


def timing_of(stamps_ns: NDArray[np.int64]) -> Timing:
    """Rate and gaps of stamps int64 (n,).

    Raises:
        InputError: if there are too few, or most do not rise.
    """
    return _timing(stamps_ns, usual_period_ns(stamps_ns))


def rises(stamps_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which stamps int64 (n,) are later than all before them, bool (n,)."""
    later = np.ones(len(stamps_ns), np.bool_)
    later[1:] = stamps_ns[1:] > np.maximum.accumulate(stamps_ns)[:-1]
    return later


def usual_period_ns(stamps_ns: NDArray[np.int64]) -> float:
    """The most usual distance of stamps: their median's neighbourhood averaged."""
    steps = np.diff(stamps_ns)
    if len(steps) < 2 or not np.median(steps) > 0:
        raise InputError(
            f"the IMU stream has {len(stamps_ns)} usable readings, or their stamps do not rise; "
            "expected readings for at least a minute"
        )
    near = steps[np.abs(steps - np.median(steps)) <= 0.5 * np.median(steps)]
    return float(near.mean())


def _timing(stamps_ns: NDArray[np.int64], period_ns: float) -> Timing:
    gaps = Gaps(period_ns)
    gaps.add(stamps_ns)
    return gaps.timing()


class Gaps:
    """Timing of a stream whose stamps come in pieces."""

    def __init__(self, period_ns: float) -> None:
        self._period_ns = period_ns
        self._first_ns = self._last_ns = 0
        self._readings = 0
        self._bridged_ns = 0  # in gaps
        self._gaps = 0

    def add(self, stamps_ns: NDArray[np.int64]) -> None:
        """Take the next stamps."""
        if self._readings == 0:
            self._first_ns = self._last_ns = int(stamps_ns[0])
        steps = np.diff(stamps_ns, prepend=self._last_ns)
        wide = steps > _GAP_PERIODS * self._period_ns
        self._bridged_ns += int(steps[wide].sum())
        self._gaps += int(np.count_nonzero(wide))
        self._readings += len(stamps_ns)
        self._last_ns = int(stamps_ns[-1])

    def timing(self) -> Timing:
        """What was seen so far."""
        span_ns = self._last_ns - self._first_ns
        steps = self._readings - 1 - self._gaps
        period_ns = (span_ns - self._bridged_ns) / steps if steps > 0 else self._period_ns
        expected = span_ns / period_ns + 1
        return Timing(
            rate_hz=NS_PER_S / period_ns,
            missing=max(0.0, 1 - self._readings / expected),
            readings=self._readings,
            duration_s=span_ns / NS_PER_S,
        )


def provenance(
    stream: SenseStream, timing: Timing, serial: str, temperature_c: float | None
) -> Provenance:
    """Where an estimate came from, dated now."""
    return dated(
        stream.source.name,
        stream.source.sha256(),
        rate_hz=round(timing.rate_hz, 6),
        readings=timing.readings,
        duration_s=timing.duration_s,
        serial=serial or stream.serial,
        temperature_c=temperature_c,
    )


def joined_sha256(hashes: Sequence[str]) -> str:
    """One hash of several recordings: their own if they are one; "" if any of them has none."""
    known = list(dict.fromkeys(hashes))
    if len(known) < 2 or "" in known:
        return known[0] if len(known) == 1 else ""
    return hashlib.sha256("".join(known).encode()).hexdigest()


def dated(
    recording: str,
    sha256: str,
    *,
    rate_hz: float = 0.0,
    readings: int,
    duration_s: float,
    serial: str = "",
    temperature_c: float | None = None,
) -> Provenance:
    """A provenance of now, by this version."""
    return Provenance(
        recording=recording,
        sha256=sha256,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        version=__version__,
        rate_hz=rate_hz,
        readings=readings,
        duration_s=duration_s,
        serial=serial,
        temperature_c=temperature_c,
    )
