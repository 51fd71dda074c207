# SPDX-License-Identifier: Apache-2.0
"""Gradients in parts are those of the whole batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra")

import torch

from sensebind.errors import InputError
from sensebind.types import Modality
from sensebind_engines.data.base import VECTOR, Batch
from sensebind_engines.training.gradients import Gradients, keeping_buffers
from sensebind_engines.training.optimiser import TrainingError
from sensebind_engines.training.processes import Processes
from tests.engines.training.fakes import AUDIO_VISION, FakeData, graph_config, make_trainer

if TYPE_CHECKING:
    from sensebind_engines.training.binding import Binding

    Added = tuple[dict[int, float], dict[str, torch.Tensor]]

ITEMS = np.arange(7)
TRIANGLE = [
    {"pair": ["audio", "vision"], "learned": True},
    {"pair": ["audio", "depth"], "loss": "siglip", "learned": True, "weight": 0.5},
    {"pair": ["depth", "vision"], "loss": "agreement", "temperature": 0.2},
]


def _gradients(binding: Binding) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in binding.named_parameters() if p.grad is not None}


def _added(micro_batch: int | None, dropout: float = 0.0) -> Added:
    """Losses and gradients of one batch of seven, in float64."""
    config = graph_config(TRIANGLE, ("audio", "vision", "depth"), micro_batch=micro_batch)
    trainer = make_trainer(config, dropout=dropout, keys=True)
    binding = trainer.binding.double()
    data = FakeData(binding.graph.modalities_of("pairs"), keys=True)
    batch = data.batch(ITEMS, None)
    batch = Batch(
        {m: {k: v.double() for k, v in f.items()} for m, f in batch.features.items()}, batch.keys
    )
    with torch.random.fork_rng():
        values = Gradients(binding, config.training, Processes(), {}).add(3, "pairs", batch, ITEMS)
    return values, _gradients(binding)


@pytest.mark.parametrize("micro_batch", [1, 2, 3, 7])
def test_parts_give_the_loss_and_gradient_of_the_whole(micro_batch: int) -> None:
    values, gradients = _added(None)
    parts, in_parts = _added(micro_batch)
    assert parts == pytest.approx(values, abs=1e-12)
    assert in_parts.keys() == gradients.keys()
    assert len(gradients) == 3 * 4 + 3  # layers of three encoders, two scales and a bias
    for name, gradient in gradients.items():
        assert torch.allclose(in_parts[name], gradient, atol=1e-12), name


def test_the_gradient_is_the_weighted_sum_of_the_edges() -> None:
    """Plain back-propagation through the losses gives the same."""
    config = graph_config(TRIANGLE, ("audio", "vision", "depth"))
    binding = make_trainer(config, keys=True).binding
    batch = FakeData(binding.graph.modalities_of("pairs"), keys=True).batch(ITEMS, None)
    Gradients(binding, config.training, Processes(), {}).add(0, "pairs", batch, ITEMS)
    found = _gradients(binding)
    binding.zero_grad()
    vectors = {m: binding.embed(m, f) for m, f in batch.features.items()}
    losses = binding.losses("pairs", vectors, batch.keys)
    (losses[0] + 0.5 * losses[1] + losses[2]).backward()
    for name, gradient in _gradients(binding).items():
        assert torch.allclose(found[name], gradient, atol=1e-5), name


def test_both_passes_of_a_part_drop_the_same_units() -> None:
    """With other draws the vectors would not be those the loss was differentiated at."""
    made: list[torch.Tensor] = []
    config = graph_config(AUDIO_VISION, micro_batch=3)
    binding = make_trainer(config, dropout=0.5).binding.train()
    encoder = binding.encoders["audio"]
    encoder.register_forward_hook(lambda *call: made.append(call[2].detach()))
    batch = FakeData(binding.graph.modalities_of("pairs")).batch(ITEMS, None)
    Gradients(binding, config.training, Processes(), {}).add(0, "pairs", batch, ITEMS)
    assert len(made) == 6
    assert all(torch.equal(first, second) for first, second in zip(made[:3], made[3:], strict=True))
    Gradients(binding, config.training, Processes(), {}).add(1, "pairs", batch, ITEMS)
    assert not torch.equal(made[0], made[6])


def test_running_statistics_see_each_part_once() -> None:
    config = graph_config(AUDIO_VISION, micro_batch=4)
    binding = make_trainer(config, norm=True).binding.train()
    batch = FakeData(binding.graph.modalities_of("pairs")).batch(ITEMS, None)
    Gradients(binding, config.training, Processes(), {}).add(0, "pairs", batch, ITEMS)
    counts = [b for name, b in binding.named_buffers() if name.endswith("num_batches_tracked")]
    assert [int(count) for count in counts] == [2, 2]


def test_keeping_buffers_restores_them() -> None:
    module = torch.nn.BatchNorm1d(2)
    with keeping_buffers(module):
        module(torch.randn(4, 2))
    assert torch.equal(module.running_mean, torch.zeros(2))


def test_bfloat16_comes_near() -> None:
    full, half = (
        make_trainer(graph_config(AUDIO_VISION, steps=3, precision=precision))
        for precision in ("fp32", "bf16")
    )
    norms = [list(trainer.steps()) for trainer in (full, half)]
    assert norms[0] != norms[1]
    assert half.last[0] == pytest.approx(full.last[0], rel=0.1)
    assert all(weight.dtype is torch.float32 for weight in half.binding.parameters())


def test_a_loss_that_is_not_finite_names_edge_step_and_items() -> None:
    trainer = make_trainer(graph_config(AUDIO_VISION))
    data = FakeData(trainer.binding.graph.modalities_of("pairs"))
    batch = data.batch(ITEMS, None)
    batch.features[Modality.AUDIO]["features"][2, 0] = math.nan
    training = graph_config(AUDIO_VISION).training
    gradients = Gradients(trainer.binding, training, Processes(), {"pairs": data})
    rows = "; ".join(f"row {number}" for number in range(7))
    message = rf"edge 'audio-vision' became nan at step 4.*is {rows} of the data 'pairs'"
    with pytest.raises(TrainingError, match=message):
        gradients.add(4, "pairs", batch, ITEMS)
    assert all(weight.grad is None for weight in trainer.binding.parameters())


def _add(features: dict[Modality, dict[str, torch.Tensor]]) -> None:
    config = graph_config(AUDIO_VISION, anchors=["vision"])
    gradients = Gradients(make_trainer(config).binding, config.training, Processes(), {})
    gradients.add(0, "pairs", Batch(features, None), ITEMS)


def test_a_batch_that_does_not_fit_the_graph_is_refused() -> None:
    rows = torch.zeros(7, 6)
    audio, vector = {Modality.AUDIO: {"features": rows}}, torch.zeros(7, 5)
    with pytest.raises(InputError, match="'pairs' has no 'vision', which its edges need"):
        _add(audio)
    with pytest.raises(InputError, match="gives features of 'vision', which is frozen; expected"):
        _add({**audio, Modality.VISION: {"features": rows}})
    with pytest.raises(InputError, match=r"length 5, expected dim = 8; set dim to it"):
        _add({**audio, Modality.VISION: {VECTOR: vector}})
    with pytest.raises(InputError, match="gives vectors of 'audio', which is trained"):
        _add({Modality.AUDIO: {VECTOR: vector}, Modality.VISION: {VECTOR: vector}})
