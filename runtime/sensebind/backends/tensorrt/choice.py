# SPDX-License-Identifier: Apache-2.0
"""Which plan of this user's cache fits an encoder, this TensorRT and this GPU."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from sensebind.backends.tensorrt.library import NAMES, Library, open_library
from sensebind.errors import BackendError, MissingExtraError
from sensebind.gpu import Gpu, find_gpu, has_driver
from sensebind.plans import all_plans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind.plans import Plan, PlanRecord
    from sensebind.types import Modality

_AMPERE = 80


class PlanRequest(NamedTuple):
    """What an encoder asks of a plan.

    Attributes:
        bundle: name of the bundle.
        argument: what commands take for it.
        modality: of the encoder.
        graphs: SHA-256 of the files of each of its graphs; a plan is built from one of them.
        least_cosine: to the golden FP32 vectors; a plan that was seen to have less is refused.
    """

    bundle: str
    argument: str
    modality: Modality
    graphs: tuple[tuple[str, ...], ...]
    least_cosine: float

    def build_command(self, backend: str) -> str:
        """How the plan is built."""
        return (
            f"sensebind engine build {self.argument} --backend {backend} --modality {self.modality}"
        )


def find_fitting(request: PlanRequest, library: Library, gpu: Gpu) -> Plan:
    """The plan to run: half precision before FP32, verified before not, newer before older.

    Its bytes are not looked at yet.

    Raises:
        BackendError: none fits, with what is different and how one is built.
    """
    return max(all_fitting(request, library, gpu), key=_preference)


def all_fitting(request: PlanRequest, library: Library, gpu: Gpu) -> list[Plan]:
    """Every plan that serves, at least one.

    Raises:
        BackendError: none does, with what is different and how one is built.
    """
    plans, damaged = all_plans()
    reasons = {id(plan): _unfit(plan.record, request, library, gpu) for plan in plans}
    fitting = [plan for plan in plans if reasons[id(plan)] is None]
    if fitting:
        return fitting
    near = [
        f"plan {plan.folder.name[:12]} {reasons[id(plan)]}"
        for plan in plans
        if plan.record.modality is request.modality and plan.record.bundle == request.bundle
    ]
    told = "; ".join([*near, *damaged]) or "none was built"
    raise BackendError(
        f"no plan of {request.modality} fits {library.name} {library.version} on {gpu.name}: "
        f"{told}. Build one with: {request.build_command(library.name)}"
    )


def choose(requests: Sequence[PlanRequest]) -> tuple[str | None, str]:
    """The TensorRT that has a plan for at least one encoder, and why in words.

    Looks at what costs least first: TensorRT is imported where there are plans for it alone.

    Returns:
        the backend's name and the reason; None and the reason where there is none.
    """
    if not has_driver():
        return None, "no NVIDIA GPU or driver was found"
    graphs = {graph for request in requests for graph in request.graphs}
    records = [plan.record for plan in all_plans()[0]]
    built = {record.key.backend for record in records if record.key.onnx_sha256 in graphs}
    if not built:
        argument = requests[0].argument if requests else "BUNDLE"
        return None, f"no plan was built for the GPU (sensebind engine build {argument})"
    gpu = find_gpu()
    if not gpu.name:
        return None, "no NVIDIA GPU was found, although a driver is here"
    if find_spec("pycuda") is None:
        return None, (
            f"{gpu.name} is there, but pycuda is not installed (pip install 'sensebind[tensorrt]')"
        )
    reasons = []
    for name in (name for name in NAMES if name in built):
        try:
            library = open_library(name)
        except MissingExtraError:
            reasons.append(f"{name} is not installed")
            continue
        lacking = [r for r in requests if not _is_served(r, records, library, gpu)]
        if len(lacking) < len(requests):
            return name, _told(library, gpu, lacking)
        explain = f"sensebind engine explain {requests[0].argument} --backend {name}"
        reasons.append(f"no plan fits {name} {library.version} (see {explain})")
    return None, f"{gpu.name} is there, but {'; '.join(reasons)}"


def _told(library: Library, gpu: Gpu, lacking: Sequence[PlanRequest]) -> str:
    rest = ""
    if lacking:
        names = ", ".join(request.modality.value for request in lacking)
        rest = f"; no plan fits {names}, computed by the CPU"
    return f"{library.name} {library.version} on {gpu.name}{rest}"


def _is_served(
    request: PlanRequest, records: Sequence[PlanRecord], library: Library, gpu: Gpu
) -> bool:
    return any(_unfit(record, request, library, gpu) is None for record in records)


def _preference(plan: Plan) -> tuple[bool, bool, int]:
    return (
        plan.record.precision == "fp16",
        plan.record.verified is not None,
        plan.path.stat().st_mtime_ns if plan.path.is_file() else 0,
    )


def _unfit(record: PlanRecord, request: PlanRequest, library: Library, gpu: Gpu) -> str | None:
    """Why a plan does not serve, None if it does."""
    key, options = record.key, record.key.options
    if key.onnx_sha256 not in request.graphs:
        return "was built from another graph"
    if key.backend != library.name:
        return f"is for {key.backend}"
    if key.version != library.version and not options.get("version_compatible"):
        return f"was built by version {key.version}"
    if library.name == "tensorrt-rtx":
        generations = options.get("compute_capabilities")
        if not isinstance(generations, list) or gpu.sm not in generations:
            return f"is for the GPU generations {generations}, this is {gpu.sm}"
    elif (told := _foreign(key.gpu, key.sm, key.driver, options.get("hardware"), gpu)) is not None:
        return told
    seen = record.verified
    if seen is not None and seen.least_cosine < request.least_cosine:
        fix = " (build it with --precision fp32)" if record.precision == "fp16" else ""
        return (
            f"has a cosine of {seen.least_cosine:.5f} to the golden FP32 vectors, the bundle asks "
            f"for {request.least_cosine:g}{fix}"
        )
    return None


def _foreign(name: str, sm: str, driver: str, hardware: object, gpu: Gpu) -> str | None:
    """How the GPU a plan was built for is not this one, as far as that matters."""
    if driver != gpu.driver:
        return f"was built under the driver's CUDA {driver}, this is {gpu.driver}"
    if hardware == "ampere_plus" and min(int(sm), int(gpu.sm)) >= _AMPERE:
        return None
    if sm != gpu.sm or (hardware != "same_compute_capability" and name != gpu.name):
        return f"is for {name} (generation {sm}), this is {gpu.name} ({gpu.sm})"
    return None
