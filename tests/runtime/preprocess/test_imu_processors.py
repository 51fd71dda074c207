# SPDX-License-Identifier: Apache-2.0
"""Processors with narrower vectors make the same bytes."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CODE = """
import hashlib
import numpy as np
from sensebind.preprocess import _imu_kernels, resample_imu
rng = np.random.default_rng(0)
stamps = np.cumsum(rng.integers(10**6, 10**7, 400))
values = rng.normal(size=(400, 6))
digest = hashlib.sha256()
for interpolation in ("linear", "cubic"):
    for rate_hz in (20.0, 400.0):
        digest.update(resample_imu(
            stamps, values, end_ns=int(stamps[-20]), length_s=1.0, rate_hz=rate_hz,
            interpolation=interpolation,
        ))
code = "".join(_imu_kernels.resample.inspect_asm().values())
print(digest.hexdigest(), *(name for name in ("xmm", "ymm", "zmm") if name in code))
"""


def features(cache: Path, **environment: str) -> tuple[str, set[str]]:
    """Hash of a few windows' features, and the vector registers of the emitted code."""
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "NUMBA_CACHE_DIR": str(cache),
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    digest, *registers = done.stdout.split()
    return digest, set(registers)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="compiles for x86 processors")
def test_narrower_vectors_make_the_same_bytes(tmp_path: Path) -> None:
    host, _ = features(tmp_path / "host")
    avx2 = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma"}
    assert features(tmp_path / "avx2", **avx2) == (host, {"xmm", "ymm"})
    baseline = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse2"}
    assert features(tmp_path / "baseline", **baseline) == (host, {"xmm"})
