# SPDX-License-Identifier: Apache-2.0
"""A build that may not fit is told before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensebind.bundle_folder import open_bundle
from sensebind.gpu import Gpu
from sensebind.types import Modality
from sensebind_engines.tensorrt.encoders import target_of
from sensebind_engines.tensorrt.flavour import Flavour
from sensebind_engines.tensorrt.memory import shortage
from sensebind_engines.tensorrt.options import BuildOptions

if TYPE_CHECKING:
    from pathlib import Path

FLAVOUR = Flavour("tensorrt", None, "10.3.0.26")
ORIN = Gpu("Orin (nvgpu)", "87", "12.6")


@pytest.mark.parametrize(
    ("meminfo", "enough"),
    [
        ("MemTotal: 8000000 kB\nMemAvailable: 1200000 kB\nSwapFree: 0 kB\n", True),
        ("MemTotal: 8000000 kB\nMemAvailable: 500000 kB\nSwapFree: 700000 kB\n", True),
        ("MemTotal: 8000000 kB\nMemAvailable: 900000 kB\nSwapFree: 10000 kB\n", False),
        ("what is this", True),
    ],
)
def test_memory_and_swap_are_counted(meminfo: str, enough: bool, tmp_path: Path) -> None:
    target = target_of(open_bundle("demo"), Modality.IMU, FLAVOUR, ORIN, BuildOptions(), "fp32")
    (tmp_path / "meminfo").write_text(meminfo)
    told = shortage(target, tmp_path / "meminfo")
    assert (told is None) == enough
    if told is not None:
        assert "building imu may take 1.1 GB and 0.9 GB are free: close other programs" in told


def test_systems_that_do_not_tell_are_not_guessed_at(tmp_path: Path) -> None:
    target = target_of(open_bundle("demo"), Modality.IMU, FLAVOUR, ORIN, BuildOptions(), "fp32")
    assert shortage(target, tmp_path / "missing") is None
