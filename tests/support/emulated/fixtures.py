# SPDX-License-Identifier: Apache-2.0
"""The EMULATED GPU: the real pycuda and cuda-bindings on an emulated driver, and no TensorRT."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from sensebind.gpu import find_gpu
from tests.support.emulated import library
from tests.support.emulated.driver import loaded_driver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.emulated.driver import EmulatedDriver


@pytest.fixture
def emulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedDriver]:
    """A GPU with nothing on it, before and after, and an empty cache of plans."""
    driver = loaded_driver()
    monkeypatch.setitem(sys.modules, "tensorrt", library.module(driver))
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path / "cache"))
    assert find_gpu().name == "EMULATED GPU"
    assert driver.living() == {}
    yield driver
    driver.integrate(integrated=False)
    driver.limit(1 << 33)
    assert driver.living() == {}
