# SPDX-License-Identifier: Apache-2.0
"""One plan on the GPU: everything in here belongs to the GPU's thread."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sensebind.backends.tensorrt import graphs
from sensebind.backends.tensorrt.logging import Collected, collecting_logger
from sensebind.backends.tensorrt.staging import Staged
from sensebind.backends.tensors import check_graph_tensor
from sensebind.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sensebind.backends.tensorrt.device import Device
    from sensebind.backends.tensorrt.library import Library
    from sensebind.specs import TensorSpec

Shapes = tuple[tuple[int, ...], ...]
"""Of the inputs of one run, in the manifest's order."""

_SAME = 1e-3
"""How far two runs on the same input may differ in an element of a vector of norm 1."""

_DTYPES = {"FLOAT": "float32", "HALF": "float16", "INT64": "int64"}


class Loading(NamedTuple):
    """What a network is made of.

    Attributes:
        name: of the plan, for messages.
        version_compatible: whether another version of TensorRT may have built it; such a plan
            brings code of its own.
        inputs: tensors it must take.
        output: tensor it must give.
    """

    name: str
    version_compatible: bool
    inputs: tuple[TensorSpec, ...]
    output: TensorSpec


class Network:
    """A plan with a stream, staging memory and what was recorded for each batch.

    Attributes:
        largest_batch: most rows of one run.
        graphs_off: why runs are not recorded as CUDA graphs; None if they are.
    """

    graphs_off: str | None = None

    def __init__(self, device: Device, library: Library, loading: Loading, plan: bytes) -> None:
        """Load the plan and allocate all it will ever need; its bytes are not kept.

        Raises:
            BackendError: TensorRT does not take the plan.
            BundleError: its tensors are not those of the manifest.
            pycuda.driver.Error: the GPU has not enough memory.
        """
        self._device, self._loading = device, loading
        self._messages = Collected()
        self._lanes: dict[Shapes, _Lane] = {}
        self._context: Any = None
        with ExitStack() as undo:
            undo.callback(self._drop)
            self._cleanup = ExitStack()
            undo.push(self._cleanup)
            self._load(library, loading, plan)
            self._allocate()
            undo.pop_all()
        self._driver = self._graphs()
        device.keep(self)

    def run(self, inputs: Mapping[str, NDArray[Any]], batch: int) -> NDArray[np.float32]:
        """One run of up to `largest_batch` rows; inputs by name as the manifest says.

        Raises:
            BackendError: TensorRT or the driver fails, or the network was freed.
            pycuda.driver.Error: the GPU fails.
        """
        if not self._device.holds(self):
            raise BackendError(f"the engine of {self._loading.name} is not on the GPU any more")
        shapes = tuple(inputs[spec.name].shape for spec in self._loading.inputs)
        for spec, staged in zip(self._loading.inputs, self._inputs, strict=True):
            np.copyto(staged.view(inputs[spec.name].shape), inputs[spec.name])
        lane = self._lanes.get(shapes) or self._new_lane(shapes, batch)
        lane.launch(self)
        self._finished.record(self._stream)
        self._finished.synchronize()  # sleeps: the cores have other work
        return np.array(self._output.view((batch, *self._dims)))

    def warm_up(self) -> None:
        """Run one row twice: the first settles TensorRT, the second is recorded and compared."""
        noise, example = np.random.default_rng(0), {}
        for spec, (_, usual, _) in zip(self._loading.inputs, self._limits, strict=True):
            shape = (1, *usual[1:])
            numbers = noise.standard_normal(shape) if spec.dtype != "int64" else np.ones(shape)
            example[spec.name] = numbers.astype(spec.dtype)
        first = self.run(example, 1)
        self._output.view(first.shape)[...] = np.nan
        if not np.allclose(first, self.run(example, 1), atol=_SAME, equal_nan=True):
            self._refuse_graphs("a recorded run gave other values than a queued one")

    def free(self) -> None:
        """Free everything; called once, by the device."""
        try:
            self._stream.synchronize()
            for lane in self._lanes.values():
                lane.free()
        finally:
            self._drop()
            self._cleanup.close()

    def queue(self, context: Any, shapes: Shapes, batch: int) -> None:  # noqa: ANN401
        """Queue copies and computation of one run."""
        for staged, shape in zip(self._inputs, shapes, strict=True):
            staged.queue_upload(shape, self._stream)
        if not context.execute_async_v3(self._stream.handle):
            raise BackendError(
                f"TensorRT cannot run {self._loading.name} on inputs of shape {list(shapes)}: "
                f"{self._messages.errors() or 'it gave no reason'}"
            )
        self._output.queue_download((batch, *self._dims), self._stream)

    def record(self, context: Any, shapes: Shapes, batch: int) -> graphs.Graph | None:  # noqa: ANN401
        """Record such a run, after the first one; None where that is off."""
        if self._driver is None:
            return None
        handle = self._stream.handle
        try:
            return graphs.record(self._driver, handle, lambda: self.queue(context, shapes, batch))
        except BackendError as error:
            self._refuse_graphs(str(error))
            return None

    def launch(self, graph: graphs.Graph) -> None:
        """Queue a recorded run."""
        graph.launch(self._stream.handle)

    def _load(self, library: Library, loading: Loading, plan: bytes) -> None:
        trt = library.trt
        self._logger = collecting_logger(trt, self._messages)
        runtime = trt.Runtime(self._logger)
        if loading.version_compatible:
            runtime.engine_host_code_allowed = True
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise BackendError(
                f"{library.name} {library.version} does not take {loading.name}: "
                f"{self._messages.errors() or 'it gave no reason'}; build the plan again with "
                "sensebind engine build --force"
            )
        self._runtime, self._engine, self._trt = runtime, engine, trt
        for role, spec in [*(("input", s) for s in loading.inputs), ("output", loading.output)]:
            self._check(role, spec)
        self._limits = [
            tuple(tuple(dims) for dims in engine.get_tensor_profile_shape(spec.name, 0))
            for spec in loading.inputs
        ]
        least, _, largest = self._limits[0]
        if least[0] > 1:
            raise BackendError(
                f"{loading.name} takes batches of {least[0]} to {largest[0]}; a robot needs single "
                f"windows: build it again with --batch 1,{least[0]},{largest[0]}"
            )
        self.largest_batch = int(largest[0])
        self._dims = tuple(int(axis) for axis in loading.output.shape[1:])

    def _check(self, role: str, spec: TensorSpec) -> None:
        """See that the plan has a tensor as the manifest says."""
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        name = spec.name if spec.name in names else ", ".join(names)
        dtype = ""
        shape: tuple[int | None, ...] = ()
        if spec.name in names:
            dtype = str(self._engine.get_tensor_dtype(spec.name)).rpartition(".")[2]
            shape = tuple(None if n < 0 else n for n in self._engine.get_tensor_shape(spec.name))
        where = f"{self._loading.name}: {role}"
        check_graph_tensor(where, spec, name, _DTYPES.get(dtype, dtype), shape)

    def _allocate(self) -> None:
        cuda, keep = self._device.cuda, self._cleanup.callback
        self._stream = cuda.Stream()
        flags = cuda.event_flags
        self._finished = cuda.Event(flags.BLOCKING_SYNC | flags.DISABLE_TIMING)
        self._scratch_bytes = max(int(self._engine.device_memory_size_v2), 1)
        self._scratch = cuda.mem_alloc(self._scratch_bytes)
        keep(self._scratch.free)
        self._inputs = []
        for spec, (_, _, largest) in zip(self._loading.inputs, self._limits, strict=True):
            self._inputs.append(Staged(self._device, spec.dtype, largest))
            keep(self._inputs[-1].free)
        shape = (self.largest_batch, *self._dims)
        self._output = Staged(self._device, self._loading.output.dtype, shape)
        keep(self._output.free)

    def _graphs(self) -> Any:  # noqa: ANN401
        """The driver that records graphs; None, with the reason kept, where none are."""
        if any(isinstance(axis, str) for spec in self._loading.inputs for axis in spec.shape[1:]):
            self.graphs_off = "inputs have no fixed length"
            return None
        driver = graphs.open_driver()
        if driver is None:
            self.graphs_off = graphs.NOT_INSTALLED
        return driver

    def _refuse_graphs(self, reason: str) -> None:
        """Queue every run from now on."""
        self._driver, self.graphs_off = None, reason
        for lane in self._lanes.values():
            lane.free()
        self._lanes = {}

    def _new_lane(self, shapes: Shapes, batch: int) -> _Lane:
        """Prepare runs of these shapes: a context of their own where they are recorded."""
        if self._driver is None and self._context is not None:
            context = self._context
        else:
            context = self._context = self._new_context()
        for spec, shape in zip(self._loading.inputs, shapes, strict=True):
            context.set_input_shape(spec.name, shape)
        lane = _Lane(context, shapes, batch)
        if self._driver is not None:
            self._lanes[shapes] = lane
        return lane

    def _new_context(self) -> Any:  # noqa: ANN401
        """A context on the one scratch memory: runs of a network follow each other."""
        context = self._engine.create_execution_context(
            self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        if context is None:
            raise BackendError(
                f"TensorRT cannot prepare {self._loading.name}: "
                f"{self._messages.errors() or 'it gave no reason'}"
            )
        context.set_device_memory(int(self._scratch), self._scratch_bytes)
        tensors = [*self._loading.inputs, self._loading.output]
        for spec, staged in zip(tensors, [*self._inputs, self._output], strict=True):
            context.set_tensor_address(spec.name, staged.address)
        return context

    def _drop(self) -> None:
        """Let go of what frees itself; here, in the GPU's thread."""
        self._lanes = {}
        self._context = self._engine = self._runtime = None
        self._finished = self._stream = None


class _Lane:
    """Runs of the same shapes: queued one by one at first, then recorded."""

    def __init__(self, context: Any, shapes: Shapes, batch: int) -> None:  # noqa: ANN401
        self._context = context
        self._shapes = shapes
        self._batch = batch
        self._graph: graphs.Graph | None = None
        self._settled = False

    def launch(self, network: Network) -> None:
        """Queue a run."""
        if self._settled and self._graph is None:
            self._graph = network.record(self._context, self._shapes, self._batch)
        if self._graph is not None:
            network.launch(self._graph)
        else:
            network.queue(self._context, self._shapes, self._batch)
        # The first run does what TensorRT leaves for later, which cannot be recorded.
        self._settled = True

    def free(self) -> None:
        """Free the recorded run."""
        if self._graph is not None:
            self._graph.free()
            self._graph = None
