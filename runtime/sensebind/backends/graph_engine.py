# SPDX-License-Identifier: Apache-2.0
"""A graph on the CPU as an engine, whichever library runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sensebind.backends.tensors import check_graph_tensors, check_inputs, check_output
from sensebind.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from sensebind.backends.tensors import GraphTensors
    from sensebind.specs import TensorSpec

    Infer = Callable[[dict[str, NDArray[Any]]], NDArray[np.float32]]


class Library(NamedTuple):
    """What runs a graph: the backend's name, what messages call it, its version."""

    backend: str
    title: str
    version: str


class Loaded(NamedTuple):
    """A graph as a library loaded it.

    Attributes:
        inputs: what it takes.
        outputs: what it gives.
        precision: what it computes in ("fp32", "bf16", …).
        infer: runs one batch, inputs by name, and gives the output in an array of its own.
    """

    inputs: GraphTensors
    outputs: GraphTensors
    precision: str
    infer: Infer


class GraphEngine:
    """One graph in one library. Not thread-safe: one thread owns it.

    Attributes:
        backend: name of the backend.
        precision: what it computes in.
    """

    def __init__(
        self,
        library: Library,
        path: Path,
        inputs: tuple[TensorSpec, ...],
        output: TensorSpec,
        load: Callable[[], Loaded],
    ) -> None:
        """Load a graph and check its tensors against the manifest.

        Args:
            library: what loads and runs it.
            path: the graph, for messages.
            inputs: tensors it must take.
            output: tensor it must give.
            load: loads it; raises whatever the library raises.

        Raises:
            BackendError: if the library refuses the file, with its reason.
            BundleError: if the graph's tensors are not those given.
        """
        try:
            loaded = load()
        except Exception as error:
            raise BackendError(
                f"{library.title} {library.version} cannot load {path}: {error}; the file is "
                "damaged or was made for a newer version"
            ) from error
        check_graph_tensors(path, "input", inputs, loaded.inputs)
        check_graph_tensors(path, "output", (output,), loaded.outputs)
        self.backend = library.backend
        self.precision = loaded.precision
        self._title = library.title
        self._path = path
        self._inputs = inputs
        self._output = output
        self._infer: Infer | None = loaded.infer

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Run one batch: inputs by name with a leading batch axis, output float32 (batch, dim).

        Raises:
            InputError: if an input's name, dtype or shape is not the manifest's.
            BackendError: if the run fails or the engine is closed.
        """
        batch = check_inputs(self._inputs, inputs)
        if self._infer is None:
            raise BackendError(f"the engine of {self._path} is closed; load the bundle again")
        try:
            output = self._infer(inputs)
        except Exception as error:
            raise BackendError(f"{self._title} failed on {self._path}: {error}") from error
        check_output(self._output, output, batch)
        return output

    def close(self) -> None:
        """Free the network."""
        self._infer = None
