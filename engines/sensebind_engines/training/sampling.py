# SPDX-License-Identifier: Apache-2.0
"""Which items a step takes, and their preparation ahead of it.

What a step draws is a function of the seed and the step's number alone, so that a run that is
resumed goes on exactly as if it had not stopped, with no state of a generator to keep.
"""

from __future__ import annotations

import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from sensebind.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future

    from numpy.typing import NDArray

T = TypeVar("T")


def draws(seed: int, *place: int | str) -> np.random.Generator:
    """A generator of its own for one use: `place` says which (names and numbers)."""
    numbers = (zlib.crc32(p.encode()) if isinstance(p, str) else p for p in place)
    return np.random.default_rng([seed, *numbers])


def seeds(count: int, *place: int | str) -> list[int]:
    """Seeds of 64 bits for one use, where making a generator would take longer than its use."""
    digests = (blake2b(repr((n, *place)).encode(), digest_size=8) for n in range(count))
    return [int.from_bytes(digest.digest(), "big") for digest in digests]


class Sampler:
    """Batches of one data set: every epoch all items once, in an order of its own.

    The last batch of an epoch is smaller where the items do not divide; it is left out if it has
    fewer than `least` items, as one row alone has no negatives.

    Attributes:
        batch: items of a whole batch; all there are if those are fewer than asked for.
        epoch_steps: batches per epoch.
    """

    def __init__(self, name: str, items: int, batch: int, seed: int, least: int = 2) -> None:
        """Describe the batches of the data set `name`.

        Raises:
            InputError: if it has fewer than `least` items.
        """
        if items < least:
            raise InputError(
                f"the data {name!r} has {items} items, expected at least {least}; add more"
            )
        self._name, self._items, self._seed = name, items, seed
        self.batch = min(batch, items)
        whole, rest = divmod(items, self.batch)
        self.epoch_steps = whole + (rest >= least)
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def indices(self, step: int) -> NDArray[np.int64]:
        """Items of a step, int64, counted from 0 over the whole run."""
        epoch, place = divmod(step, self.epoch_steps)
        order = self._order
        if order is None or order[0] != epoch:
            drawn = draws(self._seed, "order", self._name, epoch).permutation(self._items)
            order = self._order = (epoch, drawn)
        return order[1][place * self.batch : (place + 1) * self.batch]


def prepared(make: Callable[[int], T], steps: range, workers: int) -> Generator[T, None, None]:
    """Call `make` for every step, in order, up to `workers` + 1 steps ahead in other threads.

    Raises:
        whatever `make` raises, at the step it is of.
    """
    if workers == 0:
        yield from map(make, steps)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for step in steps:
                waiting.append(pool.submit(make, step))
                if len(waiting) > workers + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
