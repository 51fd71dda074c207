# SPDX-License-Identifier: Apache-2.0
"""Preprocessing may be called from many threads, and lets others run meanwhile."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.preprocess.imu import resample_imu

if TYPE_CHECKING:
    from collections.abc import Iterator

STAMPS = np.arange(20_000, dtype=np.int64) * 1_000_000
VALUES = np.random.default_rng(0).normal(size=(20_000, 6))


def resampled(end_s: int, rate_hz: float = 900.0) -> bytes:
    arguments: dict[str, Any] = {"end_ns": end_s * 10**9, "length_s": 10.0, "rate_hz": rate_hz}
    return resample_imu(STAMPS, VALUES, **arguments).tobytes()


def test_many_threads_make_the_same_bytes() -> None:
    calls = [(end_s, rate_hz) for end_s in range(10, 20) for rate_hz in (100.0, 900.0)] * 4
    expected = {call: resampled(*call) for call in set(calls)}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda call: resampled(*call), calls))
    assert found == [expected[call] for call in calls]


@pytest.fixture
def no_forced_switch() -> Iterator[None]:
    """A thread keeps the interpreter until it gives it up by itself."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("no_forced_switch")
def test_others_run_while_a_kernel_does() -> None:
    """Without forced switches another thread can only run while the worker is in its kernel."""
    resampled(10)
    ready, inside, ended = threading.Event(), False, False
    seen: list[tuple[bool, bool]] = []

    def work() -> None:
        nonlocal inside, ended
        ready.set()
        for _ in range(2000):
            inside = True
            resampled(10)
            inside = False
            if seen:
                break
        ended = True

    worker = threading.Thread(target=work)
    worker.start()
    ready.wait()
    seen.append((inside, ended))
    worker.join()
    assert seen == [(True, False)]
