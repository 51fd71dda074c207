# SPDX-License-Identifier: Apache-2.0
"""The two streams whose clocks are compared."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sensebind.errors import InputError
from sensebind_calibration.clock import TwoStreams
from sensebind_calibration.recording import any_stream, opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sensebind.config import StreamConfig
    from sensebind.sources.base import Source, StreamInfo
    from sensebind.sources.time_range import TimeRange


def both_streams(
    infos: Sequence[StreamInfo], stream: str, reference: str
) -> dict[str, StreamConfig]:
    """The two streams by name, the reference last, and how they are read.

    Args:
        infos: the streams there are.
        stream: "TOPIC" or "TOPIC=SENSE,KEY=VALUE…".
        reference: the same of the other one.

    Raises:
        SourceError: if one is not there.
        InputError: if its sense cannot be told, or both are one.
    """
    configs = any_stream(infos, stream) | any_stream(infos, reference)
    if len(configs) < 2:
        raise InputError(
            f"--stream and --reference both name {stream!r}; give two streams, to compare them"
        )
    return configs


@contextmanager
def open_two(
    recording: Path | Source, stream: str, reference: str, limits: TimeRange | None
) -> Iterator[TwoStreams]:
    """Open two streams of a recording; see `both_streams`."""
    with opened(recording, limits) as source:
        infos = source.streams()
        configs = both_streams(infos, stream, reference)
        first, second = configs
        serial = next((info.serial for info in infos if info.name == first), "")
        yield TwoStreams(source, first, second, configs, serial)
