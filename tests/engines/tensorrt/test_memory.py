# SPDX-License-Identifier: Apache-2.0
"""A build that may not fit is told before it begins, and not begun where there is a budget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.bundle_folder import open_bundle
from sensebind.gpu import Gpu
from sensebind.types import Modality
from sensebind_engines.tensorrt import memory
from sensebind_engines.tensorrt.encoders import Target, target_of
from sensebind_engines.tensorrt.flavour import Flavour
from sensebind_engines.tensorrt.memory import RESERVE_MIB, over_budget, shortage
from sensebind_engines.tensorrt.options import BuildOptions

if TYPE_CHECKING:
    from pathlib import Path

FLAVOUR = Flavour("tensorrt", None, "10.3.0.26")
ORIN = Gpu("Orin (nvgpu)", "87", "12.6")
MIB = 1 << 20


def target(workspace_mib: int = 1024) -> Target:
    options = BuildOptions(workspace_mib=workspace_mib)
    return target_of(open_bundle("demo"), Modality.IMU, FLAVOUR, ORIN, options, "fp32")


NEEDED_MIB = math.ceil(memory._needed_bytes(target()) / MIB)
"""For the demo's IMU encoder: a workspace of 1 GiB and three times its weights."""
LEAST_MIB = NEEDED_MIB - 1024 + 64


@pytest.fixture(autouse=True)
def no_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without control groups, whatever this one has."""
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "none")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "none")


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
    (tmp_path / "meminfo").write_text(meminfo)
    told = shortage(target(), tmp_path / "meminfo")
    assert (told is None) == enough
    if told is not None:
        assert "building imu may take 1.1 GB and 0.9 GB are free: close other programs" in told


def test_systems_that_do_not_tell_are_not_guessed_at(tmp_path: Path) -> None:
    assert shortage(target(), tmp_path / "missing") is None
    assert over_budget(target(), None, tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("free_mib", "fits"), [(NEEDED_MIB + RESERVE_MIB, True), (NEEDED_MIB + RESERVE_MIB - 1, False)]
)
def test_without_a_number_the_budget_is_what_is_free_less_a_reserve(
    free_mib: int, fits: bool, tmp_path: Path
) -> None:
    (tmp_path / "meminfo").write_text(f"MemAvailable: {1024 * free_mib} kB\n")
    told = over_budget(target(), None, tmp_path / "meminfo")
    assert (told is None) == fits


def test_what_would_fit_is_told_where_something_would() -> None:
    expected = f"imu may take {NEEDED_MIB} MiB and is allowed {LEAST_MIB} MiB, so it is not begun: "
    assert f"{expected}--workspace 64 would fit" in str(over_budget(target(), LEAST_MIB))
    less = str(over_budget(target(), LEAST_MIB - 1))
    assert "is not begun: close other programs, add swap" in less


@given(budget_mib=st.integers(64, 2048))
def test_the_workspace_that_is_told_fits(budget_mib: int) -> None:
    told = over_budget(target(), budget_mib)
    if told is None:
        assert budget_mib >= NEEDED_MIB
    elif "would fit" in told:
        workspace_mib = int(told.split("--workspace ")[1].split()[0])
        assert over_budget(target(workspace_mib), budget_mib) is None
        assert over_budget(target(workspace_mib + 1), budget_mib) is not None
    else:
        assert budget_mib < LEAST_MIB


@pytest.mark.parametrize(
    ("group", "limits", "free_mib"),
    [
        ("0::/system.slice/robot.service\n", {}, 4000),
        ("0::/system.slice/robot.service\n", {"memory.max": 1000, "memory.current": 400}, 600),
        ("0::/system.slice/robot.service\n", {"memory.high": 300, "memory.current": 400}, 0),
        ("0::/system.slice/robot.service/child\n", {"memory.max": 900}, 900),
        ("12:memory:/old\n", {"memory.max": 900}, 4000),
        ("0::/../elsewhere\n", {"memory.max": 900}, 4000),
    ],
)
def test_the_limits_of_a_service_count(
    group: str,
    limits: dict[str, int],
    free_mib: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = tmp_path / "cgroup" / "system.slice" / "robot.service"
    service.mkdir(parents=True)
    (service.parent / "memory.max").write_text("max\n")
    for name, mib in limits.items():
        (service / name).write_text(f"{mib * MIB}\n")
    (tmp_path / "meminfo").write_text(f"MemAvailable: {1024 * 4000} kB\nSwapFree: 0 kB\n")
    (tmp_path / "own").write_text(group)
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "own")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
    assert memory._free_bytes(tmp_path / "meminfo") == free_mib * MIB


def test_files_that_a_service_keeps_in_memory_may_go(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{1000 * MIB}")
    (tmp_path / "memory.current").write_text(f"{900 * MIB}")
    (tmp_path / "memory.stat").write_text(f"anon 1\nfile {700 * MIB}\nshmem {100 * MIB}\n")
    assert memory._left_bytes(tmp_path) == [700 * MIB]
