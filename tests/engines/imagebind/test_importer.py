# SPDX-License-Identifier: Apache-2.0
"""ImageBind's weights to a bundle: the runtime's vectors are its own implementation's."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="importing needs the train extra")
pytest.importorskip("onnxscript", reason="importing needs the train extra")

import torch

from sensebind import Bundle
from sensebind.bundle_folder import open_bundle
from sensebind.errors import InputError
from sensebind.specs import ImuSpec
from sensebind.storage import data_folder
from sensebind.types import Modality
from sensebind_engines.imagebind.importer import anchor_of, binding_graph, import_imagebind
from tests.support.imagebind import golden, rule_input, rule_state

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SMALL = (Modality.DEPTH, Modality.IMU)
WHOLE = (Modality.AUDIO, Modality.DEPTH, Modality.THERMAL, Modality.IMU)
LARGEST_DIFFERENCE = 1e-5


def vectors_of(bundle: Bundle, modality: Modality, name: str) -> NDArray[np.float32]:
    """What the runtime makes of the rule's input of that name."""
    rows = [{"features": np.ascontiguousarray(row)} for row in rule_input(name).numpy()]
    return np.concatenate([bundle.encoder(modality).encode([row]) for row in rows])


def assert_golden(vectors: NDArray[np.float32], name: str) -> None:
    """Compare with ImageBind's own output, brought to length 1."""
    expected = golden()[f"out/{name}"]
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs(vectors - expected).max() <= LARGEST_DIFFERENCE


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with two whole towers; vision and text lack blocks."""
    state = rule_state(SMALL)
    state |= {
        name: torch.zeros(1).expand(shape)
        for name, shape in {
            "modality_preprocessors.vision.cls_token": (1, 1, 1280),
            "modality_preprocessors.text.mask": (77, 77),
            "modality_trunks.vision.blocks.0.norm_1.weight": (1280,),
        }.items()
    }
    path = tmp_path_factory.mktemp("cut") / "weights.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def imported(cut: Path) -> Path:
    """The bundle of its two whole towers."""
    out = cut.parent / "bundle"
    import_imagebind(cut, out, SMALL)
    return out


def test_towers_that_are_cut_are_refused(cut: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"vision.blocks.0-31: 383 tensors(.|\n)*whole are: depth"):
        import_imagebind(cut, tmp_path / "out", (Modality.VISION, *SMALL))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("modality", SMALL)
def test_whole_towers_give_imagebinds_vectors(imported: Path, modality: Modality) -> None:
    with Bundle.load(imported) as bundle:
        assert_golden(vectors_of(bundle, modality, modality.value), modality.value)


def test_the_manifest_says_what_is_known_and_assumed(imported: Path) -> None:
    folder = open_bundle(imported)
    folder.verify()
    manifest = folder.manifest
    assert manifest.licence == "CC-BY-NC-SA-4.0"
    assert manifest.anchor == SMALL
    imu = manifest.encoders[Modality.IMU]
    assert isinstance(imu.preprocess, ImuSpec)
    assert imu.preprocess.assumed == ("rate_hz", "channels", "units", "frame")
    assert imu.inputs[0].shape == ("batch", 6, 2000)
    assert manifest.training["output_scales"] == {"depth": 5.0, "imu": 5.0}
    assert [edge.trained for edge in manifest.binding_graph] == [False]
    assert b"not for commercial use" in (imported / "NOTICE-imagebind.txt").read_bytes()


def test_golden_rows_hold(imported: Path) -> None:
    with np.load(imported / "golden.npz") as arrays, Bundle.load(imported) as bundle:
        vectors = bundle.encoder("imu").encode([{"features": f} for f in arrays["imu/features"]])
        assert np.abs(vectors - arrays["imu/embedding"]).max() <= LARGEST_DIFFERENCE


def test_text_needs_a_tokenizer(cut: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs CLIP's tokenizer"):
        import_imagebind(cut, tmp_path / "out", [Modality.TEXT])


@pytest.mark.parametrize(
    ("imported", "anchor"),
    [
        (tuple(Modality), (Modality.VISION, Modality.TEXT)),
        ((Modality.TEXT, Modality.IMU), (Modality.TEXT,)),
        (SMALL, SMALL),
    ],
)
def test_the_anchor(imported: tuple[Modality, ...], anchor: tuple[Modality, ...]) -> None:
    assert anchor_of(imported) == anchor


def test_the_binding_graph_is_a_star_on_vision() -> None:
    edges = binding_graph(tuple(Modality))
    trained = {edge.target: edge.temperature for edge in edges if edge.trained}
    assert trained == {"text": None, "audio": 0.05, "depth": 0.2, "thermal": 0.1, "imu": 0.2}
    assert len(edges) == 15


READING = """
import resource, sys
from pathlib import Path
import torch
from sensebind.types import Modality
from sensebind_engines.imagebind.checkpoint import open_checkpoint
from sensebind_engines.imagebind.keys import require_towers
from sensebind_engines.imagebind.layout import tower_weights
from sensebind_engines.imagebind.tower import load_tower

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

