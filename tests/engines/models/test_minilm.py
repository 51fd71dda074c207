# SPDX-License-Identifier: Apache-2.0
"""MiniLM: the packaged network, and what an embedding may depend on."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks need the train extra")

import torch

from sensebind.errors import MissingExtraError
from sensebind_engines.models.minilm import (
    MAX_TOKENS,
    PACKAGE,
    MiniLM,
    MiniLMSize,
    convert_checkpoint,
    embed_texts,
    load_minilm,
    tokenize,
)
from sensebind_engines.models.weights import package_folder

TEXTS = ["dog", "The robot turns left, slowly; it stops near a door.", "1234 5.6 §§", "a " * 300]


def test_equals_transformers() -> None:
    transformers = pytest.importorskip("transformers", reason="the peer is not a dependency")
    folder = package_folder(PACKAGE, "a test") / "model"
    peer = transformers.AutoModel.from_pretrained(folder).eval()
    ids, mask = (torch.from_numpy(array) for array in tokenize(TEXTS))
    with torch.inference_mode():
        states = peer(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask[..., None].float()
    mean = (states * weights).sum(1) / weights.sum(1)
    expected = torch.nn.functional.normalize(mean, dim=-1).numpy()
    np.testing.assert_allclose(embed_texts(TEXTS), expected, atol=1e-6)


def test_rows_are_unit_vectors_in_the_order_of_the_texts() -> None:
    many = [f"box number {number}" for number in range(70)]
    rows = embed_texts(many)
    assert rows.shape == (70, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(rows[69:], embed_texts(many[69:]), atol=1e-6)


def test_a_text_does_not_depend_on_its_neighbours() -> None:
    np.testing.assert_allclose(embed_texts(TEXTS)[0], embed_texts(TEXTS[:1])[0], atol=1e-6)


def test_texts_are_cut_at_the_trained_length() -> None:
    ids, mask = tokenize(TEXTS)
    assert ids.shape == (4, MAX_TOKENS)
    assert mask.sum(axis=1)[3] == MAX_TOKENS
    assert ids[3, -1] == 102, "the closing token stays"


def test_meaning_orders_similarity() -> None:
    near, synonym, far = embed_texts(["a dog", "a puppy", "a spreadsheet"])
    assert near @ synonym > near @ far + 0.3


def test_segment_zero_is_part_of_the_positions() -> None:
    ones = torch.ones(2, 3)
    state = convert_checkpoint(
        {
            "embeddings.position_embeddings.weight": ones,
            "embeddings.token_type_embeddings.weight": torch.tensor([[1.0] * 3, [9.0] * 3]),
            "encoder.layer.0.attention.self.query.weight": ones,
            "encoder.layer.0.attention.output.dense.bias": ones,
            "pooler.dense.weight": ones,
        }
    )
    assert sorted(state) == ["layers.0.mix.bias", "layers.0.query.weight", "positions.weight"]
    assert torch.equal(state["positions.weight"], ones * 2)


def test_another_model_of_the_vocabulary_can_embed() -> None:
    torch.manual_seed(0)
    model = MiniLM(MiniLMSize(dim=12, heads=3, hidden=8, layers=1)).eval()
    assert embed_texts(["a dog", "a cat"], model).shape == (2, 12)


def test_the_pretrained_tower_is_loaded_once() -> None:
    assert load_minilm() is load_minilm()
    assert not load_minilm().training


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"the tower \(no_such_weights\).*recipes"):
        package_folder("no_such_weights", "the tower")
