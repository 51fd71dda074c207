# SPDX-License-Identifier: Apache-2.0
"""Which plans a service wants, and what this machine makes them with."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from sensebind.backends.tensorrt.choice import find_fitting
from sensebind.backends.tensorrt.library import NAMES, Library, open_library
from sensebind.bundle import Bundle
from sensebind.errors import BackendError, MissingExtraError
from sensebind.flow.selection import select
from sensebind.gpu import Gpu, find_gpu
from sensebind.plan_request import plan_request
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sensebind.backends.tensorrt.choice import PlanRequest
    from sensebind.bundle_folder import BundleFolder
    from sensebind.plans import Plan
    from sensebind.robot.config import EnginesConfig, RobotConfig
    from sensebind.sources.base import LiveSource


class Here(NamedTuple):
    """TensorRT and GPU of this machine."""

    library: Library
    gpu: Gpu

    def plan_of(self, request: PlanRequest) -> Plan | None:
        """The plan that an encoder would run; None if none fits."""
        try:
            return find_fitting(request, self.library, self.gpu)
        except BackendError:
            return None


def tensorrt_here(backend: str) -> Here:
    """What plans are built with, and for; with "auto", by the first TensorRT that is installed.

    Raises:
        BackendError: there is no GPU.
        MissingExtraError: TensorRT or pycuda is not installed.
    """
    gpu = find_gpu()
    if not gpu.name:
        raise BackendError(
            "plans are built on the GPU that runs them, and no NVIDIA GPU or driver was found; see "
            "that nvidia-smi or (Jetson) tegrastats works, or set engines.build to false"
        )
    if find_spec("pycuda") is None:
        raise MissingExtraError("Running plans (pycuda)", "tensorrt")
    for name in NAMES if backend == "auto" else ():
        with suppress(MissingExtraError):
            return Here(open_library(name), gpu)
    return Here(open_library(NAMES[0] if backend == "auto" else backend), gpu)


def asked_backend(config: RobotConfig) -> str:
    """What a service's bundle is loaded for: plans asked for by name may be lacking meanwhile."""
    engines = config.engines
    meanwhile = engines.build and engines.meanwhile == "cpu" and config.backend in NAMES
    return "auto" if meanwhile else config.backend


def load_bundle(config: RobotConfig) -> Bundle:
    """The bundle of a service; see `asked_backend`.

    Raises:
        BundleError: there is no such bundle.
        BackendError, MissingExtraError: as `tensorrt_here`, for a backend asked for by name.
    """
    backend = asked_backend(config)
    if backend != config.backend:
        tensorrt_here(config.backend)  # what can never be built is not waited for
    return Bundle.load(config.bundle, backend=backend, threads=config.threads)


def modalities_of(
    sources: Sequence[LiveSource], bundle: Bundle, config: RobotConfig
) -> set[Modality]:
    """What the streams of these devices will be encoded as.

    Raises:
        InputError, SourceError: as the beginning of a run would.
    """
    windowed = [modality for modality, spec in bundle.manifest.encoders.items() if spec.window]
    selections, _ = select(sources, windowed, config)
    return {stream.modality for each in selections for stream in each.streams.values()}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which plans are wanted, and how they are made."""

    bundle: Bundle
    backend: str
    engines: EnginesConfig
    modalities: frozenset[Modality]

    @classmethod
    def of(cls, bundle: Bundle, config: RobotConfig, modalities: Iterable[Modality]) -> Wanted:
        """The plans of a run: those of its streams and, if nothing may be without, of its texts."""
        only_plans = config.engines.meanwhile == "wait" and config.backend != "auto"
        texts = {Modality.TEXT} if only_plans and config.prompts is not None else set()
        return cls(bundle, config.backend, config.engines, frozenset(modalities) | texts)

    def requests(self) -> list[PlanRequest]:
        """What the encoders ask of plans, the smallest encoder first: most senses move soon."""
        folder = self.bundle.folder
        ordered = sorted(self.modalities, key=lambda modality: (_bytes(folder, modality), modality))
        return [plan_request(folder, modality) for modality in ordered]


def _bytes(folder: BundleFolder, modality: Modality) -> int:
    files = folder.manifest.files
    return min(sum(files[n].bytes for n in names) for names in folder.graphs(modality).values())
