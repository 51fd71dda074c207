# SPDX-License-Identifier: Apache-2.0
"""The demo's IMU encoder: trained on simulated windows, bound to text by multi-positive InfoNCE.

Text-bound means supervised: its classes and their paraphrases are what it was taught; a class it
was not taught is not recognised (`imu_evaluation` measures that).
"""

from __future__ import annotations

import json
import math
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sensebind.specs import EncoderSpec, ImuSpec, TensorSpec, WindowSpec
from sensebind_engines.models.imu_conv import ImuConv
from sensebind_engines.recipes.imu_augment import ImuAugmentation, augment
from sensebind_engines.recipes.simulation.episodes import WINDOW_S
from sensebind_engines.recipes.simulation.labels import CLASSES
from sensebind_engines.training.loop import Schedule, train
from sensebind_engines.training.losses import multi_positive_infonce

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind_engines.recipes.simulation.windows import WindowSet

RATE_HZ = 200.0
_POINTS = round(WINDOW_S * RATE_HZ)
IMU_PREPROCESS = ImuSpec(rate_hz=RATE_HZ)
IMU = EncoderSpec(
    onnx="imu.onnx",
    inputs=(TensorSpec(name="features", dtype="float32", shape=("batch", 6, _POINTS)),),
    output=TensorSpec(name="embedding", dtype="float32", shape=("batch", 384)),
    window=WindowSpec(length_s=WINDOW_S, hop_s=0.5),
    preprocess=IMU_PREPROCESS,
)

SCHEDULE = Schedule(steps=1200, warmup_steps=60, learning_rate=3e-3)
BATCH = 112
_FIRST_TEMPERATURE = 0.1
_LARGEST_SCALE = 50.0


class Prompts(NamedTuple):
    """Texts by class, per use; no text is in two of them.

    Attributes:
        train: what the encoder is bound to.
        dev: for choices.
        test: for figures.
        demo: shipped with the bundle.
        unseen: of a class that is never trained.
    """

    train: dict[str, list[str]]
    dev: dict[str, list[str]]
    test: dict[str, list[str]]
    demo: dict[str, list[str]]
    unseen: dict[str, list[str]]


class TrainedImu(NamedTuple):
    """A trained encoder, its temperature and the loss of every step."""

    encoder: ImuConv
    temperature: float
    losses: list[float]


def load_prompts() -> Prompts:
    """The committed texts of the IMU classes."""
    folder = resources.files("sensebind_engines.recipes") / "prompts"
    return Prompts(**json.loads((folder / "imu.json").read_text(encoding="utf-8")))


def train_imu_encoder(
    windows: WindowSet,
    texts: NDArray[np.float32],
    seed: int,
    schedule: Schedule = SCHEDULE,
) -> TrainedImu:
    """Bind a new encoder to the texts of its windows' classes.

    Every batch draws classes evenly, an input rate and a paraphrase for each window, and augments.

    Args:
        windows: training windows; only those of `CLASSES` are used.
        texts: (classes, paraphrases, dim) unit embeddings, in the order of `CLASSES`.
        seed: of the weights and of every draw.
        schedule: steps and rates.
    """
    features, classes = _trainable(windows)
    paraphrases = torch.from_numpy(texts)
    weights = 1.0 / torch.bincount(classes, minlength=len(CLASSES))[classes].double()
    binding = _new_binding(seed)
    amount = ImuAugmentation()

    def step_loss(generator: torch.Generator) -> Tensor:
        rows = torch.multinomial(weights, BATCH, replacement=True, generator=generator)
        rates = torch.randint(features.shape[1], (BATCH,), generator=generator)
        choice = torch.randint(paraphrases.shape[1], (BATCH,), generator=generator)
        batch = augment(features[rows, rates], generator, amount)
        groups = classes[rows]
        embeddings = binding.encoder(batch)
        return multi_positive_infonce(
            embeddings, paraphrases[groups, choice], groups, binding.scale()
        )

    losses = train(binding, step_loss, schedule, seed)
    return TrainedImu(binding.encoder, 1.0 / float(binding.scale().detach()), losses)


def embed_windows(encoder: ImuConv, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Embeddings (n, dim) of features (n, 6, T)."""
    with torch.inference_mode():
        parts = [encoder(part).numpy() for part in torch.from_numpy(features).split(256)]
    return np.concatenate(parts)


class _Binding(nn.Module):
    """The encoder and the learned inverse temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = ImuConv()
        self.log_scale = nn.Parameter(torch.tensor(-math.log(_FIRST_TEMPERATURE)))

    def scale(self) -> Tensor:
        return self.log_scale.exp().clamp(max=_LARGEST_SCALE)


def _new_binding(seed: int) -> _Binding:
    """Weights drawn from `seed`, without touching the global generator's state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _Binding()


def _trainable(windows: WindowSet) -> tuple[Tensor, Tensor]:
    known = np.isin(windows.labels, CLASSES)
    classes = np.array([CLASSES.index(label) for label in windows.labels[known]])
    return torch.from_numpy(windows.features[known]), torch.from_numpy(classes)
