# SPDX-License-Identifier: Apache-2.0
"""The training loop: schedule, repeatability, and what it refuses."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

import torch
from torch import Tensor, nn

from sensebind_engines.training.loop import Schedule, TrainingError, deterministic, train

SCHEDULE = Schedule(steps=30, warmup_steps=5, learning_rate=0.05)


def _fit(seed: int) -> tuple[nn.Module, list[float]]:
    """Fit y = 2 x with a small network."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))

    def step_loss(generator: torch.Generator) -> Tensor:
        x = torch.rand(16, 1, generator=generator)
        return nn.functional.mse_loss(module(x), 2 * x)

    return module, train(module, step_loss, SCHEDULE, seed)


def test_training_reduces_the_loss_and_leaves_evaluation_mode() -> None:
    module, losses = _fit(0)
    assert len(losses) == SCHEDULE.steps
    assert sum(losses[-5:]) < 0.1 * sum(losses[:5])
    assert not module.training


def test_one_seed_gives_one_set_of_weights() -> None:
    first, again, other = (_fit(seed)[0].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_loss_that_is_not_finite_stops_training() -> None:
    module = nn.Linear(1, 1)
    with pytest.raises(TrainingError, match=r"loss became nan at step 0.*lower learning_rate"):
        train(module, lambda _: module.weight.sum() * math.nan, SCHEDULE, 0)


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
