# SPDX-License-Identifier: Apache-2.0
"""What rounding may do to a weight."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="export needs the train extra")

import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sensebind_engines.export.rounding import (
    is_worth_int8,
    round_to_int8,
    with_fp16_weights,
    with_int8_weights,
)

MATRICES = arrays(
    np.float32, (5, 3), elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False)
)


@given(MATRICES)
def test_int8_is_within_half_a_step(
    weights: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> None:
    quantised, scales = round_to_int8(weights)
    assert quantised.dtype == np.int8
    assert scales.shape == (3,)
    assert (scales > 0).all()
    assert quantised.min() >= -127
    error = np.abs(quantised * scales.astype(np.float64) - weights)
    assert (error <= scales * 0.50001).all()


def test_int8_reaches_the_ends_of_each_column() -> None:
    quantised, scales = round_to_int8(np.array([[2.54, 0, 1e-3], [-1.27, 0, -2e-3]], np.float32))
    np.testing.assert_array_equal(quantised, [[127, 0, 64], [-64, 0, -127]])
    np.testing.assert_allclose(scales, [0.02, 1, 2e-3 / 127], rtol=1e-6)


def test_modules_are_rounded_per_output_and_per_table_column() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Embedding(40, 32), torch.nn.Linear(32, 48))
    table, layer = with_int8_weights(module)
    for dim, (rounded, weight) in enumerate(
        [(table.weight, module[0].weight), (layer.weight, module[1].weight)]
    ):
        steps = rounded / (weight.abs().amax(dim, keepdim=True) / 127)
        assert (steps - steps.round()).abs().max() < 1e-3
        assert not torch.equal(rounded, weight)
    assert torch.equal(layer.bias, module[1].bias)


def test_small_matrices_and_vectors_stay() -> None:
    assert is_worth_int8((32, 32))
    assert not is_worth_int8((31, 32))
    assert not is_worth_int8((4096,))


def test_fp16_copies_hold_fp16_values_in_fp32() -> None:
    module = torch.nn.Linear(3, 2)
    rounded = with_fp16_weights(module).weight
    assert rounded.dtype == torch.float32
    assert torch.equal(rounded, module.weight.half().float())
    assert not torch.equal(rounded, module.weight)
