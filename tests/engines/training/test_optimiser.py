# SPDX-License-Identifier: Apache-2.0
"""The optimiser: its schedule, what decays, and determinism that ends."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

import torch
from torch import nn

from sensebind_engines.training.optimiser import Schedule, deterministic, new_optimiser

SCHEDULE = Schedule(steps=30, warmup_steps=5, learning_rate=0.05)


def test_rate_rises_then_falls_to_one_percent() -> None:
    rates = [SCHEDULE.rate(step) for step in range(SCHEDULE.steps + 1)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5] == 1.0
    assert rates[-1] == pytest.approx(0.01)
    assert rates[5:] == sorted(rates[5:], reverse=True)


def test_determinism_is_restored_after_use() -> None:
    threads = torch.get_num_threads()
    with deterministic():
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_matrices_decay_and_vectors_do_not() -> None:
    module = nn.Linear(2, 3)
    decays = {
        id(weight): group["weight_decay"]
        for group in new_optimiser(module, SCHEDULE).param_groups
        for weight in group["params"]
    }
    assert decays[id(module.weight)] == SCHEDULE.weight_decay > 0
    assert decays[id(module.bias)] == 0.0
    module.weight.requires_grad_(requires_grad=False)
    groups = new_optimiser(module, SCHEDULE).param_groups
    assert [len(group["params"]) for group in groups] == [0, 1]
