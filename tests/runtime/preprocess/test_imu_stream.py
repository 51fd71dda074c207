# SPDX-License-Identifier: Apache-2.0
"""A stream's features do not depend on its blocks, nor on what else its windows show."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensebind.config import StreamConfig
from sensebind.preprocess import make_preprocessor, resample_imu
from sensebind.specs import EncoderSpec, ImuSpec, TensorSpec, WindowSpec
from sensebind.types import Modality, SampleBlock
from sensebind.windowing import make_windower, rules_for
from sensebind.windowing.samples import SampleWindower

EPOCH_NS = 1_700_000_000_000_000_000
STREAM = StreamConfig(modality=Modality.IMU)
TENSOR = TensorSpec(name="features", dtype="float32", shape=(6, 50))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    step_ns=st.sampled_from([1_500_000, 6_000_000, 7_000_000, 10_000_000, 30_000_000]),
    spec=st.builds(
        ImuSpec,
        rate_hz=st.sampled_from([100.0, 59.94]),
        interpolation=st.sampled_from(["linear", "cubic"]),
        antialias=st.sampled_from(["triangle", "none"]),
    ),
    cuts=st.lists(st.integers(0, 300), max_size=8),
)
def test_windows_of_any_blocks_equal_the_whole_recording(
    seed: int, step_ns: int, spec: ImuSpec, cuts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    stamps = EPOCH_NS + np.cumsum((step_ns * rng.uniform(0.5, 1.5, 300)).astype(np.int64))
    values = rng.normal(size=(300, 6))
    encoder = EncoderSpec(
        onnx="imu.onnx",
        inputs=(TENSOR,),
        output=TensorSpec(name="vector", dtype="float32", shape=("batch", 8)),
        preprocess=spec,
        window=WindowSpec(length_s=0.5, hop_s=0.05, min_coverage=1.0),
    )
    windower = make_windower("imu", rules_for(encoder, STREAM))
    assert isinstance(windower, SampleWindower)
    windows = []
    for first, last in pairwise([0, *sorted(cuts), 300]):
        windows += windower.push(SampleBlock("imu", stamps[first:last], values[first:last]))
    windows += windower.flush()
    preprocessor = make_preprocessor(encoder, STREAM)
    for window in windows:
        arguments: dict[str, Any] = {
            "end_ns": window.grid_ns,
            "length_s": 0.5,
            "rate_hz": spec.rate_hz,
            "interpolation": spec.interpolation,
            "antialias": spec.antialias,
        }
        whole = resample_imu(stamps, values, **arguments)
        found = preprocessor.prepare(window).features["features"]
        assert found.tobytes() == whole.tobytes()
    assert windows or stamps[-1] - stamps[0] < 1_100_000_000
