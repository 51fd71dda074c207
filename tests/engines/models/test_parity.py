# SPDX-License-Identifier: Apache-2.0
"""ImageBind's sizes compute what its own implementation computes, with weights made by a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="models need the train extra")

import torch

from sensebind.types import Modality
from sensebind_engines.imagebind.layout import (
    imagebind_config,
    to_ours,
    tower_extras,
    tower_weights,
)
from sensebind_engines.models.build import build_empty
from sensebind_engines.models.clips import encode_clips, encode_scaled
from tests.support.imagebind import all_shapes, golden, rule_input, rule_weight

if TYPE_CHECKING:
    from torch import Tensor

    from sensebind_engines.models.encoder import Encoder

LARGEST_DIFFERENCE = 1e-5


def rule_encoder(modality: Modality) -> Encoder:
    """ImageBind's tower with the rule's weights."""
    state = {
        weight.ours: to_ours(weight, rule_weight(weight.theirs, weight.shape))
        for weight in tower_weights(modality)
    }
    state.setdefault("log_scale", torch.tensor(0.0))
    encoder = build_empty(imagebind_config(modality))
    encoder.load_state_dict(state, assign=True)
    encoder.eval()
    return encoder


def assert_equal_to_golden(name: str, vectors: Tensor) -> None:
    """Compare with ImageBind's own output of that name."""
    expected = golden()[f"out/{name}"]
    norms = np.linalg.norm(expected, axis=1)
    difference = np.abs(vectors.numpy() - expected).max(axis=1) / norms
    assert difference.max() <= LARGEST_DIFFERENCE


def test_the_layout_is_the_checkpoints() -> None:
    shapes = {
        weight.theirs: weight.shape for modality in Modality for weight in tower_weights(modality)
    }
    for modality in Modality:
        shapes |= tower_extras(modality)
    assert len(shapes) == 1311
    assert shapes == all_shapes()


@pytest.mark.parametrize(
    ("modality", "parameters"),
    [
        ("vision", 632_829_440),
        ("text", 354_032_641),
        ("audio", 86_235_648),
        ("depth", 21_871_872),
        ("thermal", 86_211_072),
        ("imu", 19_600_384),
    ],
)
def test_parameters_are_as_many(modality: str, parameters: int) -> None:
    encoder = build_empty(imagebind_config(Modality(modality)))
    # ImageBind counts text's learned scale; ours is a buffer, because losses have their own.
    learned_scale = 1 if modality == "text" else 0
    assert sum(p.numel() for p in encoder.parameters()) + learned_scale == parameters


@pytest.mark.parametrize("modality", [Modality.DEPTH, Modality.THERMAL, Modality.IMU])
def test_dense_towers(modality: Modality) -> None:
    encoder = rule_encoder(modality)
    with torch.inference_mode():
        assert_equal_to_golden(modality.value, encode_scaled(encoder, rule_input(modality.value)))


def test_audio_and_its_clips() -> None:
    encoder = rule_encoder(Modality.AUDIO)
    with torch.inference_mode():
        clips = encode_clips(encoder, rule_input("audio"))
        assert_equal_to_golden("audio", clips)
        assert_equal_to_golden("audio_single", encode_scaled(encoder, rule_input("audio_single")))
    assert torch.all(clips.norm(dim=1) < encoder.scale - 1)  # not brought back to length


@pytest.mark.slow
def test_vision_of_pictures_and_of_two_frames() -> None:
    encoder = rule_encoder(Modality.VISION)
    clips = rule_input("vision_video").transpose(2, 3)  # their frames come after the channels
    with torch.inference_mode():
        assert_equal_to_golden("vision", encode_scaled(encoder, rule_input("vision")))
        assert_equal_to_golden("vision_video", encode_clips(encoder, clips))


@pytest.mark.slow
def test_text() -> None:
    encoder = rule_encoder(Modality.TEXT)
    ids = torch.from_numpy(golden()["in/text"])
    ends = ids.argmax(dim=1)
    mask = (torch.arange(ids.shape[1]) <= ends[:, None]).long()
    with torch.inference_mode():
        assert_equal_to_golden("text", encode_scaled(encoder, ids, mask))
        for row, end in enumerate(ends):  # the runtime gives each text alone, without padding
            alone = encoder(ids[row : row + 1, : end + 1], mask[row : row + 1, : end + 1])
            assert torch.allclose(alone, encoder(ids, mask)[row], atol=1e-6)
