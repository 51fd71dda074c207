# SPDX-License-Identifier: Apache-2.0
"""Sessions of ONNX Runtime, all opened alike."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

# Releases from 1.29 on report to their makers from Linux too, unless told otherwise before they are
# loaded (Privacy.md of the package); a robot reports to nobody. The call in `open_session` serves a
# program that had loaded the library before us.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

VERSION: str = ort.__version__

_LOG_FATAL_ONLY = 4
"""Errors come as exceptions; the library would print them as well."""

_OUTER_WEIGHT_BYTES = "1024"
"""Weights of at least so many bytes are written beside the graph, from where they are mapped."""


class Session(Protocol):
    """A loaded graph: what is used of onnxruntime.InferenceSession, which has no types."""

    def run(
        self, output_names: list[str] | None, inputs: dict[str, NDArray[Any]]
    ) -> list[NDArray[np.float32]]:
        """Run one batch; all outputs if `output_names` is None."""
        ...

    def get_inputs(self) -> list[Any]:
        """Describe the inputs: name, type and shape."""
        ...

    def get_outputs(self) -> list[Any]:
        """Describe the outputs: name, type and shape."""
        ...


def open_session(
    graph: str | bytes, threads: int, *, rewritten: bool = False, keep_as: Path | None = None
) -> Session:
    """Load a graph, by path or as bytes, as every graph of a bundle is loaded.

    Args:
        graph: its file or its bytes.
        threads: threads one run may use.
        rewritten: the graph is one that `keep_as` had kept: it is taken as it is.
        keep_as: write the graph here as the library rewrote it for this processor, with its
            weights in `keep_as` + ".data".
    """
    ort.disable_telemetry_events()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _LOG_FATAL_ONLY
    # Idle worker threads that spin would take the cores that drivers and preprocessing need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if rewritten:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if keep_as is not None:
        options.optimized_model_filepath = str(keep_as)
        for entry, value in (
            ("session.optimized_model_external_initializers_file_name", f"{keep_as.name}.data"),
            (
                "session.optimized_model_external_initializers_min_size_in_bytes",
                _OUTER_WEIGHT_BYTES,
            ),
        ):
            options.add_session_config_entry(entry, value)
    session: Session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return session
