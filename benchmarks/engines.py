# SPDX-License-Identifier: Apache-2.0
"""How fast engines run on a CPU, how soon they start, and what the runtime adds to them.

Rows (`--row`):

encoders  ImageBind-size audio, depth and IMU encoders, one thread: ONNX Runtime FP32 and INT8 and
          OpenVINO against the same model in eager PyTorch FP32, and the share that FP32 has of the
          rate of a 2048 x 2048 x 2048 matrix product in the same runtime, which is what can be
          compared between machines (`--imagebind`, and `--graphs` for INT8 and the product).
start     Opening each encoder of some bundles in fresh processes, with a warm cache against none.
overhead  What `Encoder.encode` adds to the run of the engine inside it.
threads   Two threads against one, wall time; tells little where others use the cores.
trunk     Three senses of one size as whole graphs, against stems and heads around one trunk, which
          is what encoders that share a trunk could be (`--graphs`).

Variants alternate in random order round by round, times are the process's processor time unless
said, medians and 10th percentiles. Weights are random, which speed does not see.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._machine import describe
from sensebind.backends.onnx_session import open_session
from sensebind.backends.optimised import made_up
from sensebind.bundle import Bundle
from sensebind.bundle_folder import open_bundle
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

SENSES = (Modality.AUDIO, Modality.DEPTH, Modality.IMU)
GOALS = {"onnxruntime fp32": 0.5, "onnxruntime int8": 0.22, "openvino bf16": 0.26}
"""Most of eager PyTorch's time."""
SHARE_OF_PEAK = 0.8
OVERHEAD = 0.01
NEVER_SLOWER = 1.05
"""Of a warm start over a cold one, where there is a copy; starts of a process vary by as much."""
_MATRIX_FLOP = 2 * 2048**3
_PERCENTILE = 0.1


def alternate(
    variants: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, dict[str, float]]:
    """Run all variants once unmeasured, then in every round in a new order; milliseconds."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for work in variants.values():
        work()
    order = list(variants)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            begin = clock()
            variants[name]()
            seconds[name].append(clock() - begin)
    return {name: _summary(each) for name, each in seconds.items()}


def _summary(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "median_ms": statistics.median(ordered) * 1e3,
        "p10_ms": ordered[int(_PERCENTILE * len(ordered))] * 1e3,
    }


def _ratio(times: Mapping[str, Mapping[str, float]], ours: str, peer: str) -> float:
    """The larger of the ratios of medians and of 10th percentiles."""
    return max(times[ours][of] / times[peer][of] for of in ("median_ms", "p10_ms"))


def encoders(options: argparse.Namespace) -> dict[str, Any]:
    """ImageBind-size encoders on every runtime there is."""
    found: dict[str, Any] = {}
    for sense in options.sense or SENSES:
        with Bundle.load(options.imagebind, threads=1) as bundle:
            (spec,) = bundle.manifest.encoders[sense].inputs
            features = made_up([spec])[0][spec.name]
            variants = _variants(options, bundle, sense, features)
            flop = variants.pop("flop")
            times = alternate(variants, options.rounds)
        found[sense.value] = {"gflop": flop / 1e9, "times": times, **_judged(times, flop)}
        told = found[sense.value]
        print(f"{sense}: {flop / 1e9:.1f} GFLOP; {json.dumps(told['of_eager'])}", flush=True)
        print(f"  share of the product's rate: {told['share_of_peak']:.2f}", flush=True)
    if "openvino bf16" not in next(iter(found.values()))["times"]:
        found["openvino bf16"] = "NOT RUN: openvino is not installed, or the CPU has no BF16"
    return found


def _variants(
    options: argparse.Namespace, bundle: Bundle, sense: Modality, features: NDArray[Any]
) -> dict[str, Any]:
    """What is run, by name, and the encoder's floating-point operations as "flop"."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks._imagebind import eager

    torch.set_num_threads(1)
    module, tensor = eager(sense), torch.from_numpy(features)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        module(tensor)

    def run_eager() -> object:
        with torch.inference_mode():
            return module(tensor)

    feed = {"features": features}
    ours = bundle.encoder(sense)._engine  # noqa: SLF001 - what Encoder adds is another row
    int8 = open_session(str(options.graphs / "int8" / f"{sense}.onnx"), 1)
    product = open_session(str(options.graphs / "matmul.onnx"), 1)
    matrix = np.random.default_rng(1).standard_normal((2048, 2048)).astype(np.float32)
    return {
        "flop": counter.get_total_flops(),
        "eager fp32": run_eager,
        "onnxruntime fp32": lambda: ours.run(feed),
        "onnxruntime int8": lambda: int8.run(None, feed),
        "product 2048": lambda: product.run(None, {"features": matrix}),
        **_openvino(bundle, sense, feed),
    }


