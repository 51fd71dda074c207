# SPDX-License-Identifier: Apache-2.0
"""The typed configuration of a training run: nodes and edges of the binding graph, data, schedule.

One TOML file holds all of it (`config_file` reads it); the meaning of every field is told here.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from sensebind.errors import ConfigError
from sensebind.specs import Count, Positive, Strict
from sensebind.types import Modality
from sensebind_engines.data.config import DataConfig
from sensebind_engines.training.optimiser import Schedule

CENTROID = "centroid"
"""The virtual end of an edge: the normalised mean of the other senses bound to it."""

LossName = Literal["infonce", "multi_positive", "siglip", "agreement"]


class NodeConfig(Strict, frozen=True):
    """One sense of the graph: an encoder that is trained, or a tower that is kept.

    Attributes:
        size: a declared size of `sensebind_engines.models` ("tiny", "small", "base", …).
        encoder: fields of the encoder's configuration that differ from that size's.
        anchor: a frozen tower instead: a bundle's name or folder, or a file of weights. `size` and
            `encoder` are then not used.
        weights: a .safetensors file to begin from; drawn from the seed if None.
        tokenizer: text: a tokenizers file; the demo bundle's if None.
    """

    size: str = "tiny"
    encoder: dict[str, object] = msgspec.field(default_factory=dict)
    anchor: str | None = None
    weights: str | None = None
    tokenizer: str | None = None

    @property
    def frozen(self) -> bool:
        """Nothing of this node is trained."""
        return self.anchor is not None


class EdgeConfig(Strict, frozen=True):
    """One pair of senses that is bound.

    Attributes:
        pair: two modalities, or a modality and "centroid".
        data: name of the paired data, a key of `data`. Edges that name the same data share its
            batches: every sense is embedded once per step.
        loss: "infonce" (rows with equal keys are masked), "multi_positive" (they are positives),
            "siglip" (a sigmoid per pair) or "agreement" (AVID-CMA).
        temperature: divides the cosines; where learned, what it begins with. ImageBind fixes 0.05
            (audio), 0.2 (depth, IMU) and 0.1 (thermal); CLIP learns it from 0.07; SigLIP from 0.1.
        learned: train the temperature (its inverse is clamped at 100).
        bias: SigLIP's logit bias; trained where the temperature is.
        weight: factor of this edge's loss.
        positives: agreement: rows counted as positives of each row, besides itself.
        within: agreement: weight of the loss inside each sense.
    """

    pair: tuple[str, str]
    data: str
    loss: LossName = "infonce"
    temperature: Positive = 0.07
    learned: bool = False
    bias: float = -10.0
    weight: Positive = 1.0
    positives: Count = 4
    within: Positive = 1.0

    def __post_init__(self) -> None:
        """Check what no type can express."""
        known = [modality.value for modality in Modality]
        for end, allowed in zip(self.pair, (known, [*known, CENTROID]), strict=True):
            if end not in allowed:
                raise ConfigError(
                    f"an edge's pair is {list(self.pair)}: {end!r} is not one of "
                    f"{', '.join(allowed)}"
                )
        if self.pair[0] == self.pair[1]:
            raise ConfigError(f"an edge binds {self.pair[0]!r} to itself; give two senses")

    @property
    def name(self) -> str:
        """How logs and files call it: "audio-vision"."""
        return "-".join(self.pair)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Its ends that are senses: two, or one if the other is the centroid."""
        return tuple(Modality(end) for end in self.pair if end != CENTROID)


class TrainingConfig(Strict, frozen=True):
    """How the graph is trained, apart from the schedule.

    Attributes:
        batch: items of each data set per step, over all processes.
        micro_batch: rows embedded at once; fewer than `batch` saves memory and costs a second
            forward pass, the negatives and the gradient stay those of the whole batch.
        seed: of the weights, the order of items, augmentation and dropout.
        ema_decay: of the averaged weights that are exported; 0 exports the last ones.
        precision: "fp32", or "bf16" for autocast; losses are always float32.
        threads: of one process; torch's own choice if None. Other numbers of threads sum in
            another order, so bit-exact resumption needs the same.
        device: "cpu" or "cuda".
        augment: let the data augment its features.
        workers: threads that prepare batches ahead; 0 prepares them in the loop.
        checkpoint_every: steps between checkpoints.
        log_every: steps between lines of the log.
        tensorboard: write event files too (needs the package tensorboard).
    """

    batch: Annotated[int, Meta(ge=2)] = 64
    micro_batch: Count | None = None
    seed: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    ema_decay: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: Count | None = None
    device: Literal["cpu", "cuda"] = "cpu"
    augment: bool = True
    workers: Annotated[int, Meta(ge=0, le=64)] = 1
    checkpoint_every: Count = 100
    log_every: Count = 10
    tensorboard: bool = False


class GraphConfig(Strict, frozen=True):
    """A whole run.

    Attributes:
        nodes: the senses of the graph.
        edges: the pairs that are trained.
        schedule: steps, rates, decay and clipping.
        dim: length of the embeddings.
        trunk: "shared" has one transformer for all trained senses, with a stem and a head each.
        data: by name, where the items are.
        modalities: of the nodes, use these and the edges between them; all if None.
        training: batch, seed, precision, checkpoints.
    """

    nodes: Annotated[dict[Modality, NodeConfig], Meta(min_length=2)]
    edges: Annotated[tuple[EdgeConfig, ...], Meta(min_length=1)]
    schedule: Schedule
    dim: Count = 384
    trunk: Literal["separate", "shared"] = "separate"
    data: dict[str, DataConfig] = msgspec.field(default_factory=dict)
    modalities: tuple[Modality, ...] | None = None
    training: TrainingConfig = TrainingConfig()
