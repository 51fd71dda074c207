# SPDX-License-Identifier: Apache-2.0
"""What this process uses of the machine."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_PAGES = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Memory that is in RAM now; where the system does not tell, the most there ever was."""
    try:
        return int(_PAGES.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return peak_resident_bytes()


def peak_resident_bytes() -> int:
    """The most memory that ever was in RAM."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # getrusage(2): kilobytes on Linux