def _openvino(bundle: Bundle, sense: Modality, feed: dict[str, Any]) -> dict[str, Any]:
    try:
        from sensebind.backends import openvino
        from sensebind.errors import MissingExtraError

        spec = bundle.manifest.encoders[sense]
        path = bundle.folder.file(spec.onnx)
        engine = openvino.open_engine(path, spec.inputs, spec.output, 1)
    except MissingExtraError:
        return {}
    return {f"openvino {engine.precision}": lambda: engine.run(feed)}


def _judged(times: Mapping[str, Mapping[str, float]], flop: float) -> dict[str, Any]:
    ours, product = (times[name] for name in ("onnxruntime fp32", "product 2048"))
    # The lower of medians and 10th percentiles, each against its like.
    share = min(flop / ours[of] / (_MATRIX_FLOP / product[of]) for of in ("median_ms", "p10_ms"))
    of_eager = {name: _ratio(times, name, "eager fp32") for name in GOALS if name in times}
    met = {name: ratio <= GOALS[name] for name, ratio in of_eager.items()}
    return {
        "of_eager": of_eager,
        "share_of_peak": share,
        "gflop_per_s": {
            "onnxruntime fp32": flop / ours["p10_ms"] / 1e6,
            "product 2048": _MATRIX_FLOP / product["p10_ms"] / 1e6,
        },
        "met": {**met, "share_of_peak": share >= SHARE_OF_PEAK},
    }


_OPEN = """
import json, sys, time
from sensebind.bundle import Bundle
import onnxruntime
bundle = Bundle.load(sys.argv[1], threads=1)
wall, cpu = time.perf_counter(), time.process_time()
bundle.encoder(sys.argv[2])
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""


def start(options: argparse.Namespace) -> dict[str, Any]:
    """Each encoder of the bundles, from a new process, with a warm cache and without one."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "file"
        place.write_text("")
        caches = {"warm": str(Path(folder) / "cache"), "cold": str(place / "no folder")}
        for name in filter(None, ("demo", options.imagebind)):
            bundle = open_bundle(name)
            for sense in bundle.manifest.encoders:
                told = _started(str(name), sense, caches, options.rounds)
                graph = bundle.manifest.files[bundle.encoder(sense).onnx].sha256
                told["copy"] = _has_copy(Path(caches["warm"]), graph)
                told["met"] = not told["copy"] or told["ratio"] <= NEVER_SLOWER
                found[f"{bundle.manifest.name} {sense}"] = told
                print(f"start of {bundle.manifest.name} {sense}: {told}", flush=True)
    return found


def _has_copy(cache: Path, graph_sha256: str) -> bool:
    """Whether a copy of the graph is kept; without one both starts are the same."""
    records = [json.loads(path.read_text()) for path in cache.glob("onnxruntime/*/copy.json")]
    return any(r["key"]["onnx_sha256"] == graph_sha256 and not r["refused"] for r in records)


