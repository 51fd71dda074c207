# SPDX-License-Identifier: Apache-2.0
"""What is freed in a training step is there for the next one."""

from __future__ import annotations

import os
import resource

import torch

from sensebind_engines.training.heap import keeping_freed_memory

PAGES = 16384
"""Above 32 MiB, which glibc never keeps by itself."""
STEPS = 4


def faults_of_steps() -> int:
    """Page faults while large tensors are made, written to and freed again and again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(STEPS):
        torch.ones(PAGES * os.sysconf("SC_PAGESIZE") // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_memory_is_asked_for_once() -> None:
    assert faults_of_steps() > STEPS * PAGES // 2  # otherwise there is nothing to gain here
    with keeping_freed_memory():
        faults_of_steps()  # the first step asks the system
        assert faults_of_steps() < PAGES // 2


def test_memory_is_given_back_afterwards() -> None:
    with keeping_freed_memory():
        faults_of_steps()
    assert faults_of_steps() >= PAGES
