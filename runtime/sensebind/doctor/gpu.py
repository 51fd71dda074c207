# SPDX-License-Identifier: Apache-2.0
"""GPU, driver, JetPack and TensorRT, and whether they go together."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from sensebind.backends.tensorrt.library import NAMES, open_library
from sensebind.doctor.asking import content_of, has_module, version_of
from sensebind.doctor.finding import Finding
from sensebind.errors import MissingExtraError
from sensebind.gpu import find_gpu
from sensebind.plans import all_plans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensebind.backends.tensorrt.library import Library

_JETPACKS = {"35": 5, "36": 6, "38": 7, "39": 7}
"""Release of Jetson Linux to the JetPack it belongs to (NVIDIA, JetPack archive)."""
_PYTHONS = {6: (3, 10), 7: (3, 12)}
"""JetPack to its Python, whose `tensorrt` a virtual environment sees."""


def jetson() -> Iterator[Finding]:
    """Which Jetson this is."""
    told = content_of("/etc/nv_tegra_release")
    match = re.search(r"R(\d+).*?REVISION: ([\d.]+)", told)
    if match is None:
        yield Finding("jetson", "ok", "this is no Jetson")
        return
    release, model = ".".join(match.groups()), content_of("/proc/device-tree/model") or "a Jetson"
    jetpack = _JETPACKS.get(match[1])
    if jetpack is None or jetpack < min(_PYTHONS):
        yield Finding(
            "jetson",
            "warning",
            f"{model} with Jetson Linux {release}, SenseBind is made for JetPack 6 and 7",
            "flash JetPack 6 or 7",
        )
        return
    yield Finding("jetson", "ok", f"{model}, Jetson Linux {release} (JetPack {jetpack})")
    if sys.version_info[:2] != _PYTHONS[jetpack]:
        wanted = ".".join(map(str, _PYTHONS[jetpack]))
        yield Finding(
            "jetson",
            "warning",
            f"JetPack {jetpack}'s TensorRT is for Python {wanted}, this is "
            f"{sys.version_info[0]}.{sys.version_info[1]}",
            f"make the environment with python{wanted} -m venv --system-site-packages",
        )


def driver() -> Iterator[Finding]:
    """The GPU."""
    gpu = find_gpu()
    if not gpu.name:
        yield Finding(
            "gpu", "note", "no NVIDIA GPU or driver was found: encoders run on the CPU", ""
        )
        return
    yield Finding("gpu", "ok", f"{gpu.name}, generation {gpu.sm}, CUDA {gpu.driver} of the driver")


def tensorrt() -> Iterator[Finding]:
    """Modules that run plans, as this environment sees them."""
    gpu = find_gpu()
    versions = [f"{library.name} {library.version}" for library in _libraries()]
    if not gpu.name:
        found = ", ".join(versions) or "no TensorRT"
        yield Finding("tensorrt", "ok", f"{found}; without a GPU none is needed")
        return
    if versions:
        yield Finding("tensorrt", "ok", ", ".join(versions))
    else:
        yield Finding("tensorrt", "warning", "this environment sees no TensorRT", _SEE)
    if not has_module("pycuda"):
        yield Finding(
            "tensorrt", "warning", "pycuda is not installed", "pip install 'sensebind[tensorrt]'"
        )
    if not version_of("cuda-bindings"):
        yield Finding(
            "tensorrt",
            "note",
            "cuda-bindings is not installed: plans run without CUDA graphs",
            "pip install cuda-bindings",
        )
    yield from _compatible(gpu.driver)


def _libraries() -> Iterator[Library]:
    for name in NAMES:
        with suppress(MissingExtraError):
            yield open_library(name)


def _compatible(driver: str) -> Iterator[Finding]:
    """Whether what pip installed goes with the driver and with itself."""
    major = int(driver.split(".", maxsplit=1)[0])
    for package in ("tensorrt-cu12", "tensorrt-cu13", "tensorrt-rtx-cu13-libs"):
        needs = int(package.split("cu")[1][:2])
        if version_of(package) and needs > major:
            yield Finding(
                "tensorrt",
                "warning",
                f"{package} {version_of(package)} needs a driver of CUDA {needs}, this one is of "
                f"CUDA {driver}",
                f"update the driver, or install a TensorRT of CUDA {major}",
            )
    if version_of("onnxruntime") and version_of("onnxruntime-gpu"):
        yield Finding(
            "tensorrt",
            "warning",
            "onnxruntime and onnxruntime-gpu overwrite each other's files",
            "pip uninstall onnxruntime-gpu onnxruntime; pip install onnxruntime",
        )


_SEE = (
    "on a Jetson: apt install python3-libnvinfer, in an environment made with "
    "--system-site-packages (never pip install tensorrt there); elsewhere pip install tensorrt, or "
    "pip install 'sensebind[tensorrt-rtx]'"
)


def plans() -> Iterator[Finding]:
    """What was built for this user."""
    kept, damaged = all_plans()
    for told in damaged:
        yield Finding("plans", "warning", told, "build it again: sensebind engine build --force")
    for plan in kept:
        harm = plan.damage()
        if harm is not None:
            yield Finding("plans", "warning", harm, "sensebind engine build --force")
    size = sum(plan.record.bytes for plan in kept)
    unverified = [plan for plan in kept if plan.record.verified is None]
    yield Finding("plans", "ok", f"{len(kept)} kept, {size / 1e6:.0f} MB")
    if unverified and find_gpu().name:
        yield Finding(
            "plans",
            "warning",
            f"{len(unverified)} never compared with the golden vectors on this GPU",
            "sensebind engine verify BUNDLE",
        )
