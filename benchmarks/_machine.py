# SPDX-License-Identifier: Apache-2.0
"""What a benchmark ran on: processor, load, versions, and the two floors nothing gets below."""

from __future__ import annotations

import os
import platform
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.metrics.machine import cpu_model, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_TUNING = ("OPENBLAS_", "OMP_", "MKL_", "NUMBA_")
_COPIED_BYTES = 256 * 1024
_MATRIX_SIDE = 1024


def describe(packages: Iterable[str]) -> dict[str, Any]:
    """Processor, load, Python, versions of the packages that are installed, tuning variables."""
    return {
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "load_average": os.getloadavg(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": versions(packages),
        "environment": {k: v for k, v in sorted(os.environ.items()) if k.startswith(_TUNING)},
    }


def floors() -> dict[str, float]:
    """Best copy bandwidth of 256 KiB and best float32 matrix product, one thread as NumPy runs.

    Returns:
        `copy_gb_per_s`, bytes read, and `sgemm_gflop_per_s` of 1024 x 1024 matrices.
    """
    source = np.zeros(_COPIED_BYTES, np.uint8)
    target = np.empty_like(source)
    a = np.ones((_MATRIX_SIDE, _MATRIX_SIDE), np.float32)
    b, product = a.copy(), np.empty_like(a)
    copy_ns = _best_ns(lambda: np.copyto(target, source), 2000)
    matmul_ns = _best_ns(lambda: np.matmul(a, b, out=product), 10)
    return {
        "copy_gb_per_s": _COPIED_BYTES / copy_ns,
        "sgemm_gflop_per_s": 2 * _MATRIX_SIDE**3 / matmul_ns,
    }


def _best_ns(work: Callable[[], object], repeats: int) -> int:
    times = []
    for _ in range(repeats):
        begin = time.process_time_ns()
        work()
        times.append(time.process_time_ns() - begin)
    return min(times)
