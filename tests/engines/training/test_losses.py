# SPDX-License-Identifier: Apache-2.0
"""Each loss equals its definition written with loops, in value and in gradient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

import torch

from sensebind_engines.training.losses import (
    agreement,
    centroid,
    infonce,
    multi_positive_infonce,
    siglip,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


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


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return sum((x * y for x, y in zip(a, b, strict=True)), torch.zeros((), dtype=a.dtype))


def _log_share(own: Tensor, all_of_them: list[Tensor]) -> Tensor:
    total = torch.zeros((), dtype=own.dtype)
    for logit in all_of_them:
        total = total + logit.exp()
    return own - total.log()


def _naive_infonce(a: Tensor, b: Tensor, scale: Tensor, keys: list[int]) -> Tensor:
    n = len(a)
    loss = torch.zeros((), dtype=a.dtype)
    for i in range(n):
        seen = [j for j in range(n) if j == i or keys[j] != keys[i]]
        own = scale * _dot(a[i], b[i])
        loss = loss - _log_share(own, [scale * _dot(a[i], b[j]) for j in seen]) / n
        loss = loss - _log_share(own, [scale * _dot(b[i], a[j]) for j in seen]) / n
    return loss


def _naive_siglip(a: Tensor, b: Tensor, scale: Tensor, keys: list[int]) -> Tensor:
    loss = torch.zeros((), dtype=a.dtype)
    for i in range(len(a)):
        for j in range(len(a)):
            if i == j or keys[i] != keys[j]:
                sign = 1.0 if i == j else -1.0
                loss = loss + (1 + (-sign * (scale * _dot(a[i], b[j]) - 3.0)).exp()).log()
    return loss / len(a)


def _naive_agreement(a: Tensor, b: Tensor, scale: Tensor, keys: list[int]) -> Tensor:
    n, chosen = len(a), min(3, len(a) - 1)
    inside = torch.zeros((), dtype=a.dtype)
    for i in range(n):
        others = [j for j in range(n) if j != i]
        alike = {j: min(_dot(a[i], a[j]).item(), _dot(b[i], b[j]).item()) for j in others}
        for j in sorted(others, key=lambda j: -alike[j])[:chosen]:
            for sense in (a, b):
                logits = [scale * _dot(sense[i], sense[k]) for k in others]
                share = _log_share(scale * _dot(sense[i], sense[j]), logits)
                inside = inside - share / (2 * n * chosen)
    return _naive_infonce(a, b, scale, keys) + 0.7 * inside


def _naive_centroid(a: Tensor, b: Tensor, scale: Tensor, keys: list[int]) -> Tensor:
    """Bind b to the centroid of a and of a turned around."""
    means = [(row + row.flip(0)) / 2 for row in a]
    unit = torch.stack([row / _dot(row, row).sqrt() for row in means])
    return _naive_infonce(b, unit, scale, keys)


def _fast(name: str, keys: Tensor | None) -> Loss:
    return {
        "infonce": lambda a, b, s: infonce(a, b, s, keys),
        "siglip": lambda a, b, s: siglip(a, b, s, -3.0, keys),
        "agreement": lambda a, b, s: agreement(a, b, s, 3, 0.7, keys),
        "centroid": lambda a, b, s: infonce(b, centroid([a, a.flip(1)]), s, keys),
    }[name]


NAIVE = {
    "infonce": _naive_infonce,
    "siglip": _naive_siglip,
    "agreement": _naive_agreement,
    "centroid": _naive_centroid,
}


def _gradients(loss: Loss, case: tuple[Tensor, Tensor]) -> tuple[Tensor, list[Tensor]]:
    leaves = [vectors.clone().requires_grad_() for vectors in case]
    scale = torch.tensor(4.0, dtype=torch.float64, requires_grad=True)
    value = loss(leaves[0], leaves[1], scale)
    return value, list(torch.autograd.grad(value, [*leaves, scale], allow_unused=True))


@pytest.mark.parametrize("name", NAIVE)
@pytest.mark.parametrize(("n", "groups"), [(1, 1), (2, 2), (5, 2), (8, 100), (7, 3)])
def test_value_and_gradient_equal_the_loops(name: str, n: int, groups: int) -> None:
    embeddings, targets, keys = _case(n, n, groups)
    value, found = _gradients(_fast(name, keys), (embeddings, targets))
    listed = keys.tolist()
    expected, wanted = _gradients(
        lambda a, b, s: NAIVE[name](a, b, s, listed), (embeddings, targets)
    )
    assert value.item() == pytest.approx(expected.item(), abs=1e-12)
    for gradient, other in zip(found, wanted, strict=True):
        assert torch.allclose(gradient, other, atol=1e-12)


@pytest.mark.parametrize("name", NAIVE)
def test_no_keys_are_keys_that_all_differ(name: str) -> None:
    embeddings, targets, _ = _case(4, 6, 6)
    scale = torch.tensor(5.0, dtype=torch.float64)
    without = _fast(name, None)(embeddings, targets, scale)
    assert torch.equal(without, _fast(name, torch.arange(6))(embeddings, targets, scale))


def test_masking_removes_a_false_negative() -> None:
    """Two rows that are one thing do not push each other away."""
    vectors = torch.eye(3, dtype=torch.float64)[[0, 0, 1]]
    assert infonce(vectors, vectors, 50.0, torch.tensor([7, 7, 8])).item() < 1e-12
    assert infonce(vectors, vectors, 50.0).item() > 0.9


def test_the_centroid_is_of_unit_length_and_in_the_middle() -> None:
    middle = centroid([torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])])
    assert torch.allclose(middle, torch.full((1, 2), math.sqrt(0.5)))
