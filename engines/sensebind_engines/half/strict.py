# SPDX-License-Identifier: Apache-2.0
"""Strict evaluation of half graphs: every result rounded to its type, as on a device without mercy.

ONNX Runtime on a CPU computes half operators in FP32 and drops the roundings between them, so it
passes graphs that overflow on a device. The reference evaluator of the `onnx` package does not. It
is slow, and pessimistic where a device accumulates in FP32 inside an operator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx.reference import ReferenceEvaluator

from sensebind.backends.tensors import single_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from sensebind.types import Features


def run_strictly(model: ModelProto, features: Features) -> NDArray[np.float64]:
    """The output of a graph of one output, rows one by one; not finite where it overflowed."""
    evaluator = ReferenceEvaluator(model)
    with np.errstate(all="ignore"):
        outputs = [evaluator.run(None, row)[0] for row in single_rows(features)]
    return np.concatenate(outputs).astype(np.float64)
