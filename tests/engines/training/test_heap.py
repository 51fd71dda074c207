# SPDX-License-Identifier: Apache-2.0
"""What is freed in a training step is there for the next one."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import os, resource
import torch
from sensebind_engines.training.heap import keeping_freed_memory

PAGES = 16384  # above 32 MiB, which glibc never keeps by itself
COUNT = PAGES * os.sysconf("SC_PAGESIZE") // 4

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(COUNT)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / PAGES

freed = faults()
with keeping_freed_memory():
    first, kept = faults(), faults()
print(freed, first, kept, faults())
"""


def test_memory_is_asked_for_once_and_given_back() -> None:
    """Page faults per page of four steps, in a process whose heap is its own."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], check=True, capture_output=True, text=True, timeout=300
    )
    freed, first, kept, after = map(float, done.stdout.split())
    assert freed > 3  # otherwise there is nothing to gain
    assert first < 2
    assert kept < 0.5
    assert after > 3
