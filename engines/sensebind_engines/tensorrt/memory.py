# SPDX-License-Identifier: Apache-2.0
"""Whether a build fits into the memory that is free: a board shares it with its GPU."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensebind_engines.tensorrt.encoders import Target

_MEMINFO = Path("/proc/meminfo")
_CGROUP, _CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
RESERVE_MIB = 512
"""What a build with a budget leaves to others of the memory that is free."""
_LEAST_WORKSPACE_MIB = 64
"""With less few kernels are left to choose from."""
_COPIES = 3
"""Of the weights while a plan is built: as they are read, in the builder, in the plan."""


def shortage(target: Target, meminfo: Path = _MEMINFO) -> str | None:
    """What to do where a build may run out of memory, in a sentence; None where it fits.

    An estimate: what the builder takes beside the weights is its workspace, and a network's
    activations, which are small next to these.
    """
    needed, free = _needed_bytes(target), _free_bytes(meminfo)
    if free is None or needed <= free:
        return None
    return (
        f"building {target.modality} may take {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are "
        "free: close other programs, add swap, or give the kernels less with --workspace"
    )


def over_budget(target: Target, budget_mib: int | None, meminfo: Path = _MEMINFO) -> str | None:
    """Why a build is not to be begun with so much memory, and what would fit; None where it may.

    Args:
        target: what would be built.
        budget_mib: what it may take; None for what is free less RESERVE_MIB.
        meminfo: tells what is free.
    """
    if budget_mib is None:
        free = _free_bytes(meminfo)
        if free is None:
            return None
        budget_mib = max((free >> 20) - RESERVE_MIB, 0)
    needed_mib = math.ceil(_needed_bytes(target) / 2**20)
    if needed_mib <= budget_mib:
        return None
    workspace_mib = target.options.workspace_mib - (needed_mib - budget_mib)
    fix = (
        f"--workspace {workspace_mib} would fit"
        if workspace_mib >= _LEAST_WORKSPACE_MIB
        else "close other programs, add swap, or allow it more"
    )
    return (
        f"building {target.modality} may take {needed_mib} MiB and is allowed {budget_mib} MiB, so "
        f"it is not begun: {fix}"
    )


def _needed_bytes(target: Target) -> int:
    return _COPIES * _graph_bytes(target.path) + (target.options.workspace_mib << 20)


def _graph_bytes(path: Path) -> int:
    files = (path, path.with_name(f"{path.name}.data"))
    return sum(file.stat().st_size for file in files if file.is_file())


def _free_bytes(meminfo: Path) -> int | None:
    """Memory and swap that this process may have; None on systems that do not tell.

    In a service or a container that is no more than their limits leave.
    """
    told = re.findall(r"^(?:MemAvailable|SwapFree):\s*(\d+) kB$", _content(meminfo), re.MULTILINE)
    if not told:
        return None
    left = [1024 * sum(map(int, told))]
    own = re.search(r"^0::/(.*)$", _content(_CGROUP), re.MULTILINE)
    folder = _CGROUPS / own[1] if own else _CGROUPS
    while folder.is_relative_to(_CGROUPS):
        left += _left_bytes(folder)
        folder = folder.parent
    return min(left)


def _left_bytes(folder: Path) -> list[int]:
    """What the limits of a control group leave; files that are kept in memory may go."""
    stat = dict(line.split() for line in _content(folder / "memory.stat").splitlines())
    used = int(_content(folder / "memory.current") or 0)
    used -= int(stat.get("file", 0)) - int(stat.get("shmem", 0))
    limits = [_content(folder / name).strip() for name in ("memory.high", "memory.max")]
    return [max(int(limit) - used, 0) for limit in limits if limit.isdecimal()]


def _content(path: Path) -> str:
    try:
        return os.fsdecode(path.read_bytes())  # names of control groups may be anything
    except OSError:
        return ""
