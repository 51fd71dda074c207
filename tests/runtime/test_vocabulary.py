# SPDX-License-Identifier: Apache-2.0
"""Whether a prompt lies near anything a sense of the bundle learnt."""

from __future__ import annotations

import hashlib
import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.bundle import Bundle
from sensebind.errors import BundleError
from sensebind.types import Modality
from sensebind.vocabulary import VOCABULARY_NAME, Vocabulary

if TYPE_CHECKING:
    from pathlib import Path


def add_vocabulary(folder: Path, dim: int, threshold: float) -> None:
    """Tell of a bundle that its vision knows two texts, whose vectors are the first two axes."""
    content = io.BytesIO()
    texts = np.array(["a cat", "a dog"])
    arrays = {"vision/texts": texts, "vision/vectors": np.eye(2, dim, dtype=np.float16)}
    np.savez(content, **arrays, threshold=np.float64(threshold))  # type: ignore[arg-type]
    (folder / VOCABULARY_NAME).write_bytes(content.getvalue())
    manifest = json.loads((folder / "bundle.json").read_text())
    sha256 = hashlib.sha256(content.getvalue()).hexdigest()
    manifest["files"][VOCABULARY_NAME] = {"sha256": sha256, "bytes": len(content.getvalue())}
    (folder / "bundle.json").write_text(json.dumps(manifest))


def test_a_bundle_without_one_has_none(bundle_folder: Path) -> None:
    with Bundle.load(bundle_folder) as bundle:
        assert Vocabulary.of(bundle) is None


def test_the_nearest_text_decides(bundle_copy: Path) -> None:
    add_vocabulary(bundle_copy, 3, 0.5)
    with Bundle.load(bundle_copy) as bundle:
        vocabulary = Vocabulary.of(bundle)
    assert vocabulary is not None
    near, far = np.array([0.6, 0.8, 0], np.float32), np.array([0.3, 0, 0.95], np.float32)
    found = vocabulary.nearest(Modality.VISION, near)
    assert found is not None
    assert found.text == "a dog"
    assert found.similarity == pytest.approx(0.8, abs=1e-3)
    assert vocabulary.nearest(Modality.AUDIO, near) is None
    notes = vocabulary.notes(["near", "far"], np.stack([near, far]), list(Modality))
    assert len(notes) == 1
    assert "vision learnt nothing near 'far' (nearest: 'a cat', cosine 0.30" in notes[0]
    assert "low confidence" in notes[0]


def test_a_changed_file_is_refused(bundle_copy: Path) -> None:
    add_vocabulary(bundle_copy, 3, 0.5)
    (bundle_copy / VOCABULARY_NAME).write_bytes(b"changed")
    with (
        Bundle.load(bundle_copy) as bundle,
        pytest.raises(BundleError, match=r"vocabulary\.npz"),
    ):
        Vocabulary.of(bundle)
