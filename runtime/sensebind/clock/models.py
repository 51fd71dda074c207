# SPDX-License-Identifier: Apache-2.0
"""The clocks of a run: one model for each, shared by the streams it stamps."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from sensebind.clock.mapping import StampMapper, audio_tolerance_ns
from sensebind.clock.model import ClockModel
from sensebind.clock.reference import REFERENCE_CLOCK
from sensebind.grid import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensebind.clock.model import ClockCalibration, ClockQuality


class ClockedStream(Protocol):
    """What a live source tells of a stream."""

    @property
    def name(self) -> str:
        """Of the stream."""
        ...

    @property
    def clock(self) -> str:
        """Name of the clock that stamps it; REFERENCE_CLOCK needs no model."""
        ...

    @property
    def rate_hz(self) -> float:
        """Nominal rate of its samples, 0 if unknown."""
        ...


@dataclass(frozen=True, slots=True)
class StampStatus:
    """How the stamps of one stream were mapped.

    Attributes:
        clock: name of the clock that stamps it.
        relocks: how often the line of its stamps was drawn anew.
        by_arrival: blocks without a possible stamp, placed by when they arrived.
        note: a sentence for the user about its stamps, or "".
    """

    clock: str
    relocks: int
    by_arrival: int
    note: str


class ClockModels:
    """Makes the mappers of a run's streams; streams that name the same clock share its model."""

    def __init__(self, calibrations: Mapping[str, ClockCalibration] | None = None) -> None:
        """Begin without observations.

        Args:
            calibrations: what is known of clocks beforehand, by name.
        """
        self._calibrations = calibrations or {}
        self._models: dict[str, ClockModel] = {}
        self._mappers: dict[str, StampMapper] = {}
        self._past: dict[str, StampStatus] = {}
        self._lock = Lock()

    def mapper(self, stream: ClockedStream, jitter_s: float | None = None) -> StampMapper:
        """Make the mapper of a stream; asked again, after its device was opened anew, another one.

        Args:
            stream: its name, clock and nominal rate.
            jitter_s: error of the stamps of sound that is borne (StreamConfig.jitter_s); half a
                frame shift of the usual front end if None.
        """
        tolerance_ns = audio_tolerance_ns(jitter_s)
        period_ns = round(NS_PER_S / stream.rate_hz) if stream.rate_hz > 0 else 0
        with self._lock:
            model = None
            if stream.clock != REFERENCE_CLOCK:
                known = self._calibrations.get(stream.clock)
                model = self._models.setdefault(stream.clock, ClockModel(known))
            mapper = StampMapper(model, tolerance_ns, stream=stream.name, period_ns=period_ns)
            self._past[stream.name] = self._status_of(stream.name, stream.clock)
            self._mappers[stream.name] = mapper
        return mapper

    def status(self) -> dict[str, ClockQuality]:
        """How well each clock is known, by name."""
        with self._lock:
            return {name: model.quality for name, model in self._models.items()}

    def stream_status(self) -> dict[str, StampStatus]:
        """How the stamps of each stream were mapped so far, by its name."""
        with self._lock:
            return {name: self._status_of(name, past.clock) for name, past in self._past.items()}

    def _status_of(self, stream: str, clock: str) -> StampStatus:
        """What the mappers did that a stream has had."""
        past = self._past.get(stream, StampStatus(clock, 0, 0, ""))
        mapper = self._mappers.get(stream)
        if mapper is None:
            return past
        return StampStatus(
            clock,
            past.relocks + mapper.relocks,
            past.by_arrival + mapper.by_arrival,
            mapper.note or past.note,
        )
