# SPDX-License-Identifier: Apache-2.0
"""An EMULATED TensorRT: plans that hold an ONNX graph, run by ONNX Runtime in the stream's queue.

Of the module it has what the backend calls and nothing else. Its values are ONNX Runtime's; its
times mean nothing.
"""

from __future__ import annotations

import ctypes
import enum
from math import prod
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import onnxruntime as ort

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.support.emulated.driver import EmulatedDriver

VERSION = "0.0.EMULATED"
MAGIC = b"EMULATED plan\n"
Profile = dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]
_SCRATCH_BYTES = 4096
_HOST_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class DataType(enum.Enum):
    """As tensorrt.DataType."""

    FLOAT = "tensor(float)"
    HALF = "tensor(float16)"
    INT64 = "tensor(int64)"


class _Content(msgspec.Struct):
    version: str
    onnx: bytes
    profile: Profile
    noise: float = 0.0


def made_plan(
    onnx: bytes, profile: Profile, *, version: str = VERSION, noise: float = 0.0
) -> bytes:
    """The bytes of a plan; `noise` is added to every output, as by a bad kernel."""
    return MAGIC + msgspec.msgpack.encode(_Content(version, onnx, profile, noise))


class ILogger:
    """As tensorrt.ILogger."""

    def log(self, severity: int, message: str) -> None:
        """Overridden."""


class Runtime:
    """As tensorrt.Runtime."""

    engine_host_code_allowed = False

    def __init__(self, driver: EmulatedDriver, logger: ILogger) -> None:
        self._driver = driver
        self._logger = logger

    def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
        """None, with a message, for what is no plan of this version."""
        if not plan.startswith(MAGIC):
            self._logger.log(1, "the magic tag does not match (EMULATED)")
            return None
        content = msgspec.msgpack.decode(plan[len(MAGIC) :], type=_Content)
        if content.version != VERSION and not self.engine_host_code_allowed:
            self._logger.log(1, f"built by {content.version}, this is {VERSION} (EMULATED)")
            return None
        return Engine(self._driver, self._logger, content)


class Engine:
    """As tensorrt.ICudaEngine."""

    device_memory_size_v2 = _SCRATCH_BYTES

    def __init__(self, driver: EmulatedDriver, logger: ILogger, content: _Content) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session: Any = ort.InferenceSession(content.onnx, options)
        self.driver, self.logger, self.content = driver, logger, content
        self._tensors = {
            t.name: t for t in (*self.session.get_inputs(), *self.session.get_outputs())
        }

    @property
    def num_io_tensors(self) -> int:
        """Inputs and outputs."""
        return len(self._tensors)

    def get_tensor_name(self, index: int) -> str:
        """Name by number."""
        return str(list(self._tensors)[index])

    def get_tensor_dtype(self, name: str) -> DataType:
        """Type of its elements."""
        return DataType(self._tensors[name].type)

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        """Its axes; -1 are dynamic."""
        return tuple(n if isinstance(n, int) else -1 for n in self._tensors[name].shape)

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        """Least, usual and largest shape."""
        assert profile == 0
        return list(self.content.profile[name])

    def create_execution_context(self, strategy: str) -> Context:
        """A context without memory of its own."""
        assert strategy == "USER_MANAGED"
        return Context(self)


class Context:
    """As tensorrt.IExecutionContext."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._memory_bytes = 0
        # What was queued may run as long as a graph of it does.
        self._queued: dict[tuple[object, ...], Any] = {}

    def set_device_memory(self, address: int, size: int) -> None:
        """Memory to compute in."""
        assert address
        self._memory_bytes = size

    def set_tensor_address(self, name: str, address: int) -> bool:
        """Where a tensor lies on the device."""
        self._addresses[name] = address
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        """Shape of an input in the next run."""
        self._shapes[name] = tuple(shape)
        return True

    def execute_async_v3(self, stream: int) -> bool:
        """Queue a run with the shapes and addresses of this moment."""
        inputs = [tensor.name for tensor in self._engine.session.get_inputs()]
        if set(self._shapes) != set(inputs) or self._memory_bytes < _SCRATCH_BYTES:
            self._engine.logger.log(1, "shapes or memory are not set (EMULATED)")
            return False
        for name, shape in self._shapes.items():
            least, _, largest = self._engine.content.profile[name]
            if not all(a <= n <= b for a, n, b in zip(least, shape, largest, strict=True)):
                self._engine.logger.log(1, f"{shape} is outside the profile (EMULATED)")
                return False
        key = (*self._shapes.items(), *self._addresses.items())
        if key not in self._queued:
            self._queued[key] = self._kernel(dict(self._shapes), dict(self._addresses))
        call = ctypes.cast(self._queued[key], ctypes.c_void_p)
        return bool(self._engine.driver.launch_host_function(stream, call, None) == 0)

    def _kernel(self, shapes: dict[str, tuple[int, ...]], addresses: dict[str, int]) -> Any:
        engine = self._engine
        (output,) = engine.session.get_outputs()

        def run(_data: int | None) -> None:
            feeds = {
                tensor.name: self._array(addresses[tensor.name], tensor.type, shapes[tensor.name])
                for tensor in engine.session.get_inputs()
            }
            (found,) = engine.session.run([output.name], feeds)
            place = self._array(addresses[output.name], output.type, found.shape)
            place[...] = found + engine.content.noise * np.cos(np.arange(found.size)).reshape(
                found.shape
            )

        return _HOST_FUNCTION(run)

    def _array(self, address: int, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
        element: Any = {"tensor(float)": ctypes.c_float, "tensor(int64)": ctypes.c_int64}[kind]
        memory = (element * prod(shape)).from_address(self._engine.driver.host_address(address))
        return np.ctypeslib.as_array(memory).reshape(shape)


def module(driver: EmulatedDriver) -> SimpleNamespace:
    """The module, as it stands in sys.modules."""
    return SimpleNamespace(
        __version__=VERSION,
        ILogger=ILogger,
        Runtime=lambda logger: Runtime(driver, logger),
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED="USER_MANAGED"),
        DataType=DataType,
    )
