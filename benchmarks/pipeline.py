# SPDX-License-Identifier: Apache-2.0
"""What a whole run costs: above its parts, against what one would write by hand, and in memory.

Rows (`--row`), each with blocks that are held in memory:

demo       The demo bundle on the sample recording. `added_us` is the processor time of a run less
           that of the bare preprocessing and engine runs of the same windows, per window.
imagebind  The same at ImageBind size (`--imagebind`, made by `benchmarks._imagebind`), as a ratio.
minute     Audio, IMU and depth at ImageBind size, hop 0.5 s, `--seconds` of them, against eager
           PyTorch on full windows made by torchaudio, NumPy and torchvision, as a ratio.
memory     The sample recording again and again with later stamps, `--seconds` long but three
           minutes at least: growth of the process after the first minute, of medians of a minute.

Processor time of all threads, rounds alternating, one thread per engine; medians, and 10th
percentiles beside them. Wall times are told too: a run overlaps preprocessing and engine runs.
With `--cpu` all runs on that processor, where nothing overlaps and threads share their caches.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sensebind
from benchmarks._machine import describe
from benchmarks._synthetic import SyntheticSource
from sensebind.bundle import Bundle
from sensebind.config import PipelineConfig
from sensebind.flow.selection import select
from sensebind.metrics.process import resident_bytes
from sensebind.pipeline import Pipeline
from sensebind.sources import open_source
from sensebind.sources.held import HeldSource
from sensebind.sources.looped import LoopedSource
from sensebind.stream_path import StreamPath
from sensebind.types import Break

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensebind.config import StreamConfig
    from sensebind.sources.base import Source
    from sensebind.types import Delivery, Window

ADDED_US = 150.0
SHARE_IMAGEBIND, SHARE_MINUTE = 1.02, 0.5
GROWTH, GROWTH_BYTES = 0.02, 5_000_000
_MINUTE_S = 60.0
SAMPLE = Path(sensebind.__file__).parent / "_data" / "sample" / "sample.mcap"


class Case:
    """A stretch of a source, held in memory, and what is done with it."""

    def __init__(
        self, bundle: Bundle, source: Source, seconds: float, config: PipelineConfig
    ) -> None:
        self._bundle, self._config = bundle, config
        windowed = [m for m, spec in bundle.manifest.encoders.items() if spec.window]
        with source:
            (selection,), _ = select([source], windowed, config)
            self.streams = selection.streams
            blocks = source.blocks(selection.streams, selection.order)
            self.blocks = _stretch(blocks, seconds)
        self.held = HeldSource("held", selection.infos, self.blocks)
        self.windows = self._cut()

    def run(self) -> int:
        """The whole pipeline; how many embeddings it gave."""
        with Pipeline(self._bundle, self._config) as pipeline:
            return sum(1 for _ in pipeline.run(self.held))

    def bare(self) -> int:
        """Preprocessing and engine runs of the same windows and nothing else."""
        paths = self._paths()
        for name, window in self.windows:
            path = paths[name]
            path.encoder.encode([path.prepare(window).features])  # type: ignore[union-attr]
        return len(self.windows)

    def _paths(self) -> dict[str, StreamPath]:
        return {name: self._path(name, stream) for name, stream in self.streams.items()}

    def _path(self, name: str, stream: StreamConfig) -> StreamPath:
        return StreamPath(name, stream, self._bundle.encoder(stream.modality), self._config.hop_s)

    def _cut(self) -> list[tuple[str, Window]]:
        paths = self._paths()
        windows = [(b.stream, w) for b in self.blocks for w in paths[b.stream].take(b)]
        return windows + [(name, w) for name, path in paths.items() for w in path.flush()]


def _stretch(blocks: Any, seconds: float) -> list[Delivery]:  # noqa: ANN401 - an iterator
    """The first seconds of a source."""
    first = next(blocks)
    end_ns = first.first_ns + round(seconds * 1e9)
    return [first, *takewhile(lambda b: isinstance(b, Break) or b.first_ns < end_ns, blocks)]


def compare(ours: Callable[[], int], peer: Callable[[], int], rounds: int) -> dict[str, Any]:
    """Alternate both; processor and wall seconds of each round."""
    both = (ours, peer)
    counts = [work() for work in both]
    cpu: list[list[float]] = [[], []]
    wall: list[list[float]] = [[], []]
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            both[which]()
            cpu[which].append(time.process_time() - cpu_s)
            wall[which].append(time.perf_counter() - wall_s)
    return {
        "windows": counts[0],
        "peer_windows": counts[1],
        "rounds": rounds,
        "ours_cpu_s": statistics.median(cpu[0]),
        "peer_cpu_s": statistics.median(cpu[1]),
        "ours_wall_s": statistics.median(wall[0]),
        "peer_wall_s": statistics.median(wall[1]),
        "ratio": statistics.median(cpu[0]) / statistics.median(cpu[1]),
        "ratio_p10": _p10(cpu[0]) / _p10(cpu[1]),
        "added_us": _added_us(statistics.median, cpu, counts[0]),
        "added_us_p10": _added_us(_p10, cpu, counts[0]),
    }


def _added_us(of: Callable[[list[float]], float], cpu: list[list[float]], windows: int) -> float:
    return (of(cpu[0]) - of(cpu[1])) / windows * 1e6


def _p10(values: list[float]) -> float:
    return sorted(values)[len(values) // 10]


def demo(options: argparse.Namespace) -> dict[str, Any]:
    """What a run adds per window of a small bundle."""
    with Bundle.load(options.bundle, threads=1) as bundle:
        case = Case(bundle, open_source(SAMPLE), options.seconds, PipelineConfig(hop_s=0.1))
        result = compare(case.run, case.bare, options.rounds)
    met = max(result["added_us"], result["added_us_p10"]) <= ADDED_US
    return {**result, "bundle": options.bundle, "goal_us": ADDED_US, "met": met}


def imagebind(options: argparse.Namespace) -> dict[str, Any]:
    """What a run adds where engines are slow."""
    with Bundle.load(options.imagebind, threads=1) as bundle:
        case = Case(bundle, SyntheticSource(), options.seconds, PipelineConfig(hop_s=0.5))
        result = compare(case.run, case.bare, options.rounds)
    met = max(result["ratio"], result["ratio_p10"]) <= SHARE_IMAGEBIND
    return {**result, "goal": SHARE_IMAGEBIND, "met": met}


def minute(options: argparse.Namespace) -> dict[str, Any]:
    """A recording at ImageBind size, against PyTorch by hand."""
    from benchmarks._by_hand import ByHand

    with Bundle.load(options.imagebind, threads=1) as bundle:
        case = Case(bundle, SyntheticSource(), options.seconds, PipelineConfig(hop_s=0.5))
        by_hand = ByHand(case.windows, {n: s.modality for n, s in case.streams.items()})
        result = compare(case.run, by_hand.run, options.rounds)
    met = max(result["ratio"], result["ratio_p10"]) <= SHARE_MINUTE
    return {**result, "recorded_s": options.seconds, "goal": SHARE_MINUTE, "met": met}


def memory(options: argparse.Namespace) -> dict[str, Any]:
    """Growth of the process over a long replay, from its second minute to its last."""
    length_s = max(options.seconds, 3 * _MINUTE_S)
    used: dict[str, list[int]] = {"second minute": [], "last minute": []}
    with Bundle.load(options.bundle, threads=1) as bundle, Pipeline(bundle) as pipeline:
        embeddings = pipeline.run(LoopedSource(open_source(SAMPLE)))
        begin_ns = None
        for embedding in embeddings:
            begin_ns = begin_ns or embedding.grid_ns
            replayed_s = (embedding.grid_ns - begin_ns) / 1e9
            if _MINUTE_S <= replayed_s < 2 * _MINUTE_S:
                used["second minute"].append(resident_bytes())
            elif replayed_s >= length_s - _MINUTE_S:
                used["last minute"].append(resident_bytes())
            if replayed_s >= length_s:
                break
        embeddings.close()
        windows = sum(stream.embedded for stream in pipeline.report.streams.values())
    begin, end = (statistics.median(readings) for readings in used.values())
    return {
        "replayed_s": length_s,
        "windows": windows,
        "bytes_in_second_minute": begin,
        "bytes_in_last_minute": end,
        "met": end - begin <= max(GROWTH * begin, GROWTH_BYTES),
    }


ROWS = {"demo": demo, "imagebind": imagebind, "minute": minute, "memory": memory}
NEEDS_IMAGEBIND = ("imagebind", "minute")


def main() -> None:
    """Measure some rows and write results/pipeline.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--row", action="append", choices=sorted(ROWS), help="all that can, if none"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--bundle", default="demo")
    parser.add_argument("--imagebind", help="folder of the bundle of benchmarks._imagebind")
    parser.add_argument("--cpu", type=int, help="run on this processor alone")
    parser.add_argument("--out", type=Path, default=Path("results/pipeline.json"))
    options = parser.parse_args()
    names = options.row or [n for n in ROWS if options.imagebind or n not in NEEDS_IMAGEBIND]
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    packages = ("numpy", "numba", "onnxruntime", "torch", "torchaudio", "torchvision")
    results: dict[str, Any] = {"machine": describe(packages)}
    for name in names:
        if name in NEEDS_IMAGEBIND and not options.imagebind:
            parser.error(f"--row {name} needs --imagebind FOLDER")
        results[name] = ROWS[name](options)
        print(name, json.dumps(results[name], indent=2))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
