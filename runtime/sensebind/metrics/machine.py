# SPDX-License-Identifier: Apache-2.0
"""What a measurement ran on; a figure without it means little."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

_CPU_INFO = Path("/proc/cpuinfo")
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A computer and how busy it was.

    Attributes:
        cpu: model of the processor.
        architecture: of its instructions.
        cores: logical ones this process may use.
        load_average: processes that ran or waited, over 1, 5 and 15 minutes.
        governor: rule by which the clock rate changes ("performance", …); "" where it is not told,
            as in most virtual machines.
        system: operating system and its release.
        python: version.
    """

    cpu: str
    architecture: str
    cores: int
    load_average: tuple[float, float, float]
    governor: str
    system: str
    python: str


def this_machine() -> Machine:
    """Describe this computer as it is now."""
    return Machine(
        cpu=cpu_model(),
        architecture=platform.machine(),
        cores=usable_cores(),
        load_average=os.getloadavg(),
        governor=_first_line(_GOVERNOR),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def cpu_model() -> str:
    """Name and family of the processor; "" where nobody tells."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    parts = (named.get("model name", platform.processor()), named.get("cpu family", ""))
    return " family ".join(part for part in parts if part)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those packages that are installed."""
    return {name: found for name in packages if (found := _version(name))}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def usable_cores() -> int:
    """Logical cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
