# SPDX-License-Identifier: Apache-2.0
"""The manifest of rendered models: whole models in one split, interrupted builds, damage."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from sensebind.errors import SourceError
from sensebind_engines.recipes.object_renders import dataset
from sensebind_engines.recipes.object_renders.classes import CLASSES
from sensebind_engines.training.config_file import load_config
from tests.engines.recipes.sample_recording.fakes import CUBE_MTL, CUBE_OBJ

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("mujoco")

CHAIRS = 4


def _library() -> zipfile.ZipFile:
    """Chairs, a piano that is of no class, a lamp whose texture is missing, and a huge table."""
    names = [*(f"Chair {number}" for number in range(CHAIRS)), "Piano", "Lamp", "Table"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as library:
        lines = []
        for index, name in enumerate(names, 1):
            key = f"m{index}"
            lines += [f"model#{index}=/{key}/{key}.obj", f"creator#{index}=Ada"]
            lines += [f"name#{index}={name}", f"width#{index}=40"]
            lines += [f"depth#{index}=50", f"height#{index}=90"]
            faces = "f 1 2 3\n" * (dataset.MOST_TRIANGLES + 1) if name == "Table" else ""
            library.writestr(f"{key}/{key}.obj", CUBE_OBJ + faces)
            plain = CUBE_MTL.replace("map_Kd paint.png\n", "")
            library.writestr(f"{key}/cube.mtl", CUBE_MTL if name == "Lamp" else plain)
        library.writestr("PluginFurnitureCatalog.properties", "\n".join(lines))
    return zipfile.ZipFile(buffer)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dataset.build_from({"lib": _library()}, tmp_path_factory.mktemp("renders"), seed=0)


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_every_model_has_its_views_in_one_split(built: Path) -> None:
    rows = _rows(built)
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row["group"], set()).add(row["split"])
    assert len(rows) == CHAIRS * dataset.VIEWS
    assert sorted(map(sorted, splits.values())) == [["dev"], ["test"], ["train"], ["train"]]
    assert {row["label"] for row in rows} == {"chair"}


def test_only_training_rows_have_texts(built: Path) -> None:
    assert {(row["split"], row.get("text")) for row in _rows(built)} == {
        ("train", "a chair"),
        ("dev", None),
        ("test", None),
    }


def test_pictures_are_there_and_depth_is_in_millimetres(built: Path) -> None:
    row = _rows(built)[0]
    depth_mm = np.asarray(Image.open(built / row["depth"]["file"]))
    colour = np.asarray(Image.open(built / row["vision"]))
    assert depth_mm.dtype == np.uint16
    assert colour.shape == (*depth_mm.shape, 3)
    assert 1000 < depth_mm[depth_mm > 0].min() < 4000  # a model of about a metre


def test_a_build_that_was_interrupted_goes_on(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (built / "manifest.jsonl").read_bytes()
    monkeypatch.setattr(dataset, "_views", lambda *_: pytest.fail("rendered again"))
    (built / "manifest.jsonl").unlink()
    dataset.build_from({"lib": _library()}, built, seed=0)
    assert (built / "manifest.jsonl").read_bytes() == before


@pytest.mark.parametrize("name", dataset.CONFIGS[1:])
def test_configurations_bind_what_the_manifest_has(built: Path, name: str) -> None:
    config = load_config(built / f"{name}.toml")
    assert config.data["renders"].manifest == str(built / "manifest.jsonl")
    assert all("depth" in edge.pair or "centroid" in edge.pair for edge in config.edges)


def test_prompts_of_all_classes(built: Path) -> None:
    prompts = json.loads((built / "prompts.json").read_text())
    assert prompts["vision"] == prompts["depth"]
    assert prompts["depth"].keys() == CLASSES.keys()
    assert prompts["depth"]["animal"] == ["an animal"]


def test_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(SourceError, match="apt-get download sweethome3d-furniture"):
        dataset.build(tmp_path / "out", tmp_path)
