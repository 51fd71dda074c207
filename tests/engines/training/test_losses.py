# SPDX-License-Identifier: Apache-2.0
"""The loss equals its definition written with loops, in value and in gradient."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

import torch

from sensebind_engines.training.losses import multi_positive_infonce


def _naive(
    embeddings: list[list[float]], targets: list[list[float]], groups: list[int], scale: float
) -> float:
    """Both directions, pair by pair, in Python floats."""
    n = len(groups)

    def direction(a: list[list[float]], b: list[list[float]]) -> float:
        total = 0.0
        for i in range(n):
            logits = [scale * sum(x * y for x, y in zip(a[i], b[j], strict=True)) for j in range(n)]
            normaliser = math.log(sum(math.exp(logit) for logit in logits))
            positives = [j for j in range(n) if groups[j] == groups[i]]
            total -= sum(logits[j] - normaliser for j in positives) / len(positives)
        return total / n

    return direction(embeddings, targets) + direction(targets, embeddings)


def _case(seed: int, n: int, groups: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, n, 5)
    embeddings, targets = torch.nn.functional.normalize(
        torch.randn(shape, generator=generator, dtype=torch.float64), dim=-1
    )
    return embeddings, targets, torch.randint(groups, (n,), generator=generator)


@pytest.mark.parametrize(("n", "groups"), [(1, 1), (4, 4), (7, 3), (12, 2)])
def test_value_equals_the_loops(n: int, groups: int) -> None:
    embeddings, targets, classes = _case(n, n, groups)
    loss = multi_positive_infonce(embeddings, targets, classes, 7.5)
    naive = _naive(embeddings.tolist(), targets.tolist(), classes.tolist(), 7.5)
    assert loss.item() == pytest.approx(naive, abs=1e-12)


def test_gradient_equals_finite_differences_of_the_loops() -> None:
    embeddings, targets, classes = _case(3, 5, 3)
    embeddings.requires_grad_()
    scale = torch.tensor(4.0, dtype=torch.float64, requires_grad=True)
    multi_positive_infonce(embeddings, targets, classes, scale).backward()
    rows, others, groups = embeddings.tolist(), targets.tolist(), classes.tolist()
    step = 1e-6

    def slope(i: int, k: int) -> float:
        up, down = ([list(row) for row in rows] for _ in range(2))
        up[i][k] += step
        down[i][k] -= step
        return (_naive(up, others, groups, 4.0) - _naive(down, others, groups, 4.0)) / (2 * step)

    expected = [[slope(i, k) for k in range(5)] for i in range(5)]
    assert torch.allclose(embeddings.grad, torch.tensor(expected).double(), atol=1e-8)
    by_scale = _naive(rows, others, groups, 4 + step) - _naive(rows, others, groups, 4 - step)
    assert scale.grad is not None
    assert scale.grad.item() == pytest.approx(by_scale / (2 * step), abs=1e-7)


def test_groups_that_are_all_different_give_the_ordinary_infonce() -> None:
    embeddings, targets, _ = _case(9, 6, 6)
    logits = 3.0 * embeddings @ targets.T
    rows = torch.arange(6)
    ordinary = torch.nn.functional.cross_entropy(logits, rows)
    ordinary = ordinary + torch.nn.functional.cross_entropy(logits.T, rows)
    loss = multi_positive_infonce(embeddings, targets, rows, 3.0)
    assert loss.item() == pytest.approx(ordinary.item(), abs=1e-12)
