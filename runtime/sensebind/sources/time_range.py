# SPDX-License-Identifier: Apache-2.0
"""The part of a recording that is read: from one instant to another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from sensebind.errors import InputError, SourceError
from sensebind.grid import NS_PER_S, nanoseconds
from sensebind.sources.bags.containers import EARLIEST_NS, LATEST_NS, Span

if TYPE_CHECKING:
    from sensebind.sources.base import SourceReport

_LONGEST_RECORDING_S = 1e8  # three years; larger numbers are seconds since 1970
_NS_PER_MS = 1_000_000
_FRACTION = re.compile(r"(?<=\d:\d\d)[.,](\d+)")
_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+")


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time.

    Attributes:
        ns: nanoseconds after the recording's begin, or since 1970.
        absolute: which of the two.
    """

    ns: int
    absolute: bool

    def at(self, begin_ns: int) -> int:
        """The instant in ns since 1970, of a recording that begins then, or the next there is."""
        instant_ns = self.ns if self.absolute else begin_ns + self.ns
        return min(max(instant_ns, EARLIEST_NS), LATEST_NS + 1)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `begin` to before `end`; None is the recording's own begin or end."""

    begin: Instant | None = None
    end: Instant | None = None

    def within(self, span: Span, report: SourceReport) -> Span:
        """The receive times to read of a recording of this span, told to the user.

        Raises:
            SourceError: if nothing of the recording lies in the range.
        """
        begin_ns = self.begin.at(span.begin_ns) if self.begin else EARLIEST_NS
        end_ns = self.end.at(span.begin_ns) if self.end else LATEST_NS + 1
        first_ns, last_ns = max(begin_ns, span.begin_ns), min(end_ns, span.end_ns)
        if begin_ns >= end_ns:
            raise SourceError(
                f"the time range begins at {_shown(begin_ns, span)} and ends at "
                f"{_shown(end_ns, span)}; expected an end after the begin"
            )
        if first_ns >= last_ns:
            raise SourceError(
                f"nothing was recorded in the time range; the recording goes from "
                f"{_shown(span.begin_ns, span)} to {_shown(span.end_ns, span)}"
            )
        report.note(f"read from {_shown(first_ns, span)} to {_shown(last_ns, span)}")
        return Span(begin_ns, end_ns)


def time_range(begin: str | None, end: str | None) -> TimeRange | None:
    """A range from texts as `parse_instant` takes them; None if there are none."""
    if begin is None and end is None:
        return None
    return TimeRange(
        None if begin is None else parse_instant(begin), None if end is None else parse_instant(end)
    )


def parse_instant(text: str) -> Instant:
    """Read "12.5" (seconds after the begin), "1700000000" (since 1970) or an ISO 8601 time.

    ISO times without an offset are UTC.

    Raises:
        InputError: naming the text and what was expected.
    """
    if _NUMBER.fullmatch(text):
        seconds = float(text)
        whole, _, fraction = text.partition(".")
        if seconds < _LONGEST_RECORDING_S:
            return Instant(nanoseconds(seconds), absolute=False)
        if seconds * NS_PER_S < LATEST_NS:  # a float would lose the nanoseconds
            return Instant(int(whole) * NS_PER_S + int(f"{fraction:0<9.9}"), absolute=True)
    # Python 3.10 reads neither Z nor fractions of other than 3 or 6 digits.
    fraction = match[1] if (match := _FRACTION.search(text)) else ""
    try:
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", _FRACTION.sub("", text)))
    except ValueError:
        raise InputError(
            f"{text!r} is not a time; expected seconds after the recording's begin (12.5), seconds "
            "since 1970 or an ISO time (2024-05-01T12:00:00)"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    past = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    since_ns = (past.days * 86_400 + past.seconds) * NS_PER_S + int(f"{fraction:0<9.9}")
    return Instant(since_ns, absolute=True)


def _shown(instant_ns: int, span: Span) -> str:
    """An instant as seconds after the begin and, where it is a date, as that."""
    seconds = f"{(instant_ns - span.begin_ns) / NS_PER_S:.3f} s"
    if not _LONGEST_RECORDING_S < instant_ns / NS_PER_S < 253_402_300_799:  # the year 9999
        return seconds
    moment = datetime.fromtimestamp(instant_ns // NS_PER_S, timezone.utc)
    milliseconds = instant_ns % NS_PER_S // _NS_PER_MS
    return f"{seconds} ({moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z)"
