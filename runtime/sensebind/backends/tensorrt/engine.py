# SPDX-License-Identifier: Apache-2.0
"""A plan as an engine for everybody: used from any thread, run in the GPU's."""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.backends.tensorrt.choice import PlanRequest, find_fitting
from sensebind.backends.tensorrt.device import free_on_device, on_device, post
from sensebind.backends.tensorrt.library import open_library
from sensebind.backends.tensorrt.network import Loading, Network
from sensebind.backends.tensors import check_inputs, check_output
from sensebind.errors import BackendError, SenseBindError
from sensebind.gpu import find_gpu

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from numpy.typing import NDArray

    from sensebind.backends.tensorrt.device import Device
    from sensebind.backends.tensorrt.library import Library
    from sensebind.plans import Plan
    from sensebind.specs import TensorSpec

    Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class TensorRtEngine:
    """One plan on the GPU. Any thread may use it, one after the other.

    Attributes:
        backend: "tensorrt" or "tensorrt-rtx".
        precision: of the graph the plan was built from.
        graphs_off: why runs are not recorded as CUDA graphs; None if they are.
        zero_copy: whether features and vectors lie where the GPU works on them.
    """

    def __init__(
        self,
        library: Library,
        plan: Plan,
        inputs: tuple[TensorSpec, ...],
        output: TensorSpec,
    ) -> None:
        """Load a plan, allocate all it needs and run it for the first times.

        Raises:
            BackendError: the plan was changed, or does not load or run on this GPU.
            BundleError: its tensors are not those of the manifest.
            MissingExtraError: pycuda is not installed.
        """
        record = plan.record
        self.backend: str = library.name
        self.precision: str = record.precision
        self._inputs, self._output = inputs, output
        self._name = f"the plan {plan.path}"
        compatible = bool(record.key.options.get("version_compatible"))
        loading, content = Loading(self._name, compatible, inputs, output), plan.read()

        def load(device: Device) -> tuple[Network, bool]:
            network = Network(device, library, loading, content)
            try:
                network.warm_up()
            except BaseException:
                device.let_go(network)
                raise
            return network, device.integrated

        self._network, self.zero_copy = self._asked(load)
        self.graphs_off = self._network.graphs_off
        # If nobody closes it: a finalizer may run in any thread and must not wait.
        self._finalizer = weakref.finalize(self, _post_freeing, self._network)
        self._finalizer.atexit = False  # the device frees what is left, in its own thread

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Run one batch: inputs by name with a leading batch axis, output float32 (batch, dim).

        A batch that is larger than the plan's largest is run in parts.

        Raises:
            InputError: if an input's name, dtype or shape is not the manifest's.
            BackendError: if the run fails or the engine is closed.
        """
        batch = check_inputs(self._inputs, inputs)
        if not self._finalizer.alive:
            raise BackendError(f"the engine of {self._name} is closed; load the bundle again")
        most = self._network.largest_batch
        if batch <= most:
            result = self._run(inputs, batch)
        else:
            starts = range(0, batch, most)
            parts = [{n: array[i : i + most] for n, array in inputs.items()} for i in starts]
            result = np.concatenate([self._run(p, len(next(iter(p.values())))) for p in parts])
        check_output(self._output, result, batch)
        return result

    def close(self) -> None:
        """Free everything on the GPU; on one that hangs, once it answers."""
        if self._finalizer.detach() is None:
            return
        try:
            free_on_device(self._network)
        except BackendError as error:
            _log.warning("%s is not freed yet: %s", self._name, error)
            _post_freeing(self._network)

    def _run(self, inputs: dict[str, NDArray[Any]], batch: int) -> NDArray[np.float32]:
        return self._asked(lambda _: self._network.run(inputs, batch))

    def _asked(self, work: Callable[[Device], Result]) -> Result:
        try:
            return on_device(work)
        except SenseBindError:
            raise
        except Exception as error:
            advice = (
                "; close other programs, or build smaller plans with --batch 1,1,1"
                if type(error).__name__ == "MemoryError"
                else ""
            )
            raise BackendError(f"the GPU failed on {self._name}: {error}{advice}") from error


def _post_freeing(network: Network) -> None:
    post(lambda device: device.let_go(network))


def open_engine(
    backend: str,
    inputs: tuple[TensorSpec, ...],
    output: TensorSpec,
    request: PlanRequest,
) -> TensorRtEngine:
    """Load the plan that fits an encoder, this TensorRT and this GPU.

    Raises:
        BackendError: there is no GPU, no plan fits, or it does not run.
        InputError: no such backend.
        MissingExtraError: TensorRT or pycuda is not installed.
    """
    library, gpu = open_library(backend), find_gpu()
    if not gpu.name:
        raise BackendError(
            f"{backend} needs an NVIDIA GPU and its driver, and none was found; use "
            "--backend onnxruntime"
        )
    plan = find_fitting(request, library, gpu)
    engine = TensorRtEngine(library, plan, inputs, output)
    if plan.record.verified is None:
        _log.warning(
            "the plan of %s was not compared with the golden FP32 vectors on this GPU; do so with: "
            "sensebind engine verify %s --backend %s",
            request.modality, request.argument, backend,
        )  # fmt: skip
    if engine.graphs_off is not None and request.modality != "text":
        _log.warning("CUDA graphs of %s are off: %s", request.modality, engine.graphs_off)
    return engine
