# SPDX-License-Identifier: Apache-2.0
"""Warming up runs every encoder on input that its front end accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

import sensebind as sb
from sensebind.preprocess import make_preprocessor
from sensebind.specs import (
    DepthSpec,
    EncoderSpec,
    ImuSpec,
    LogMelSpec,
    TensorSpec,
    ThermalSpec,
    VisionSpec,
    WindowSpec,
    features_shape,
)
from sensebind.types import Modality
from sensebind.warmup import synthetic_windows, warm_front_end, warm_up

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.specs import Preprocess

VISION = VisionSpec(size=32, mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0))
CASES: list[tuple[Modality, Preprocess, int]] = [
    (Modality.IMU, ImuSpec(rate_hz=100.0), 1),
    (Modality.AUDIO, LogMelSpec(), 1),
    (Modality.VISION, VISION, 1),
    (Modality.DEPTH, DepthSpec(representation="disparity", size=32, mean=0.0, std=1.0), 2),
    (Modality.THERMAL, ThermalSpec(size=32), 2),
]


@pytest.mark.parametrize(("modality", "front_end", "forms"), CASES)
@pytest.mark.parametrize("positions", [(1.0,), (0.0, 1.0)])
def test_made_up_windows_are_complete_and_usable(
    modality: Modality, front_end: Preprocess, forms: int, positions: tuple[float, ...]
) -> None:
    if hasattr(front_end, "frame_positions"):
        front_end = msgspec.structs.replace(front_end, frame_positions=positions)
    tensor = TensorSpec(name="features", dtype="float32", shape=(1,))
    encoder = EncoderSpec(
        onnx="x.onnx",
        inputs=(tensor,),
        output=tensor,
        preprocess=front_end,
        window=WindowSpec(length_s=2.0, hop_s=0.5),
    )
    windows = synthetic_windows(modality, encoder)
    assert len(windows) == forms
    for window in windows:
        assert window.coverage == 1.0
        features = make_preprocessor(encoder).prepare(window).features["features"]
        assert features.shape == features_shape(encoder)
        assert np.isfinite(features).all()
        assert features.std() > 0


def test_every_encoder_is_opened_and_run(bundle_folder: Path) -> None:
    with sb.Bundle.load(bundle_folder) as bundle:
        warmed = {item.modality: item for item in warm_up(bundle)}
        assert list(warmed) == list(bundle.modalities)
    assert warmed[Modality.TEXT].prepare_first_s is None
    for modality, item in warmed.items():
        assert item.open_s > 0
        assert item.encode_first_s
        assert item.encode_again_s
        if modality is not Modality.TEXT:
            assert item.prepare_first_s
            assert item.prepare_again_s


def test_forms_that_a_stream_rules_out_are_left_out(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = []
    with sb.Bundle.load(bundle_folder) as bundle:
        encoder = bundle.encoder(Modality.THERMAL)
        made = encoder.preprocessor

        def watched(*settings: Any) -> Any:
            preprocessor = made(*settings)
            prepare = preprocessor.prepare

            def note(window: Any) -> Any:
                result = prepare(window)
                prepared.append(window.frames[-1].encoding)
                return result

            monkeypatch.setattr(preprocessor, "prepare", note)
            return preprocessor

        monkeypatch.setattr(encoder, "preprocessor", watched)
        warm_front_end(encoder, sb.StreamConfig(modality=Modality.THERMAL, scale=0.01))
    assert prepared == ["16UC1"]  # 8-bit pictures are grey already and take no scale
