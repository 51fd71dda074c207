# SPDX-License-Identifier: Apache-2.0
"""Features of overlapping windows, computed once, are those of each window by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensebind.errors import InputError
from sensebind.preprocess import log_mel
from sensebind.preprocess.audio import AudioPreprocessor
from sensebind.specs import LogMelSpec
from sensebind.types import Window

SPEC = LogMelSpec(frames=21)
SHIFT = 160
LENGTH = 20 * SHIFT
SOUND = np.random.default_rng(5).standard_normal(400 * SHIFT).astype(np.float32)


def window(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], segment: int, start: int
) -> Window:
    nothing = np.empty(0, np.int64)
    return Window("mic", 0, 0, 0, 0, 1.0, nothing, values, (), segment, start)


@settings(max_examples=60)
@given(
    steps=st.lists(
        st.tuples(st.integers(-3, 30), st.sampled_from([0, 0, 0, 0, 1])), min_size=1, max_size=60
    )
)
def test_shared_frames_are_the_frames_of_each_window(steps: list[tuple[int, int]]) -> None:
    preprocessor = AudioPreprocessor(SPEC)
    at, segment = 0, 1
    for step, anew in steps:
        segment += anew
        at = min(max(0, at + step), 370)
        values = SOUND[at * SHIFT :][:LENGTH] * np.float32(segment)
        found = preprocessor.prepare(window(values[:, None], segment, at * SHIFT))
        assert found.features["features"].tobytes() == log_mel(values, SPEC).tobytes()


def test_windows_of_no_segment_share_nothing() -> None:
    preprocessor = AudioPreprocessor(SPEC)
    for scale in (1.0, 0.5):
        values = SOUND[:LENGTH] * np.float32(scale)
        found = preprocessor.prepare(window(values[:, None], -1, 0)).features["features"]
        assert found.tobytes() == log_mel(values, SPEC).tobytes()


def test_frames_the_window_is_too_short_for_hold_the_pad() -> None:
    features = AudioPreprocessor(SPEC).prepare(window(SOUND[:LENGTH, None], 1, 0)).features
    pad = (0 - SPEC.mean) / SPEC.std
    np.testing.assert_allclose(features["features"][0, :, 18:], pad, rtol=1e-6)


def test_surplus_frames_are_cut() -> None:
    spec = LogMelSpec(frames=7)
    features = AudioPreprocessor(spec).prepare(window(SOUND[:LENGTH, None], 1, 0)).features
    assert features["features"].tobytes() == log_mel(SOUND[:LENGTH], spec).tobytes()


def test_a_window_of_several_channels_is_named() -> None:
    with pytest.raises(InputError, match=r"audio window has values \(3200, 2\), expected \(n, 1\)"):
        AudioPreprocessor(SPEC).prepare(window(np.zeros((LENGTH, 2), np.float32), 1, 0))