path, modality = Path(sys.argv[1]), Modality(sys.argv[2])
tower_weights(modality)  # loads what torch needs to build without memory, once for all towers
before = peak()
state = open_checkpoint(path)
require_towers(path, state, [modality])
encoder = load_tower(state, modality)
size = sum(w.numel() * 4 for w in encoder.parameters())
total = sum(w.sum() for w in encoder.parameters())
print((peak() - before) / size)
"""


def reading_peak(path: Path, modality: Modality) -> float:
    """Peak of memory while a tower is read and every weight touched, over the tower's size."""
    done = subprocess.run(
        [sys.executable, "-c", READING, str(path), modality.value],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def test_reading_takes_little_more_than_the_tower(cut: Path) -> None:
    assert reading_peak(cut, Modality.DEPTH) <= 1.5


@pytest.mark.slow
def test_the_four_smaller_towers(tmp_path: Path) -> None:
    torch.save(rule_state(WHOLE), tmp_path / "weights.pth")
    import_imagebind(tmp_path / "weights.pth", tmp_path / "out", WHOLE)
    with Bundle.load(tmp_path / "out") as bundle:
        for modality in WHOLE:
            name = "audio_single" if modality is Modality.AUDIO else modality.value
            assert_golden(vectors_of(bundle, modality, name), name)


@pytest.mark.slow
def test_all_1311_tensors(tmp_path: Path) -> None:
    state = rule_state(Modality)
    assert len(state) == 1311
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    del state
    for modality in Modality:
        assert reading_peak(path, modality) <= 1.5
    # The demo bundle's tokenizer stands for CLIP's: its ids are below CLIP's 49408 too.
    tokenizer = (data_folder() / "bundles" / "demo" / "tokenizer.json").read_bytes()
    done = import_imagebind(path, tmp_path / "out", tokenizer=tokenizer)
    assert max(done.differences.values()) <= LARGEST_DIFFERENCE
    assert (tmp_path / "out" / "vision.onnx.data").stat().st_size > 1.5e9
    open_bundle(tmp_path / "out").verify()
    with Bundle.load(tmp_path / "out") as bundle:
        assert bundle.manifest.anchor == (Modality.VISION, Modality.TEXT)
        pictures = rule_input("vision").numpy()
        rows = [{"features": np.stack([picture] * 2)} for picture in pictures]
        vectors = np.concatenate([bundle.encoder("vision").encode([row]) for row in rows])
        assert_golden(vectors, "vision")
        clips = rule_input("vision_video")[0].transpose(1, 2).numpy()
        frames = [{"features": np.ascontiguousarray(clip)} for clip in clips]
        vectors = np.concatenate([bundle.encoder("vision").encode([f]) for f in frames])
        assert np.abs(vectors.mean(0) - golden()["out/vision_video"][0]).max() <= 1e-5
        texts = [ids[: ids.argmax() + 1] for ids in golden()["in/text"]]
        tokens = [{"input_ids": ids, "attention_mask": np.ones_like(ids)} for ids in texts]
        vectors = np.concatenate([bundle.encoder("text").encode([t]) for t in tokens])
        assert_golden(vectors, "text")
