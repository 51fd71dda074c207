# SPDX-License-Identifier: Apache-2.0
"""Whether a build fits into the memory that is free: a board shares it with its GPU."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensebind_engines.tensorrt.encoders import Target

_MEMINFO = Path("/proc/meminfo")
_COPIES = 3
"""Of the weights while a plan is built: as they are read, in the builder, in the plan."""


def shortage(target: Target, meminfo: Path = _MEMINFO) -> str | None:
    """What to do where a build may run out of memory, in a sentence; None where it fits.

    An estimate: what the builder takes beside the weights is its workspace, and a network's
    activations, which are small next to these.
    """
    needed = _COPIES * _graph_bytes(target.path) + (target.options.workspace_mib << 20)
    free = _free_bytes(meminfo)
    if free is None or needed <= free:
        return None
    return (
        f"building {target.modality} may take {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are "
        "free: close other programs, add swap, or give the kernels less with --workspace"
    )


def _graph_bytes(path: Path) -> int:
    files = (path, path.with_name(f"{path.name}.data"))
    return sum(file.stat().st_size for file in files if file.is_file())


def _free_bytes(meminfo: Path) -> int | None:
    """Memory and swap that programs may have; None on systems that do not tell."""
    try:
        told = meminfo.read_text(encoding="ascii")
    except OSError:
        return None
    kilobytes = re.findall(r"^(?:MemAvailable|SwapFree):\s*(\d+) kB$", told, re.MULTILINE)
    return 1024 * sum(map(int, kilobytes)) if kilobytes else None
