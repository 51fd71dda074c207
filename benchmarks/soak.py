# SPDX-License-Identifier: Apache-2.0
"""A live run for a long time: whether memory grows, and whether everything is accounted for.

An IMU of 400 Hz, a microphone and a depth camera are played at `--factor` of real time. Every
`--every` seconds the resident memory is noted; the slope is that of a line fitted through the
second half. At the end the run is stopped and the fate of every sample and window is summed up.

With `--overload` the engine is held back until the run asks for twice what it can do; windows are
dropped by policy then, and the 99th percentile of the service time of the last third of the run is
held against that of the first third.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._machine import describe
from benchmarks._synthetic import SyntheticSource
from sensebind.bundle import Bundle
from sensebind.config import PipelineConfig
from sensebind.flow.signals import stopping_on_signals
from sensebind.metrics.histogram import Histogram
from sensebind.metrics.process import resident_bytes
from sensebind.pipeline import Pipeline
from sensebind.sources.paced import PacedSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.backends.base import Engine
    from sensebind.metrics.times import WindowTimes
    from sensebind.types import Embedding

OVERLOAD = 2.0
WORST_RATIO = 1.2
HOP_S = 0.1
WARM_UP_S = 5.0
_STREAMS = 3


class SlowEngine:
    """An engine that takes so long that the streams ask for OVERLOAD times what it can do."""

    def __init__(self, engine: Engine) -> None:
        self.backend, self.precision = engine.backend, engine.precision
        self._engine = engine
        self._run_s = OVERLOAD * HOP_S / _STREAMS

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Run, and wait for the rest of the time."""
        until_s = time.monotonic() + self._run_s
        vectors = self._engine.run(inputs)
        time.sleep(max(until_s - time.monotonic(), 0.0))
        return vectors

    def close(self) -> None:
        """Free the engine."""
        self._engine.close()


class Watch:
    """Notes memory and service times while a run goes on, after a warm-up."""

    def __init__(self, every_s: float, length_s: float) -> None:
        self.begin_s = time.monotonic() + WARM_UP_S
        self.length_s = length_s
        self.memory: list[tuple[float, int]] = []
        self.thirds = [Histogram() for _ in range(3)]  # their memory does not grow
        self._every_s = every_s

    @property
    def is_over(self) -> bool:
        """Whether the run has taken its time."""
        return time.monotonic() - self.begin_s > self.length_s

    def observe(self, _embedding: Embedding, times: WindowTimes) -> None:
        """Take note of one window."""
        now_s = time.monotonic() - self.begin_s
        if now_s < 0:
            return
        self.thirds[min(int(3 * now_s / self.length_s), 2)].record(times.service_ns)
        if not self.memory or now_s - self.memory[-1][0] >= self._every_s:
            self.memory.append((now_s, resident_bytes()))

    def slope_bytes_per_hour(self) -> float:
        """Of memory over the second half of the run."""
        half = self.memory[len(self.memory) // 2 :]
        if len(half) < 2:
            return 0.0
        at_s, used = np.array(half).T
        return float(np.polyfit(at_s, used, 1)[0]) * 3600


def soak(options: argparse.Namespace) -> dict[str, Any]:
    """One run."""
    watch = Watch(options.every, options.minutes * 60)
    played = PacedSource(SyntheticSource(), factor=options.factor)
    with (
        Bundle.load(options.bundle, threads=1) as bundle,
        Pipeline(bundle, PipelineConfig(hop_s=HOP_S)) as pipeline,
        stopping_on_signals(pipeline.stop),
    ):
        if options.overload:
            for modality in ("imu", "audio", "depth"):
                encoder = bundle.encoder(modality)
                encoder._engine = SlowEngine(encoder._engine)  # noqa: SLF001 - stands for a slow one
        for _ in pipeline.run(played, observers=[watch.observe]):
            if watch.is_over:
                pipeline.stop()
    reports = pipeline.report.streams
    first, _, last = (third.summary().p99_ms for third in watch.thirds)
    return {
        "minutes": options.minutes,
        "overload": options.overload,
        "memory_bytes": [watch.memory[0][1], watch.memory[-1][1]],
        "slope_bytes_per_hour": watch.slope_bytes_per_hour(),
        "samples": {name: report.pushed for name, report in reports.items()},
        "embedded": {name: report.embedded for name, report in reports.items()},
        "dropped": {name: report.dropped for name, report in reports.items()},
        "overrun": {name: report.overrun for name, report in reports.items()},
        "unaccounted": sum(r.pending_samples + r.pending_windows for r in reports.values()),
        "service_p99_ms": {"first third": first, "last third": last},
        "incidents": [f"{i.where}: {i.what} ({i.count})" for i in pipeline.report.incidents],
        "met": (last <= WORST_RATIO * first or not options.overload)
        and not any(r.pending_samples or r.pending_windows for r in reports.values()),
    }


def main() -> None:
    """Run and write results/soak.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="30 or more for a real soak")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--factor", type=float, default=1.0)
    parser.add_argument("--overload", action="store_true")
    parser.add_argument("--bundle", required=True, help="with encoders of audio, depth and IMU")
    parser.add_argument("--out", type=Path, default=Path("results/soak.json"))
    options = parser.parse_args()
    result = {"machine": describe(("numpy", "numba", "onnxruntime")), "soak": soak(options)}
    print(json.dumps(result["soak"], indent=2))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
