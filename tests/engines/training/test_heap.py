# SPDX-License-Identifier: Apache-2.0
"""The C library is told to keep memory, and told otherwise afterwards.

How many page faults that saves depends on where a process's memory lies, so it is measured by
`benchmarks.train`, not here.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from sensebind_engines.training.heap import keeping_freed_memory

if TYPE_CHECKING:
    import pytest


class Library:
    """Stands for the C library and notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int]] = []

    def mallopt(self, parameter: int, value: int) -> int:
        self.told.append(("mallopt", parameter, value))
        return 1

    def malloc_trim(self, pad: int) -> int:
        self.told.append(("malloc_trim", pad, 0))
        return 1


def test_memory_is_kept_for_as_long_as_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: library)
    with keeping_freed_memory():
        kept = dict(call[1:] for call in library.told)
    assert kept[-1] > 1 << 30  # M_TRIM_THRESHOLD of mallopt(3): nothing is trimmed
    assert kept[-4] == 0  # M_MMAP_MAX: nothing is mapped
    restored = dict(call[1:] for call in library.told[2:4])
    assert restored == {-1: 128 << 10, -4: 65536}  # what the manual page gives as defaults
    assert library.told[-1] == ("malloc_trim", 0, 0)


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    with keeping_freed_memory():
        pass


def test_the_real_library_takes_it() -> None:
    with keeping_freed_memory():
        assert len(bytearray(1 << 20)) == 1 << 20
