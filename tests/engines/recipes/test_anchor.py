# SPDX-License-Identifier: Apache-2.0
"""The anchor's build, on cut networks; test_anchor_real.py builds the real ones."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

pytest.importorskip("torch", reason="the recipe needs the recipes extra")
pytest.importorskip("onnxscript", reason="the recipe needs the recipes extra")

import torch
from tokenizers import Tokenizer

from sensebind.errors import BundleError
from sensebind.specs import EncoderSpec, TextSpec
from sensebind.types import Modality
from sensebind_engines.export.check import run_graph
from sensebind_engines.models import efficientnet_lite, minilm
from sensebind_engines.models.efficientnet_lite import EfficientNetLite, Stage
from sensebind_engines.models.minilm import MAX_TOKENS, MiniLM, MiniLMSize, tokenize
from sensebind_engines.recipes import anchor
from sensebind_engines.recipes.anchor import AnchorFiles, build_anchor
from sensebind_engines.recipes.anchor_inputs import pictures, sentences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

PAYLOAD = ("vision.onnx", "text.onnx", "tokenizer.json")


@pytest.fixture(scope="module")
def cut() -> Iterator[None]:
    """Random networks of the right ends and few layers in place of the pretrained ones."""
    torch.manual_seed(0)
    classifier = EfficientNetLite((Stage(1, 3, 2, 1, 8),), stem=8, head=16)
    text = MiniLM(MiniLMSize(heads=4, hidden=32, layers=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(efficientnet_lite, "load_efficientnet_lite0", classifier.eval)
        patch.setattr(minilm, "load_minilm", text.eval)
        yield


@pytest.fixture(scope="module")
def built(cut: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AnchorFiles]:
    """The anchor of the cut networks, and its folder."""
    folder = tmp_path_factory.mktemp("anchor") / "new"
    return folder, build_anchor(folder)


def test_writes_what_it_says(built: tuple[Path, AnchorFiles]) -> None:
    folder, files = built
    assert sorted(file.name for file in folder.iterdir()) == sorted([*PAYLOAD, *files.licences])
    assert "Apache License" in (folder / "LICENSE-Apache-2.0.txt").read_text()
    assert "changed" in (folder / "NOTICE-anchor.txt").read_text()


def test_entries_fit_the_manifest(built: tuple[Path, AnchorFiles]) -> None:
    folder, files = built
    assert list(files.encoders) == [Modality.VISION, Modality.TEXT]
    text = msgspec.json.encode(files.encoders)
    assert msgspec.json.decode(text, type=dict[Modality, EncoderSpec]) == files.encoders
    spec = files.encoders[Modality.TEXT].preprocess
    assert isinstance(spec, TextSpec)
    content = (folder / spec.tokenizer).read_bytes()
    assert spec.tokenizer_sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("modality", [Modality.VISION, Modality.TEXT])
def test_golden_outputs_are_the_graphs(built: tuple[Path, AnchorFiles], modality: Modality) -> None:
    folder, files = built
    spec = files.encoders[modality]
    features = {i.name: files.golden[f"{modality}/{i.name}"] for i in spec.inputs}
    output = run_graph((folder / spec.onnx).read_bytes(), features)
    np.testing.assert_allclose(output, files.golden[f"{modality}/embedding"], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(output, axis=1), 1, atol=1e-6)
    assert 0 < files.figures[f"{modality}_largest_difference"] < 1e-5
    assert 0.9 < files.figures[f"{modality}_cosine_min"] < 1 - 1e-7


def test_golden_texts_are_padded(built: tuple[Path, AnchorFiles]) -> None:
    mask = built[1].golden["text/attention_mask"]
    assert len(set(mask.sum(axis=1))) > 1


def test_the_tokenizer_neither_cuts_nor_pads(built: tuple[Path, AnchorFiles]) -> None:
    path = built[0] / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["truncation"] is content["padding"] is None
    tokenizer = Tokenizer.from_file(str(path))
    assert len(tokenizer.encode("a " * 300).ids) == 302
    for text in sentences()[:20]:
        assert tokenizer.encode(text).ids == tokenize([text])[0][0].tolist()


def test_a_graph_that_differs_fails_the_build(
    cut: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchor, "LARGEST_DIFFERENCE", -1.0)
    with pytest.raises(BundleError, match=r"vision\.onnx differs from its torch module by"):
        build_anchor(tmp_path)


def test_threads_are_given_back() -> None:
    threads = torch.get_num_threads()
    with anchor._one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == threads


def test_sentences_are_many_and_varied() -> None:
    texts = sentences()
    lengths = tokenize(texts)[1].sum(axis=1)
    assert len(texts) == len(set(texts)) == 250
    assert lengths.min() <= 4
    assert 60 < lengths.max() <= MAX_TOKENS


def test_pictures_differ() -> None:
    made: NDArray[np.uint8] = pictures(8)
    assert made.shape == (8, 256, 256, 3)
    assert made.dtype == np.uint8
    assert len({picture.tobytes() for picture in made}) == 8
