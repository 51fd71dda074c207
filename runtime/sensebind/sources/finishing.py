# SPDX-License-Identifier: Apache-2.0
"""From a source's own streams to those that were asked for: joined, in SI units, looked over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import SourceError
from sensebind.sources.imu_join import Half, ImuJoiner
from sensebind.sources.imu_pairs import ANGULAR_VELOCITY, JOINED, halves_of, with_asked_for
from sensebind.sources.plausibility import make_check
from sensebind.types import Modality, SampleBlock
from sensebind.units import imu_factors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sensebind.config import StreamConfig
    from sensebind.sources.base import SourceReport, StreamInfo
    from sensebind.types import Block


class Finishing:
    """The last steps of reading a selection of streams.

    Attributes:
        streams: the source's own streams to read, each with the name and half of the IMU it is
            joined into, None for the others.
    """

    def __init__(
        self,
        selected: Mapping[str, StreamConfig],
        infos: Sequence[StreamInfo],
        report: SourceReport,
    ) -> None:
        self.streams: dict[str, tuple[str, Half] | None] = {}
        self._report = report
        self._joiners: dict[str, ImuJoiner] = {}
        self._checks = {
            name: check
            for name, config in selected.items()
            if (check := make_check(config)) is not None
        }
        self._factors = {
            name: factors
            for name, config in selected.items()
            if config.modality is Modality.IMU
            and (factors := imu_factors(config.unit)) != (1.0, 1.0)
        }
        known = {info.name: info for info in with_asked_for(infos, selected)}
        for name in selected:
            pair = halves_of(name, known) if known[name].encoding == JOINED else None
            if pair is None:
                self.streams[name] = None
                continue
            if known[pair[0]].encoding == ANGULAR_VELOCITY:
                pair = pair[1], pair[0]
            taken = next((part for part in pair if part in selected or part in self.streams), None)
            if taken is not None:
                raise SourceError(
                    f"stream {taken!r} is asked for more than once: by itself or in another pair, "
                    f"and in {name!r}; ask for one of them"
                )
            self._joiners[name] = ImuJoiner()
            self.streams.update({part: (name, half) for part, half in zip(pair, Half, strict=True)})

    def blocks(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Turn blocks of the source's own streams into those of the selected ones."""
        for block in blocks:
            finished = self.push(block)
            if finished is not None:
                yield finished
        self.end()

    def push(self, block: Block) -> Block | None:
        """Finish one block; None if it waits for the other half of its IMU."""
        target = self.streams[block.stream]
        if target is None:
            return self._checked(block)
        assert isinstance(block, SampleBlock)
        stream, half = target
        stamps_ns, values = self._joiners[stream].push(half, block.stamps_ns, block.values)
        return self._checked(SampleBlock(stream, stamps_ns, values)) if len(stamps_ns) else None

    def end(self) -> None:
        """Nothing more comes: count what could not be joined, and note what looks wrong."""
        for stream, joiner in self._joiners.items():
            joiner.flush()
            for cause, count in joiner.lost.items():
                self._report.skip(stream, cause, count)
        for stream, check in self._checks.items():
            with np.errstate(all="ignore"):  # damaged messages hold any number
                findings = list(check.findings())
            for finding in findings:
                self._report.note(f"{stream}: {finding}")

    def _checked(self, block: Block) -> Block:
        factors = self._factors.get(block.stream)
        if factors is not None and isinstance(block, SampleBlock):
            values = block.values.copy()
            with np.errstate(over="ignore"):
                values *= np.repeat(factors, 3)
            block = replace(block, values=values)
        if block.stream in self._checks:
            self._checks[block.stream].add(block)
        return block
