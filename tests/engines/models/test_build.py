# SPDX-License-Identifier: Apache-2.0
"""Encoders of every size: unit vectors, gradients, shared trunks, and what does not fit."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="models need the train extra")

import torch
from torch import Tensor

from sensebind.errors import ConfigError
from sensebind.types import Modality
from sensebind_engines.models.build import build_empty, build_encoder, build_encoders
from sensebind_engines.models.config import input_specs
from sensebind_engines.models.sizes import default_config

SMALL = ["tiny", "small", "base", "conv-tiny", "conv-small", "conv-base"]
CASES = [
    (modality, size)
    for modality in Modality
    for size in SMALL
    if not (modality is Modality.TEXT and size.startswith("conv"))
]


def random_inputs(modality: Modality, size: str, batch: int) -> dict[str, Tensor]:
    """Features of a size's shape by name; texts of 5 tokens, the last one padding."""
    if modality is Modality.TEXT:
        mask = torch.tensor([[1, 1, 1, 1, 0]]).expand(batch, -1)
        return {"input_ids": torch.randint(0, 49408, (batch, 5)), "attention_mask": mask}
    (spec,) = input_specs(default_config(modality, size))
    shape = [batch if isinstance(axis, str) else axis for axis in spec.shape]
    return {spec.name: torch.randn(shape)}


@pytest.mark.parametrize(("modality", "size"), CASES)
def test_unit_vectors_by_name_of_the_inputs(modality: Modality, size: str) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(default_config(modality, size, 24)).eval()
    inputs = random_inputs(modality, size, 2)
    with torch.inference_mode():
        vectors, raw = encoder(**inputs), encoder.embed(**inputs)
    assert vectors.shape == (2, 24)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2), atol=1e-6)
    assert torch.allclose(raw / raw.norm(dim=1, keepdim=True), vectors, atol=1e-6)
    assert not torch.allclose(raw.norm(dim=1), torch.ones(2), atol=1e-3)


@pytest.mark.parametrize("modality", [m for m in Modality if m is not Modality.TEXT])
@pytest.mark.parametrize("size", ["conv-tiny", "conv-small", "conv-base"])
def test_convolutional_encoders_are_small(modality: Modality, size: str) -> None:
    encoder = build_encoder(default_config(modality, size, 384))
    assert 0.99e5 <= sum(p.numel() for p in encoder.parameters()) <= 1e6


@pytest.mark.parametrize("modality", list(Modality))
def test_every_weight_learns(modality: Modality) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(default_config(modality, "tiny", 24)).train()
    target = torch.nn.functional.normalize(torch.randn(4, 24), dim=1)
    (1 - (encoder(**random_inputs(modality, "tiny", 4)) * target).sum(1)).mean().backward()
    still = [name for name, p in encoder.named_parameters() if p.grad is None]
    assert still == []


def test_equal_seeds_give_equal_weights() -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(build_encoder(default_config("audio", "tiny", 24)).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_token_sees_no_later_one() -> None:
    torch.manual_seed(0)
    encoder = build_encoder(default_config("text", "tiny", 24)).eval()
    ids, mask = torch.tensor([[5, 6, 7, 8]]), torch.tensor([[1, 1, 1, 0]])
    other = torch.tensor([[5, 6, 7, 99]])
    assert torch.equal(encoder(ids, mask), encoder(other, mask))
    earlier = torch.tensor([[99, 6, 7, 8]])
    assert not torch.allclose(encoder(ids, mask), encoder(earlier, mask), atol=1e-3)


def test_a_picture_is_two_equal_frames() -> None:
    torch.manual_seed(0)
    encoder = build_encoder(default_config("vision", "tiny", 24)).eval()
    picture = torch.randn(2, 3, 96, 96)
    twice = picture[:, None].expand(-1, 2, -1, -1, -1)
    assert torch.equal(encoder(picture), encoder(twice))
    assert not torch.allclose(encoder(picture), encoder(twice * torch.tensor([1.0, -1.0])[
        None, :, None, None, None]), atol=1e-3)  # fmt: skip


def test_dropped_paths_and_dropout_are_for_training_only() -> None:
    torch.manual_seed(0)
    overrides = {"network": {"drop_path": 0.9, "dropout": 0.5}}
    encoder = build_encoder(default_config("imu", "tiny", 24, overrides))
    features = torch.randn(2, 6, 400)
    with torch.inference_mode():
        encoder.train()
        assert not torch.allclose(encoder(features), encoder(features), atol=1e-3)
        encoder.eval()
        assert torch.equal(encoder(features), encoder(features))


def test_a_dropped_path_keeps_the_mean() -> None:
    torch.manual_seed(0)
    encoder = build_encoder(
        default_config("imu", "tiny", 24, {"network": {"drop_path": 0.5, "blocks": 2}})
    )
    last = encoder.network.trunk.blocks[-1]
    update = torch.ones(20000, 1, 1)
    dropped = last._dropped(update)
    assert sorted(dropped.unique().tolist()) == [0.0, 2.0]
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.05)
    assert encoder.network.trunk.blocks[0].drop_path == 0.0


def test_a_shared_trunk_is_one() -> None:
    configs = {m: default_config(m, "tiny", 24) for m in Modality}
    encoders = build_encoders(configs, "shared")
    trunks = {id(encoder.network.trunk) for encoder in encoders.values()}
    heads = {id(encoder.network.head) for encoder in encoders.values()}
    assert (len(trunks), len(heads)) == (1, 6)
    separate = build_encoders(configs)
    assert len({id(encoder.network.trunk) for encoder in separate.values()}) == 6


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (
            {"audio": "tiny", "imu": "small"},
            r"imu .* are \(256, 6, 4, True, 0.05, 1e-06\)",
        ),
        ({"audio": "tiny", "imu": "conv-tiny"}, "the imu encoder is convolutional"),
        ({}, "no encoders were given"),
    ],
)
def test_what_cannot_share_a_trunk(sizes: dict[str, str], message: str) -> None:
    configs = {Modality(m): default_config(m, size) for m, size in sizes.items()}
    with pytest.raises(ConfigError, match=message):
        build_encoders(configs, "shared")


@pytest.mark.parametrize(
    ("modality", "overrides", "message"),
    [
        ("imu", {"window": {"length_s": 2.01}}, "window has 402 points, expected a multiple of"),
        ("depth", {"preprocess": {"size": 8}}, "patch is 12, expected at most .* side of 8"),
        ("vision", {"preprocess": {"frame_positions": [0, 0.5, 1]}}, "has 3 entries, expected 1"),
    ],
)
def test_features_that_do_not_fit(
    modality: str, overrides: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build_encoder(default_config(modality, "tiny", 24, overrides))


def test_an_empty_encoder_takes_weights() -> None:
    config = default_config("depth", "tiny", 24)
    full, empty = build_encoder(config).eval(), build_empty(config).eval()
    assert all(p.is_meta for p in empty.parameters())
    empty.load_state_dict(full.state_dict(), assign=True)
    features = torch.randn(1, 1, 96, 96)
    assert torch.equal(full(features), empty(features))


def test_the_scale_is_clipped() -> None:
    encoder = build_encoder(default_config("audio", "conv-tiny", 24))
    assert encoder.scale.item() == pytest.approx(20.0)
    encoder.log_scale.fill_(9.0)
    assert encoder.scale.item() == 100.0
