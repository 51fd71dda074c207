# SPDX-License-Identifier: Apache-2.0
"""CUDA graphs: what a run queues, recorded once and launched as one.

pycuda cannot record them; cuda-bindings can, on the streams and in the context of pycuda.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sensebind.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_INSTALLED = "cuda-bindings is not installed (pip install 'sensebind[tensorrt]')"


class Graph:
    """A recorded run. It reads and writes at the addresses it was recorded with."""

    def __init__(self, driver: Any, executable: Any) -> None:  # noqa: ANN401
        self._driver = driver
        self._executable = executable

    def launch(self, stream: int) -> None:
        """Queue the run.

        Raises:
            BackendError: the driver refuses.
        """
        _checked(self._driver, self._driver.cuGraphLaunch(self._executable, stream))

    def free(self) -> None:
        """Free it."""
        _checked(self._driver, self._driver.cuGraphExecDestroy(self._executable))


def open_driver() -> Any:  # noqa: ANN401
    """The module cuda.bindings.driver; None if it is not installed."""
    try:
        return import_module("cuda.bindings.driver")
    except ImportError:
        return None


def record(driver: Any, stream: int, queue: Callable[[], None]) -> Graph:  # noqa: ANN401
    """Record what `queue` puts into a stream, which runs nothing of it.

    Raises:
        BackendError: something of it cannot be recorded.
    """
    mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
    _checked(driver, driver.cuStreamBeginCapture(stream, mode))
    try:
        queue()
    except BaseException:
        status, part = driver.cuStreamEndCapture(stream)  # the stream is of no use before that
        if status == driver.CUresult.CUDA_SUCCESS:
            driver.cuGraphDestroy(part)
        raise
    graph = _checked(driver, driver.cuStreamEndCapture(stream))
    try:
        return Graph(driver, _checked(driver, driver.cuGraphInstantiate(graph, 0)))
    finally:
        _checked(driver, driver.cuGraphDestroy(graph))


def _checked(driver: Any, answer: tuple[Any, ...]) -> Any:  # noqa: ANN401
    """What a call gives beside its status."""
    status, *rest = answer
    if status != driver.CUresult.CUDA_SUCCESS:
        raise BackendError(f"the CUDA driver failed on a graph: {status.name}")
    return rest[0] if rest else None
