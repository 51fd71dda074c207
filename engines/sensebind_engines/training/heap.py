# SPDX-License-Identifier: Apache-2.0
"""Keeping freed memory for the next step.

A step of training frees what it allocated. The C library gives large pieces back to the system at
once, and the next step pays a page fault for every 4 KiB it gets again: 20 to 30 % of the processor
time of a small network's step (conv-tiny of `benchmarks.train`).
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Parameters of mallopt(3), glibc's malloc.h, and their documented defaults.
_TRIM_THRESHOLD, _DEFAULT_TRIM_THRESHOLD = -1, 128 << 10
_MMAP_MAX, _DEFAULT_MMAP_MAX = -4, 65536
_NEVER_TRIM = 2**31 - 1


@contextmanager
def keeping_freed_memory() -> Iterator[None]:
    """Let the process keep what is freed while the block runs; nothing happens without glibc."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "mallopt"):
        yield
        return
    libc.mallopt(_TRIM_THRESHOLD, _NEVER_TRIM)
    libc.mallopt(_MMAP_MAX, 0)
    try:
        yield
    finally:
        libc.mallopt(_TRIM_THRESHOLD, _DEFAULT_TRIM_THRESHOLD)
        libc.mallopt(_MMAP_MAX, _DEFAULT_MMAP_MAX)
        libc.malloc_trim(0)
