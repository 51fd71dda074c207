# SPDX-License-Identifier: Apache-2.0
"""`sensebind bench`: how fast a recording is encoded on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sensebind.cli import output
from sensebind.cli.options import (
    BundleOption,
    CalibrationOption,
    HopOption,
    JsonOption,
    ThreadsOption,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensebind.bench.results import BenchResult, Comparison
    from sensebind.config import PipelineConfig
    from sensebind.metrics.histogram import Summary
    from sensebind.sources.base import Source

    Found = TypeVar("Found", BenchResult, Comparison)


def bench(
    recording: Annotated[
        list[Path], typer.Argument(metavar="RECORDING", help="What `sensebind replay` reads.")
    ],
    bundle: BundleOption = "demo",
    stream: Annotated[
        list[str] | None,
        typer.Option("--stream", metavar="TOPIC=MODALITY[,KEY=VALUE…]", help="As of `replay`."),
    ] = None,
    calibration: CalibrationOption = None,
    hop: HopOption = None,
    backend: Annotated[
        str,
        typer.Option(
            "--backend", metavar="NAME[,NAME…]", help="Engine backend; several are compared."
        ),
    ] = "auto",
    threads: ThreadsOption = None,
    windows: Annotated[
        int, typer.Option("--windows", metavar="N", help="Windows to measure in the replay.")
    ] = 1000,
    trial: Annotated[
        float,
        typer.Option("--trial", metavar="SECONDS", help="Length of each live trial; 0 for none."),
    ] = 5.0,
    bound: Annotated[
        float,
        typer.Option("--bound", metavar="MS", help="Longest service time, of 99 in 100 windows."),
    ] = 100.0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Also write the JSON to a file.")
    ] = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Measure a recording: windows per second, each stage's percentiles, the fastest live run."""
    from sensebind.bench import bench as measure_bundle
    from sensebind.bench.compare import compare
    from sensebind.bundle import Bundle
    from sensebind.cli.settings import pipeline_config
    from sensebind.sinks import check_place
    from sensebind.sources import open_source

    if out is not None:
        check_place(out)
    configs = [
        pipeline_config(stream or (), hop, name.strip(), threads, None, calibration)
        for name in backend.split(",")
    ]
    config, tell = configs[0], output.note if json else output.say

    def open_recording() -> "Source":
        return open_source(recording)

    def measure(loaded: Bundle, config: "PipelineConfig") -> "BenchResult":
        tell(f"bundle {loaded.name}, backend {loaded.backend} ({loaded.backend_reason})")
        return measure_bundle(
            open_recording,
            loaded,
            config,
            windows=windows,
            trial_s=trial,
            bound_ms=bound,
            tell=tell,
        )

    if len(configs) > 1:
        names = [each.backend for each in configs]
        comparison = compare(open_recording, bundle, config, names, measure, tell)
        _finish(comparison, out, json, _show_comparison)
        return
    with Bundle.load(bundle, backend=config.backend, threads=config.threads) as loaded:
        result = measure(loaded, config)
    _finish(result, out, json, _show)


def _finish(found: "Found", out: Path | None, json: bool, show: "Callable[[Found], None]") -> None:
    import msgspec

    if out is not None:
        out.write_bytes(msgspec.json.encode(found) + b"\n")
    if json:
        output.show_json(found)
    else:
        show(found)


def _show_comparison(found: "Comparison") -> None:
    results = found.results
    rows: list[list[object]] = [
        ["precision", *(result.precision for result in results)],
        ["windows per second", *(round(result.replay.windows_per_s) for result in results)],
    ]
    for stream in results[0].replay.latency:
        times = (result.replay.latency[stream]["infer"].p50_ms for result in results)
        rows.append([f"{stream}: infer, p50 ms", *(round(ms, 2) for ms in times)])
    for stream in results[0].replay.latency:
        cosines = (least.get(stream) for least in found.least_cosines.values())
        told = ("-" if cosine is None else f"{cosine:.5f}" for cosine in cosines)
        rows.append([f"{stream}: least cosine to the first", *told])
    output.say("\n" + output.table(["", *(result.backend for result in results)], rows))
    for name, reason in found.not_run.items():
        output.say(f"{name}: NOT RUN: {reason}")


def _show(result: "BenchResult") -> None:
    machine, replay, live = result.machine, result.replay, result.live
    governor = f", governor {machine.governor}" if machine.governor else ""
    output.say(
        f"\n{result.source} on {machine.cpu or machine.architecture}, {machine.cores} cores"
        f"{governor}, load {machine.load_average[0]:.1f} before; {result.warm_up}"
    )
    output.say(f"\nreplay of {replay.windows} windows, milliseconds (waits are back-pressure's)")
    output.say(_latencies(replay.latency, replay.timer))
    if live is None:
        return
    found = next((trial for trial in live.trials if trial.factor == live.factor), None)
    if found is None:
        output.say("\nlive: no multiple of real time that was tried was sustained")
        return
    output.say(f"\nlive at {found.factor:.2f} times real time, {found.windows} windows")
    output.say(_latencies(found.latency, found.timer))
    output.say(f"it is the {live.definition} ({live.bound_ms:g} ms)")


def _latencies(latency: "Mapping[str, Mapping[str, Summary]]", timer: "Summary") -> str:
    rows = [
        _row(stream, quantity.replace("_", " "), summary)
        for stream, quantities in latency.items()
        for quantity, summary in quantities.items()
    ]
    headers = ["stream", "time of", "count", "p50", "p95", "p99", "max"]
    return output.table(headers, [*rows, _row("(a bare timer)", "lateness", timer)])


def _row(stream: str, quantity: str, summary: "Summary") -> list[object]:
    times_ms = (summary.p50_ms, summary.p95_ms, summary.p99_ms, summary.max_ms)
    return [stream, quantity, summary.count, *(round(ms, 2) for ms in times_ms)]
