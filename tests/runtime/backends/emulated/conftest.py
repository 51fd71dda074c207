# SPDX-License-Identifier: Apache-2.0
"""The EMULATED GPU: the real pycuda and cuda-bindings on an emulated driver, and no TensorRT."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from sensebind.gpu import find_gpu
from tests.runtime.backends.emulated import library
from tests.runtime.backends.emulated.driver import EmulatedDriver, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> EmulatedDriver:
    """The driver; it stays in the process."""
    return EmulatedDriver(build(tmp_path_factory.mktemp("EMULATED")))


@pytest.fixture
def emulated(
    driver: EmulatedDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EmulatedDriver]:
    """A GPU with nothing on it, before and after, and an empty cache of plans."""
    monkeypatch.setitem(sys.modules, "tensorrt", library.module(driver))
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path / "cache"))
    assert find_gpu().name == "EMULATED GPU"
    assert driver.living() == {}
    yield driver
    driver.integrate(integrated=False)
    driver.limit(1 << 33)
    assert driver.living() == {}
