# SPDX-License-Identifier: Apache-2.0
"""What sources share that change what another one reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from sensebind.sources.base import Source, SourceReport, StreamInfo


class WrappedSource:
    """A source that opens, closes and describes another one as its own.

    Attributes:
        name: of the other.
        report: what happened while reading.
    """

    def __init__(self, source: Source, report: SourceReport) -> None:
        self.name = source.name
        self.report = report
        self._source = source

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._source.__exit__(kind, error, trace)

    def streams(self) -> list[StreamInfo]:
        """The other's streams, as they are there."""
        return self._source.streams()

    def progress(self) -> float:
        """Share of the other that was read so far, 0..1."""
        return self._source.progress()

    def sha256(self) -> str:
        """Hash of all of the other's bytes."""
        return self._source.sha256()
