# SPDX-License-Identifier: Apache-2.0
"""Frozen anchors: the runtime's vectors, computed once, kept whole on disk."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

pytest.importorskip("onnx", reason="the test bundle is written with onnx")

from sensebind import Bundle
from sensebind.encoder import Encoder
from sensebind.errors import BundleError, InputError
from sensebind.manifest import decode_manifest, encode_manifest
from sensebind.types import Modality
from sensebind_engines.anchors import Anchor, open_anchor
from sensebind_engines.anchors.anchor import content_sha256

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.types import Features


TEXTS = ["a robot", "a red car", "a robot"]


def pictures(count: int) -> list[Features]:
    """Features of the test bundle's vision encoder."""
    rng = np.random.default_rng(0)
    return [{"features": rng.standard_normal((3, 32, 32), dtype=np.float32)} for _ in range(count)]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts what engines are asked to encode."""
    seen: list[int] = []
    encode = Encoder.encode

    def counted(self: Encoder, batch: list[Features]) -> object:
        seen.append(len(batch))
        return encode(self, batch)

    monkeypatch.setattr(Encoder, "encode", counted)
    return seen


def test_its_vectors_are_the_runtimes(bundle_folder: Path, tmp_path: Path) -> None:
    anchor = Anchor.open(bundle_folder, cache=tmp_path)
    with Bundle.load(bundle_folder) as bundle:
        assert np.array_equal(anchor.encode(Modality.TEXT, TEXTS), bundle.encode_text(TEXTS))
        one_by_one = [bundle.encoder("vision").encode([p])[0] for p in pictures(3)]
    assert np.array_equal(anchor.encode(Modality.VISION, pictures(3)), np.stack(one_by_one))
    assert anchor.encode(Modality.TEXT, []).shape == (0, anchor.dim)
    anchor.close()


def test_nothing_is_computed_twice(bundle_folder: Path, tmp_path: Path, runs: list[int]) -> None:
    tower = open_anchor(bundle_folder, Modality.TEXT, tmp_path)
    first = tower.vectors(TEXTS)
    assert runs == [1, 1]  # the third text is the first again
    again = open_anchor(bundle_folder, Modality.TEXT, tmp_path).vectors(TEXTS)
    assert runs == [1, 1]
    assert np.array_equal(first, again)
    assert first.dtype == np.float32


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_entry_is_computed_again(
    bundle_folder: Path, tmp_path: Path, runs: list[int], damage: str
) -> None:
    tower = open_anchor(bundle_folder, Modality.TEXT, tmp_path)
    first = tower.vectors(TEXTS[:1])
    (entry,) = (path for path in tmp_path.rglob("*") if path.is_file())
    content = bytearray(entry.read_bytes())
    content[-1] ^= 1
    damaged = {"cut": bytes(content[:-4]), "flipped": bytes(content), "empty": b""}
    entry.write_bytes(damaged[damage])
    assert np.array_equal(tower.vectors(TEXTS[:1]), first)
    assert runs == [1, 1]
    assert np.array_equal(tower.vectors(TEXTS[:1]), first)
    assert runs == [1, 1]


def test_towers_do_not_share_entries(bundle_folder: Path, tmp_path: Path) -> None:
    anchor = Anchor.open(bundle_folder, cache=tmp_path)
    anchor.encode(Modality.VISION, pictures(1))
    anchor.encode(Modality.TEXT, TEXTS[:1])
    ids = {anchor.tower(m).encoder_id for m in (Modality.VISION, Modality.TEXT)}
    assert {path.name for path in tmp_path.iterdir()} == ids


def test_threads_may_share_an_anchor(bundle_folder: Path, tmp_path: Path) -> None:
    anchor = Anchor.open(bundle_folder, cache=tmp_path)
    items = pictures(8)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: anchor.encode(Modality.VISION, items), range(8)))
    assert all(np.array_equal(vectors, found[0]) for vectors in found)
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_that_cannot_be_written_costs_time_only(
    bundle_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    tower = open_anchor(bundle_folder, Modality.TEXT, tmp_path / "file")
    assert tower.vectors(TEXTS).shape == (3, tower.dim)
    assert sum("cannot be kept" in record.message for record in caplog.records) == 1


def test_contents_that_differ_have_other_keys() -> None:
    array = np.arange(4, dtype=np.float32)
    keys = {
        content_sha256(content)
        for content in (
            "a", "b", {"a": array}, {"b": array}, {"a": array.reshape(2, 2)},
            {"a": array.view(np.int32)}, {"a": array, "b": array},
        )
    }  # fmt: skip
    assert len(keys) == 7
    strided = np.stack([array, array], axis=1)[:, 0]
    assert content_sha256({"a": strided}) == content_sha256({"a": array})


def without_audio(bundle: Path, folder: Path) -> Path:
    """A copy of a bundle whose manifest tells of no audio encoder."""
    shutil.copytree(bundle, folder)
    path = folder / "bundle.json"
    manifest = decode_manifest(path.read_bytes())
    rest = {m: spec for m, spec in manifest.encoders.items() if m is not Modality.AUDIO}
    edges = tuple(
        edge for edge in manifest.binding_graph if Modality.AUDIO not in (edge.source, edge.target)
    )
    changed = msgspec.structs.replace(manifest, encoders=rest, binding_graph=edges)
    path.write_bytes(encode_manifest(changed))
    return folder


def test_what_is_no_anchor_is_named(bundle_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle 'nowhere'"):
        open_anchor("nowhere", Modality.TEXT, tmp_path)
    with pytest.raises(BundleError, match="bundle 'test' has no 'audio' encoder; it has "):
        open_anchor(without_audio(bundle_folder, tmp_path / "copy"), Modality.AUDIO, tmp_path)
    tower = open_anchor(bundle_folder, Modality.VISION, tmp_path)
    with pytest.raises(InputError, match="an input is a ndarray, expected a text or features"):
        tower.vectors([np.zeros(3)])  # type: ignore[list-item, unused-ignore]
    with pytest.raises(InputError, match="features"):
        tower.vectors([{"features": np.zeros((3, 9, 9), np.float32)}])


def test_the_packaged_anchor(tmp_path: Path) -> None:
    anchor = Anchor.open("demo", (Modality.VISION, Modality.TEXT), tmp_path)
    spec = anchor.tower(Modality.VISION).spec.inputs[0].shape
    picture = {"features": np.zeros([n for n in spec if isinstance(n, int)], np.float32)}
    vectors = np.concatenate(
        [anchor.encode(Modality.VISION, [picture]), anchor.encode(Modality.TEXT, ["a dog"])]
    )
    assert vectors.shape == (2, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
