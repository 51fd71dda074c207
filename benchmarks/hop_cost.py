# SPDX-License-Identifier: Apache-2.0
"""What one more window of a running stream costs, and how that grows with the window's length.

Blocks go through windowing and the front end as in a pipeline; what is timed is one hop of 0.1 s:
its blocks, the window that closes, its features. Sound comes in blocks of 10 ms, IMU samples one by
one at 400 Hz. If everything were computed anew, windows four times as long would cost four times as
much; a ratio of 1 means that the length does not matter.

Three parts are told: all of the hop; of it the front end, which makes the features; and of that the
arithmetic. The features are an array of the window's own, which may wait in a queue, so most of
them are copied from what earlier windows computed: 0.4 MB of sound in 8 s, 77 kB of motion. That
copy is linear in the length by nature. The arithmetic is the front end less such a copy, timed on
the spot: an array of the same size from a matrix that is wider, row by row.

Processor time, one thread, lengths alternating round by round; ratios of medians and of 10th
percentiles.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from benchmarks._machine import describe
from sensebind.config import StreamConfig
from sensebind.encoder import Encoder
from sensebind.specs import EncoderSpec, ImuSpec, LogMelSpec, TensorSpec, WindowSpec
from sensebind.stream_path import StreamPath
from sensebind.types import Modality, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sensebind.backends.base import Engine
    from sensebind.types import Block

LENGTHS_S = (2.0, 4.0, 8.0)
HOP_S = 0.1
HOPS_AT_ONCE = 5
PARTS = {"hop": 1.25, "features": 1.25, "arithmetic": 1.25}
"""Parts of a hop, and how much dearer windows four times as long may be."""
_WINDOWS_HELD = 4
"""Width of the matrix that is copied from, in windows: as wide as what front ends keep."""
_AUDIO_HZ, _AUDIO_BLOCK, _IMU_HZ = 16_000, 160, 400
_BEGIN_NS = 1_700_000_000_000_000_000


class Stream:
    """A running stream with windows of some length."""

    def __init__(self, modality: Modality, length_s: float) -> None:
        audio = modality is Modality.AUDIO
        spec = _audio_encoder(length_s) if audio else _imu_encoder(length_s)
        # No engine is ever run.
        encoder = Encoder(modality, spec, "none", 1, cast("Engine", None))
        self._path = StreamPath("/stream", StreamConfig(modality=modality), encoder, HOP_S)
        self._shape = cast("tuple[int, int]", spec.inputs[0].shape[-2:])
        self._held = np.ones((self._shape[0], _WINDOWS_HELD * self._shape[1]), np.float32)
        self._blocks = _sound() if audio else _motion()
        self._blocks_per_hop = round(HOP_S * (_AUDIO_HZ / _AUDIO_BLOCK if audio else _IMU_HZ))
        self.hops(round(3 * length_s / HOP_S))  # past the first window

    def hops(self, number: int) -> tuple[float, float, float]:
        """Processor time of each part per hop, in microseconds, over some hops."""
        blocks = list(islice(self._blocks, number * self._blocks_per_hop))
        features_ns = copies_ns = 0
        begin_ns = time.process_time_ns()
        for block in blocks:
            for window in self._path.take(block):
                before_ns = time.process_time_ns()
                self._path.prepare(window)
                made_ns = time.process_time_ns()
                self._copy()
                features_ns += made_ns - before_ns
                copies_ns += time.process_time_ns() - made_ns
        whole_ns = time.process_time_ns() - begin_ns - copies_ns
        parts_ns = (whole_ns, features_ns, features_ns - copies_ns)
        hop_us, features_us, arithmetic_us = (ns / number / 1e3 for ns in parts_ns)
        return hop_us, features_us, arithmetic_us

    def _copy(self) -> None:
        """What delivering a window takes that is computed already."""
        features = np.empty(self._shape, np.float32)
        features[:] = self._held[:, : self._shape[1]]


def measure(modality: Modality, rounds: int) -> dict[str, Any]:
    """Times by length, and ratios of the longest to the shortest."""
    streams = {length_s: Stream(modality, length_s) for length_s in LENGTHS_S}
    times: dict[float, list[tuple[float, float, float]]] = {length_s: [] for length_s in LENGTHS_S}
    for index in range(rounds):
        for length_s in LENGTHS_S if index % 2 else LENGTHS_S[::-1]:
            times[length_s].append(streams[length_s].hops(HOPS_AT_ONCE))
    figures: dict[str, Any] = {}
    for place, (part, goal) in enumerate(PARTS.items()):
        of_part = {length_s: [each[place] for each in times[length_s]] for length_s in LENGTHS_S}
        shortest, longest = of_part[LENGTHS_S[0]], of_part[LENGTHS_S[-1]]
        ratios = {
            "median": statistics.median(longest) / statistics.median(shortest),
            "p10": _p10(longest) / _p10(shortest),
        }
        figures[part] = {
            "median_us": {f"{s:g} s": statistics.median(of_part[s]) for s in LENGTHS_S},
            "p10_us": {f"{s:g} s": _p10(of_part[s]) for s in LENGTHS_S},
            "ratio": ratios,
            "goal": goal,
            "met": max(ratios.values()) <= goal,
        }
    return figures


def line(modality: Modality, part: str, figures: dict[str, Any]) -> str:
    """A result in words."""
    listed = ", ".join(f"{length} {us:.0f} us" for length, us in figures["median_us"].items())
    ratio, goal = figures["ratio"], figures["goal"]
    verdict = "met" if figures["met"] else "MISSED"
    return (
        f"{modality} {part}: windows of {listed}; ratio {ratio['median']:.2f} (p10 "
        f"{ratio['p10']:.2f}), at most {goal:g}: {verdict}"
    )


def _audio_encoder(length_s: float) -> EncoderSpec:
    front_end = LogMelSpec(frames=round(length_s * 100) + 4)
    return _encoder(front_end, (1, front_end.mel_bins, front_end.frames), length_s)


def _imu_encoder(length_s: float) -> EncoderSpec:
    return _encoder(ImuSpec(rate_hz=_IMU_HZ), (6, round(length_s * _IMU_HZ)), length_s)


def _encoder(
    front_end: LogMelSpec | ImuSpec, shape: tuple[int, ...], length_s: float
) -> EncoderSpec:
    return EncoderSpec(
        onnx="none.onnx",
        inputs=(TensorSpec(name="features", dtype="float32", shape=("batch", *shape)),),
        output=TensorSpec(name="embedding", dtype="float32", shape=("batch", 1)),
        preprocess=front_end,
        window=WindowSpec(length_s=length_s, hop_s=HOP_S),
    )


def _sound() -> Iterator[Block]:
    noise = np.random.default_rng(0).normal(0, 0.1, (_AUDIO_BLOCK, 1)).astype(np.float32)
    for number in count():
        stamp_ns = _BEGIN_NS + number * _AUDIO_BLOCK * 1_000_000_000 // _AUDIO_HZ
        yield UniformBlock("/stream", stamp_ns, _AUDIO_HZ, noise)


def _motion() -> Iterator[Block]:
    rows = np.random.default_rng(0).normal(0, 1, (1, 6))
    for number in count():
        stamps = np.array([_BEGIN_NS + number * 1_000_000_000 // _IMU_HZ])
        yield SampleBlock("/stream", stamps, rows)


def _p10(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=10, method="inclusive")[0]


def main() -> None:
    """Measure both senses, print a line per part and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=60, help="measurements per length")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    machine = describe(("sensebind", "numpy", "numba"))
    results = {}
    for modality in (Modality.AUDIO, Modality.IMU):
        figures = measure(modality, options.rounds)
        results[modality.value] = figures
        for part in PARTS:
            print(line(modality, part, figures[part]))
    if options.out:
        document = {"machine": machine, "hop_s": HOP_S, "rounds": options.rounds, **results}
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
