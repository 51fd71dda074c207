# SPDX-License-Identifier: Apache-2.0
"""ConSE against its definition, in loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks need the train extra")

import torch

from sensebind_engines.models.conse import TEMPLATES, ConseTower, embed_class_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CLASSES = 7
DIM = 5


def _unit_rows(seed: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(CLASSES, DIM)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _naive(
    logits: NDArray[np.float64], names: NDArray[np.float32], top: int
) -> NDArray[np.float64]:
    probabilities = np.exp(logits) / np.exp(logits).sum()
    mixed = np.zeros(DIM)
    for index in sorted(range(CLASSES), key=lambda i: -probabilities[i])[:top]:
        mixed += probabilities[index] * names[index]
    mixed /= np.linalg.norm(mixed)
    return mixed


@pytest.mark.parametrize("top", [1, 3, CLASSES])
def test_equals_the_definition(top: int) -> None:
    names = _unit_rows(0)
    logits = np.random.default_rng(1).normal(size=(4, CLASSES)) * 3
    with torch.inference_mode():
        got = ConseTower(torch.nn.Identity(), names, top)(torch.from_numpy(logits).float()).numpy()
    np.testing.assert_allclose(got, [_naive(row, names, top) for row in logits], atol=1e-6)


def test_a_certain_class_gives_its_name() -> None:
    names = _unit_rows(2)
    logits = torch.full((1, CLASSES), -40.0)
    logits[0, 4] = 40
    with torch.inference_mode():
        got = ConseTower(torch.nn.Identity(), names, 3)(logits).numpy()
    np.testing.assert_allclose(got[0], names[4], atol=1e-6)


def test_class_names_are_averaged_over_the_templates() -> None:
    basis = {template.format("cup"): row for row, template in enumerate(TEMPLATES)}

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.eye(4, dtype=np.float32)[[basis[text] for text in texts]]

    np.testing.assert_allclose(embed_class_names(["cup", "cup"], embed), np.full((2, 4), 0.5))
