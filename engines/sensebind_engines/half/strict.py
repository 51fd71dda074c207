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

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

    from sensebind.types import Features


def run_strictly(model: ModelProto, features: Features) -> NDArray[np.float64]:
    """The output of a graph of one output, rows one by one; not finite where it overflowed."""
    evaluator = ReferenceEvaluator(model)
    rows = len(next(iter(features.values())))
    with np.errstate(all="ignore"):
        outputs = [
            evaluator.run(None, {name: array[row : row + 1] for name, array in features.items()})[0]
            for row in range(rows)
        ]
    return np.concatenate(outputs).astype(np.float64)


def cosines(found: NDArray[np.float64], expected: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine of each row to the row it should be; -1 where it is not finite."""
    wide = expected.astype(np.float64)
    with np.errstate(all="ignore"):
        norms = np.linalg.norm(found, axis=1) * np.linalg.norm(wide, axis=1)
        cosine = np.einsum("ij,ij->i", found, wide) / norms
    return np.where(np.isfinite(cosine), cosine, -1.0)
