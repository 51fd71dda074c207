# SPDX-License-Identifier: Apache-2.0
"""What a board has to give: memory for engines, clock rates, disk."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sensebind.doctor.asking import content_of
from sensebind.doctor.finding import Finding
from sensebind.metrics.machine import this_machine
from sensebind.preprocess._compile import kernel_cache
from sensebind.storage import cache_folder, chosen_cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.bundle_folder import BundleFolder

_LOADED, _BASE_BYTES = 1.1, 15_000_000
"""Resident bytes of an engine on the CPU, at least: so many times its graph's file, and once this.
Measured with ONNX Runtime 1.31 on graphs of 1 to 345 MB, which took 1.0 to 1.1 times their size;
a text tower whose weights are kept as INT8 took 3.1 times its."""
_LEAST_FREE_BYTES = 1_000_000_000
_POWER = "/var/lib/nvpmodel/status"
_CPU_FREQUENCY = "/sys/devices/system/cpu/cpu0/cpufreq"


def clock_rates() -> Iterator[Finding]:
    """Processor, its load, and whether it may slow down."""
    machine = this_machine()
    load = machine.load_average[0]
    said = f"{machine.cpu}, {machine.cores} cores ({machine.architecture}), load {load:.1f}"
    if load > machine.cores:
        yield Finding(
            "board", "note", f"{said}: others use it too", "close them before you measure anything"
        )
    else:
        yield Finding("board", "ok", said)
    if machine.governor and machine.governor != "performance":
        yield Finding(
            "board",
            "note",
            f"the clock rate follows the load (governor {machine.governor}): the first windows "
            "after a pause take longer",
            "for even latency: sudo jetson_clocks on a Jetson, or the governor 'performance'",
        )
    mode = re.search(r"pmode:(\d+)", content_of(_POWER))
    if mode is not None:
        yield Finding(
            "board",
            "ok" if int(mode[1]) == 0 else "note",
            f"power mode {int(mode[1])} of nvpmodel",
            "" if int(mode[1]) == 0 else "sudo nvpmodel -m 0 allows the most power on most boards",
        )


def memory(bundle: BundleFolder) -> Iterator[Finding]:
    """Whether the bundle's engines fit into what is free."""
    free = _available_bytes()
    if free is None:
        yield Finding("memory", "note", "this system does not tell how much memory is free")
        return
    needs = {modality.value: _engine_bytes(bundle, e.onnx)
             for modality, e in bundle.manifest.encoders.items()}  # fmt: skip
    total = sum(needs.values())
    listed = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in sorted(needs.items()))
    said = (
        f"{free / 1e9:.1f} GB are free; the engines of {bundle.argument} take at least "
        f"{total / 1e6:.0f} MB on the CPU ({listed})"
    )
    if total < 0.8 * free:
        yield Finding("memory", "ok", said)
        return
    kept: list[str] = []
    for name in sorted(needs, key=needs.__getitem__):
        if sum(needs[each] for each in [*kept, name]) < 0.8 * free:
            kept.append(name)
    fit = f"{', '.join(kept)} fit together" if kept else "none of them fits"
    yield Finding(
        "memory",
        "warning",
        f"{said}: {fit}",
        "take fewer streams (an engine is opened when its first stream is), make half-size engines "
        "(sensebind export --fp16, sensebind engine build), or add swap",
    )


def _engine_bytes(bundle: BundleFolder, onnx: str) -> float:
    files = [bundle.path / onnx, bundle.path / f"{onnx}.data"]
    return _BASE_BYTES + _LOADED * sum(f.stat().st_size for f in files if f.is_file())


def _available_bytes() -> int | None:
    told = re.search(r"MemAvailable:\s+(\d+) kB", content_of("/proc/meminfo"))
    return None if told is None else int(told[1]) * 1024


def caches() -> Iterator[Finding]:
    """Where compiled kernels and plans are kept, and whether that lasts."""
    folder, chosen = cache_folder(), chosen_cache_folder()
    if folder != chosen:
        yield Finding(
            "cache",
            "warning",
            f"{chosen or 'the cache folder'} cannot be written: kernels are compiled at every "
            "start, which takes up to half a minute",
            "let this user write it, or name another with SENSEBIND_CACHE",
        )
        return
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    yield Finding("cache", "ok", f"{folder} holds {size / 1e6:.0f} MB")
    if not any(Path(kernel_cache()).rglob("*.nbc")):
        yield Finding(
            "cache",
            "note",
            "no kernel is compiled yet: the first start takes longer",
            "sensebind warmup",
        )
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE_BYTES:
        yield Finding(
            "disk", "warning", f"{free / 1e6:.0f} MB are free at {folder}", "make some room"
        )
    else:
        yield Finding("disk", "ok", f"{free / 1e9:.1f} GB are free at {folder}")
