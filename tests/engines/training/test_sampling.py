# SPDX-License-Identifier: Apache-2.0
"""Which items a step takes: every item once per epoch, by the seed and the step alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="training needs the train extra")

from sensebind.errors import InputError
from sensebind_engines.training.sampling import Sampler, draws, prepared

if TYPE_CHECKING:
    from collections.abc import Callable


@given(st.integers(2, 50), st.integers(2, 20), st.integers(0, 3))
def test_an_epoch_holds_every_item_once(items: int, batch: int, epoch: int) -> None:
    sampler = Sampler("pairs", items, batch, seed=5)
    steps = range(epoch * sampler.epoch_steps, (epoch + 1) * sampler.epoch_steps)
    drawn = [sampler.indices(step) for step in steps]
    together = np.concatenate(drawn)
    alone = items % min(batch, items) == 1
    assert len(set(together.tolist())) == len(together) == items - alone
    assert all(2 <= len(indices) <= batch for indices in drawn)


def test_a_step_does_not_depend_on_those_before() -> None:
    whole = Sampler("pairs", 23, 4, seed=5)
    expected = [whole.indices(step).tolist() for step in range(30)]
    for step in (29, 3, 17):
        assert Sampler("pairs", 23, 4, seed=5).indices(step).tolist() == expected[step]
    assert Sampler("pairs", 23, 4, seed=6).indices(0).tolist() != expected[0]
    assert Sampler("other", 23, 4, seed=5).indices(0).tolist() != expected[0]


def test_too_few_items() -> None:
    with pytest.raises(InputError, match=r"'pairs' has 3 items, expected at least 4; add more"):
        Sampler("pairs", 3, 8, seed=0, least=4)


def test_draws_differ_by_use() -> None:
    uses: list[tuple[int | str, ...]] = [("a", 1), ("a", 2), ("b", 1)]
    assert len({int(draws(0, *use).integers(2**60)) for use in uses}) == 3
    assert draws(3, "a").integers(2**60) == draws(3, "a").integers(2**60)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_prepared_keeps_the_order_and_is_not_far_ahead(workers: int) -> None:
    made: list[int] = []
    lock = threading.Lock()

    def make(step: int) -> int:
        with lock:
            made.append(step)
        return step

    for taken, step in enumerate(prepared(make, range(3, 20), workers), start=1):
        assert step == taken + 2
        with lock:
            assert len(made) <= taken + workers + 1
    assert sorted(made) == list(range(3, 20))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_at_its_step(workers: int) -> None:
    def fail(at: int) -> Callable[[int], int]:
        def make(step: int) -> int:
            if step == at:
                raise InputError("row 4 is bad")
            return step

        return make

    steps = prepared(fail(4), range(8), workers)
    assert [next(steps) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(InputError, match="row 4 is bad"):
        next(steps)
