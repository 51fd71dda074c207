# SPDX-License-Identifier: Apache-2.0
"""Blocks that a program gets wrong are named; formats that change begin anew."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from sensebind.errors import InputError
from sensebind.types import SampleBlock, UniformBlock
from sensebind.windowing.rules import SampleRules, UniformRules
from sensebind.windowing.samples import SampleWindower
from sensebind.windowing.uniform import UniformWindower

MS = 1_000_000
SAMPLES = SampleRules(
    length_ns=100 * MS,
    hop_ns=50 * MS,
    rate_hz=100.0,
    max_interval_ns=25 * MS,
    gap_limit_ns=250 * MS,
)
UNIFORM = UniformRules(
    length_ns=100 * MS,
    hop_ns=50 * MS,
    frame_shift=Fraction(1, 100),
    gap_limit_ns=250 * MS,
    tolerance_ns=5 * MS,
    rate_hz=1000.0,
)


@pytest.mark.parametrize(
    ("stamps", "values"),
    [
        (np.zeros(2, np.float64), np.zeros((2, 6))),
        (np.zeros(2, np.int64), np.zeros((2, 6), np.float32)),
        (np.zeros(2, np.int64), np.zeros((3, 6))),
        (np.zeros(2, np.int64), np.zeros(2)),
    ],
)
def test_sample_blocks_of_another_form_are_named(stamps: Any, values: Any) -> None:
    with pytest.raises(InputError, match=r"block of stream 'imu' has stamps .* expected int64 \(n"):
        SampleWindower("imu", SAMPLES).push(SampleBlock("imu", stamps, values))


def test_samples_keep_their_number_of_channels() -> None:
    windower = SampleWindower("imu", SAMPLES)
    windower.push(SampleBlock("imu", np.array([1]), np.zeros((1, 6))))
    with pytest.raises(InputError, match=r"has 3 channels, earlier ones had 6"):
        windower.push(SampleBlock("imu", np.array([2]), np.zeros((1, 3))))


@pytest.mark.parametrize("values", [np.zeros((4, 1)), np.zeros(4, np.float32)])
def test_uniform_blocks_of_another_form_are_named(values: Any) -> None:
    with pytest.raises(InputError, match=r"block of stream 'mic' has values .* expected float32"):
        UniformWindower("mic", UNIFORM).push(UniformBlock("mic", 0, 1000.0, values))


def test_a_stream_that_turns_stereo_begins_anew() -> None:
    windower = UniformWindower("mic", UNIFORM)
    windower.push(UniformBlock("mic", 0, 1000.0, np.ones((200, 1), np.float32)))
    windows = windower.push(UniformBlock("mic", 200 * MS, 1000.0, np.ones((200, 2), np.float32)))
    assert windower.counters.rate_changes == 1
    assert windows[-1].values.shape == (100, 1)
