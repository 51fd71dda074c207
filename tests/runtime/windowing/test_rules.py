# SPDX-License-Identifier: Apache-2.0
"""How configuration and manifest become the numbers of the grid."""

from __future__ import annotations

from fractions import Fraction

import pytest

from sensebind.config import StreamConfig
from sensebind.errors import ConfigError
from sensebind.specs import (
    EncoderSpec,
    ImuSpec,
    LogMelSpec,
    Preprocess,
    TensorSpec,
    TextSpec,
    VisionSpec,
    WindowSpec,
)
from sensebind.types import Modality
from sensebind.windowing.rules import FrameRules, SampleRules, UniformRules, rules_for


def spec(preprocess: Preprocess, window: WindowSpec | None = None) -> EncoderSpec:
    tensor = TensorSpec(name="x", dtype="float32", shape=("batch", 4))
    return EncoderSpec(
        onnx="x.onnx",
        inputs=(tensor,),
        output=tensor,
        preprocess=preprocess,
        window=window or WindowSpec(length_s=2.0, hop_s=0.5),
    )


def test_imu_rules_take_the_manifest_where_the_stream_is_silent() -> None:
    rules = rules_for(spec(ImuSpec(rate_hz=200.0)), StreamConfig(modality=Modality.IMU))
    assert rules == SampleRules(
        length_ns=2_000_000_000,
        hop_ns=500_000_000,
        min_coverage=0.9,
        lateness_ns=0,
        rate_hz=200.0,
        max_interval_ns=50_000_000,
        gap_limit_ns=250_000_000,
        support=2,
    )


def test_the_stream_s_hop_goes_before_the_run_s_and_the_manifest_s() -> None:
    stream = StreamConfig(modality=Modality.IMU, hop_s=0.1)
    assert rules_for(spec(ImuSpec(rate_hz=200.0)), stream, 0.2).hop_ns == 100_000_000
    silent = StreamConfig(modality=Modality.IMU)
    assert rules_for(spec(ImuSpec(rate_hz=200.0)), silent, 0.2).hop_ns == 200_000_000


def test_linear_interpolation_needs_one_sample_of_support() -> None:
    rules = rules_for(
        spec(ImuSpec(rate_hz=200.0, interpolation="linear")), StreamConfig(modality=Modality.IMU)
    )
    assert isinstance(rules, SampleRules)
    assert rules.support == 1


def test_audio_rules_tolerate_half_a_frame_shift() -> None:
    rules = rules_for(spec(LogMelSpec()), StreamConfig(modality=Modality.AUDIO))
    assert isinstance(rules, UniformRules)
    assert (rules.frame_shift, rules.tolerance_ns) == (Fraction(1, 100), 5_000_000)


def test_a_hop_off_the_frame_shift_names_the_two_nearest() -> None:
    stream = StreamConfig(modality=Modality.AUDIO, hop_s=0.125)
    with pytest.raises(ConfigError, match=r"hop 0\.125 s is not a multiple .* 0\.12 or 0\.13 s"):
        rules_for(spec(LogMelSpec()), stream)


def test_a_hop_below_the_frame_shift_names_the_one_above() -> None:
    stream = StreamConfig(modality=Modality.AUDIO, hop_s=0.004)
    with pytest.raises(ConfigError, match=r"the nearest that are: 0\.01 s"):
        rules_for(spec(LogMelSpec()), stream)


def test_frame_rules_take_age_and_trigger_of_the_stream() -> None:
    vision = VisionSpec(size=8, mean=(0, 0, 0), std=(1, 1, 1), frame_positions=(0.0, 1.0))
    stream = StreamConfig(modality=Modality.VISION, trigger="frame", max_age_s=0.3)
    rules = rules_for(spec(vision), stream)
    assert isinstance(rules, FrameRules)
    assert (rules.positions, rules.max_age_ns, rules.at_frames) == ((0.0, 1.0), 300_000_000, True)
    silent = rules_for(spec(vision), StreamConfig(modality=Modality.VISION))
    assert isinstance(silent, FrameRules)
    assert silent.max_age_ns is None


def test_text_is_not_windowed() -> None:
    text = TextSpec(tokenizer="t.json", tokenizer_sha256="0" * 64, max_tokens=4)
    with pytest.raises(ConfigError, match="modality 'text' is not windowed"):
        rules_for(spec(text), StreamConfig(modality=Modality.TEXT))
