# SPDX-License-Identifier: Apache-2.0
"""Every preset trains: real encoders, tiny sizes, features that are noise of the right shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra")

import torch

from sensebind_engines.data.base import VECTOR, Batch
from sensebind_engines.models.config import input_specs
from sensebind_engines.training.assembly import Assembly, assemble
from sensebind_engines.training.config_file import load_config, presets
from sensebind_engines.training.explain import explanation
from sensebind_engines.training.reporting import read_log
from sensebind_engines.training.run import train, trained_encoder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.types import Modality

ITEMS = 7
SETTINGS = ["schedule.steps=3", "schedule.warmup_steps=1", "training.batch=4"]


def _settings(name: str) -> list[str]:
    """Makes every trained node as small as it can be."""
    small = []
    for modality, node in load_config(name).nodes.items():
        if not node.frozen:
            size = "tiny" if modality.value == "text" else "conv-tiny"
            small.append(f"nodes.{modality.value}.size={size}")
    return [*SETTINGS, *small]


class Noise:
    """Rows of noise for every sense, drawn once."""

    def __init__(self, assembly: Assembly, name: str) -> None:
        self.modalities = assembly.graph.modalities_of(name)
        self.content_sha256 = "0" * 64
        generator = torch.Generator().manual_seed(1)
        self._rows = {m: self._features(assembly, m, generator) for m in self.modalities}

    @staticmethod
    def _features(
        assembly: Assembly, modality: Modality, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        if assembly.graph.nodes[modality].frozen:
            rows = torch.randn(ITEMS, assembly.config.dim, generator=generator)
            return {VECTOR: torch.nn.functional.normalize(rows, dim=-1)}
        features = {}
        for spec in input_specs(assembly.encoders[modality]):
            shape = [axis if isinstance(axis, int) else 5 for axis in spec.shape[1:]]
            if spec.dtype == "int64":
                mask = spec.name == "attention_mask"
                features[spec.name] = torch.randint(
                    1, 2 if mask else 99, (ITEMS, *shape), generator=generator
                )
            else:
                features[spec.name] = torch.randn(ITEMS, *shape, generator=generator)
        return features

    def __len__(self) -> int:
        return ITEMS

    def describe(self, index: int) -> str:
        return f"row {index}"

    def batch(self, indices: NDArray[np.int64], _rng: np.random.Generator | None) -> Batch:
        rows = torch.from_numpy(indices)
        chosen = {m: {n: t[rows] for n, t in f.items()} for m, f in self._rows.items()}
        return Batch(chosen, torch.arange(ITEMS)[rows])


@pytest.mark.parametrize("name", presets())
def test_trains(name: str, tmp_path: Path) -> None:
    config = load_config(name, _settings(name))
    assembly = assemble(config)
    data = {source: Noise(assembly, source) for source in assembly.graph.by_data()}
    folder = train(config, tmp_path / "run", data)
    assert len(read_log(folder.log)) == 1  # every ten steps, and the last
    edges = folder.edges()
    assert [edge.pair for edge in edges] == [edge.pair for edge in assembly.graph.edges]
    assert all(np.isfinite(edge.value) for edge in edges)
    for modality in assembly.encoders:
        encoder = trained_encoder(folder, modality)
        rows = next(d._rows[modality] for d in data.values() if modality in d.modalities)
        with torch.inference_mode():
            vectors = encoder(**rows)
        assert vectors.shape == (ITEMS, config.dim)
        assert torch.allclose(vectors.norm(dim=1), torch.ones(ITEMS), atol=1e-5)
    if "text" in {modality.value for modality in assembly.encoders}:
        assert folder.tokenizer.is_file()


def test_a_shared_trunk_is_trained_once(tmp_path: Path) -> None:
    settings = [*SETTINGS, 'trunk="shared"', "nodes.audio.size=tiny", "nodes.vision.size=tiny"]
    small = [
        f"nodes.{n}.encoder.network.{k}=1" for n in ("audio", "vision") for k in ("blocks", "heads")
    ]
    config = load_config("avid_cma", [*settings, *small])
    assembly = assemble(config)
    counts, total = assembly.parameters()
    assert total < sum(counts.values())
    folder = train(config, tmp_path / "run", {"audio_vision": Noise(assembly, "audio_vision")})
    trunks = [
        {n: w for n, w in folder.weights(modality).items() if ".trunk." in n}
        for modality in assembly.encoders
    ]
    assert trunks[0]
    assert all(torch.equal(trunks[0][name], trunks[1][name]) for name in trunks[0])


def test_explain_tells_edges_emergence_and_data() -> None:
    text = explanation(assemble(load_config("imagebind", _settings("imagebind"))))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "4 edges train 4 of 15 pairs of 6 senses" in lines[0]
    assert "vision frozen, of demo none trained" in lines
    assert "audio-vision infonce fixed at 0.05 1 audio_vision" in lines
    assert "given by the anchor: vision-text" in lines
    assert "audio-depth vision" in lines
    assert any("not given: set data.imu_vision.manifest" in line for line in lines)
    one = explanation(assemble(load_config("clip", _settings("clip"))))
    assert one.startswith("1 edge trains 1 of 1 pairs of 2 senses")
    assert "left to emerge: none" in explanation(assemble(load_config("cmc", _settings("cmc"))))