def _started(
    bundle: str, sense: Modality, caches: Mapping[str, str], rounds: int
) -> dict[str, Any]:
    wall: dict[str, list[float]] = {name: [] for name in caches}
    cpu: dict[str, list[float]] = {name: [] for name in caches}
    for number in range(rounds + 1):  # the first makes the copy
        for name, cache in random.sample(sorted(caches.items()), len(caches)):
            done = subprocess.run(
                [sys.executable, "-c", _OPEN, bundle, sense.value],
                env={**os.environ, "SENSEBIND_CACHE": cache},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode != 0:
                raise RuntimeError(f"opening {sense} of {bundle} failed: {done.stderr.strip()}")
            seconds = json.loads(done.stdout)
            if number:
                wall[name].append(seconds[0])
                cpu[name].append(seconds[1])
    times = {name: _summary(each) for name, each in cpu.items()}
    return {
        "warm_ms": times["warm"]["median_ms"],
        "cold_ms": times["cold"]["median_ms"],
        "warm_wall_ms": statistics.median(wall["warm"]) * 1e3,
        "cold_wall_ms": statistics.median(wall["cold"]) * 1e3,
        "ratio": times["warm"]["median_ms"] / times["cold"]["median_ms"],
    }


class _Clocked:
    """Runs of a library's, with the processor time of all added up."""

    def __init__(self, infer: Callable[[dict[str, Any]], NDArray[np.float32]]) -> None:
        self._infer = infer
        self.ns = 0

    def __call__(self, inputs: dict[str, Any]) -> NDArray[np.float32]:
        begin = time.process_time_ns()
        output = self._infer(inputs)
        self.ns += time.process_time_ns() - begin
        return output


def overhead(options: argparse.Namespace) -> dict[str, Any]:
    """Features in, vector out, less the session's own run; ViT-S and what the demo has."""
    found: dict[str, Any] = {}
    for name in filter(None, (options.imagebind, "demo")):
        with Bundle.load(name, threads=1) as bundle:
            told = _overhead_of(bundle, options.rounds)
        if name == options.imagebind:
            told |= {"goal": OVERHEAD, "met": told["share"] <= OVERHEAD}
        found[f"{bundle.name} depth"] = told
        print(f"overhead of {bundle.name} depth: {told}", flush=True)
    return found


def _overhead_of(bundle: Bundle, rounds: int) -> dict[str, Any]:
    """Of the depth encoder, which is ViT-S at ImageBind's size."""
    encoder = bundle.encoder(Modality.DEPTH)
    (spec,) = encoder.spec.inputs
    features = {spec.name: made_up([spec])[0][spec.name][0]}
    engine: Any = encoder._engine  # noqa: SLF001 - to look inside is the point
    clocked = engine._infer = _Clocked(engine._infer)  # noqa: SLF001
    added, share = [], []
    for _ in range(rounds + 1):
        clocked.ns, begin = 0, time.process_time_ns()
        encoder.encode([features])
        rest = time.process_time_ns() - begin - clocked.ns
        added.append(rest / 1e3)
        share.append(rest / clocked.ns)
    return {"added_us": statistics.median(added[1:]), "share": statistics.median(share[1:])}


def threads(options: argparse.Namespace) -> dict[str, Any]:
    """Wall time of one and two threads on the ImageBind-size encoders."""
    found: dict[str, Any] = {"load_average": os.getloadavg(), "cores": os.cpu_count()}
    for sense in options.sense or SENSES:
        path = options.imagebind / f"{sense}.onnx"
        (spec,) = open_bundle(options.imagebind).encoder(sense).inputs
        feed = made_up([spec])[0]
        sessions = {str(count): open_session(str(path), count) for count in (1, 2)}
        works = {name: _runner(session, feed) for name, session in sessions.items()}
        times = alternate(works, options.rounds, time.perf_counter)
        found[sense.value] = {"times": times, "ratio": _ratio(times, "2", "1")}
        print(f"threads of {sense}: two take {found[sense.value]['ratio']:.2f} of one", flush=True)
    return found


def _runner(session: Any, feed: dict[str, Any]) -> Callable[[], object]:  # noqa: ANN401
    return lambda: session.run(None, feed)


def trunk(options: argparse.Namespace) -> dict[str, Any]:
    """Three senses one after the other: whole graphs, and parts around one trunk."""
    folder = options.graphs / "trunk"
    whole = {sense: open_session(str(folder / f"{sense}.onnx"), 1) for sense in SENSES}
    stems = {sense: open_session(str(folder / f"{sense}.stem.onnx"), 1) for sense in SENSES}
    heads = {sense: open_session(str(folder / f"{sense}.head.onnx"), 1) for sense in SENSES}
    shared = open_session(str(folder / "trunk.onnx"), 1)
    noise = np.random.default_rng(0)
    feeds = {
        sense: noise.standard_normal([1, *session.get_inputs()[0].shape[1:]]).astype(np.float32)
        for sense, session in whole.items()
    }

    def run_whole() -> None:
        for sense, features in feeds.items():
            whole[sense].run(None, {"features": features})

    def run_shared() -> None:
        for sense, features in feeds.items():
            (tokens,) = stems[sense].run(None, {"features": features})
            (tokens,) = shared.run(None, {"tokens": tokens})
            heads[sense].run(None, {"token": np.ascontiguousarray(tokens[:, 0])})

    times = alternate({"whole": run_whole, "shared": run_shared}, options.rounds)
    parts = [p for p in folder.glob("*.onnx") if p.stem not in {s.value for s in SENSES}]
    found = {
        "times": times,
        "ratio": _ratio(times, "shared", "whole"),
        "whole_bytes": sum((folder / f"{sense}.onnx").stat().st_size for sense in SENSES),
        "shared_bytes": sum(path.stat().st_size for path in parts),
    }
    print(f"trunk: {found}", flush=True)
    return found


ROWS = {
    "encoders": encoders,
    "start": start,
    "overhead": overhead,
    "threads": threads,
    "trunk": trunk,
}
NEEDS = {
    "encoders": ("imagebind", "graphs"),
    "threads": ("imagebind",),
    "trunk": ("graphs",),
}


def main() -> None:
    """Measure some rows and write results/engines.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--row", action="append", choices=sorted(ROWS), help="all that can, if none"
    )
    parser.add_argument("--sense", action="append", type=Modality, help="of the encoders; all")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--imagebind", type=Path, help="bundle of benchmarks._imagebind")
    parser.add_argument("--graphs", type=Path, help="folder of benchmarks._engine_graphs")
    parser.add_argument("--cpu", type=int, help="run on this processor alone; not for threads")
    parser.add_argument("--out", type=Path, default=Path("results/engines.json"))
    options = parser.parse_args()
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    lacking = {
        name: [f"--{each}" for each in NEEDS.get(name, ()) if getattr(options, each) is None]
        for name in ROWS
    }
    results: dict[str, Any] = {"machine": describe(("numpy", "onnxruntime", "openvino", "torch"))}
    print(results["machine"]["cpu"], "load", results["machine"]["load_average"], flush=True)
    for name in options.row or [name for name in ROWS if not lacking[name]]:
        if lacking[name]:
            parser.error(f"--row {name} needs {' and '.join(lacking[name])}")
        results[name] = ROWS[name](options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
