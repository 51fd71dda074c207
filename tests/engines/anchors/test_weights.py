# SPDX-License-Identifier: Apache-2.0
"""Files of weights as anchors: imported into the cache once, by their content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="anchors from weights need the train extra")
pytest.importorskip("onnxscript", reason="anchors from weights need the train extra")

import torch

from sensebind.errors import InputError
from sensebind.types import Modality
from sensebind_engines.anchors import open_anchor, weights
from sensebind_engines.models.build import build_encoder
from sensebind_engines.models.sizes import default_config

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_engines.models.encoder import Encoder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path / "cache"))


def test_a_file_is_imported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Modality] = []

    def tower(state: dict[str, torch.Tensor], modality: Modality) -> Encoder:
        assert list(state) == ["visual.conv1.weight"]
        built.append(modality)
        torch.manual_seed(0)
        return build_encoder(default_config(modality, "conv-tiny", 8))

    monkeypatch.setattr(weights, "openclip_tower", tower)
    file = tmp_path / "clip.pt"
    torch.save({"visual.conv1.weight": torch.ones(1)}, file)
    pictures = [{"features": np.ones((3, 112, 112), np.float32)}]
    first = open_anchor(file, Modality.VISION)
    file.rename(tmp_path / "renamed.pt")
    second = open_anchor(tmp_path / "renamed.pt", Modality.VISION)
    assert built == [Modality.VISION]
    assert first.encoder_id == second.encoder_id
    assert np.array_equal(first.vectors(pictures), second.vectors(pictures))


def test_a_foreign_file_is_named(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.ones(1)}, tmp_path / "x.pt")
    with pytest.raises(InputError, match="neither ImageBind's nor OpenCLIP's towers: its first te"):
        open_anchor(tmp_path / "x.pt", Modality.VISION)


def test_a_cut_imagebind_is_told_by_its_keys(tmp_path: Path) -> None:
    name = "modality_trunks.vision.blocks.0.norm_1.weight"
    torch.save({name: torch.ones(1280)}, tmp_path / "x.pt")
    with pytest.raises(InputError, match="does not hold ImageBind's vision exactly"):
        open_anchor(tmp_path / "x.pt", Modality.VISION)
    assert not list((tmp_path / "cache").rglob("bundle.json"))
