# SPDX-License-Identifier: Apache-2.0
"""Known values (distances, temperatures) and the parts of recordings in which they were seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from sensebind.errors import InputError
from sensebind.sources.time_range import time_range

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sensebind.sources.base import Source
    from sensebind.sources.time_range import TimeRange


class Known(NamedTuple):
    """A part of a recording, and what is known of it.

    Attributes:
        recording: the file or folder, or what was captured from a device.
        value: what is known; None if nothing was told.
        limits: the part; None for all of it.
    """

    recording: Path | Source
    value: float | None
    limits: TimeRange | None


def known_parts(recordings: Sequence[Path], texts: Sequence[str], option: str) -> list[Known]:
    """Pair recordings with "VALUE" each, or one recording with "VALUE@FROM..TO" each.

    Args:
        recordings: at least one.
        texts: what was given for the option.
        option: its name, for messages.

    Raises:
        InputError: if a text is no such value, or they do not pair.
    """
    told = [_parsed(text, option) for text in texts]
    if not told:
        return [Known(recording, None, None) for recording in recordings]
    if len(recordings) == 1 and (len(told) == 1 or all(limits for _, limits in told)):
        return [Known(recordings[0], value, limits) for value, limits in told]
    if len(recordings) != len(told):
        raise InputError(
            f"{len(recordings)} recordings and {len(told)} {option} were given; give one {option} "
            f"for each recording, in their order, or one recording and {option} VALUE@FROM..TO "
            "for each part of it (seconds after its begin)"
        )
    pairs = zip(recordings, told, strict=True)
    return [Known(recording, value, limits) for recording, (value, limits) in pairs]


def known_values(texts: Sequence[str], option: str) -> list[float]:
    """Values without parts.

    Raises:
        InputError: if a text is none.
    """
    told = [_parsed(text, option) for text in texts]
    if any(limits for _, limits in told):
        raise InputError(
            f"{option} has parts (@FROM..TO), which only recordings have; leave them out"
        )
    return [value for value, _ in told]


def _parsed(text: str, option: str) -> tuple[float, TimeRange | None]:
    number, at, span = text.partition("@")
    begin, dots, end = span.partition("..")
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not math.isfinite(value) or (at and not (dots and (begin or end))):
        raise InputError(
            f"{option} {text!r} is no number, or number and part; expected for example 1.25, or "
            "1.25@2..8 for what was recorded from 2 to 8 s"
        )
    return value, time_range(begin or None, end or None)
