# SPDX-License-Identifier: Apache-2.0
"""The recipe `demo`: parts that are whole become one bundle; a build goes on where it was."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

pytest.importorskip("torch", reason="recipes need the recipes extra")

from sensebind.bundle import Bundle
from sensebind.bundle_folder import open_bundle
from sensebind.errors import InputError, MissingExtraError, SourceError
from sensebind.manifest import EdgeSpec, decode_manifest, encode_manifest
from sensebind.storage import data_folder
from sensebind.types import Modality
from sensebind.vocabulary import Vocabulary
from sensebind_engines.recipes import demo, demo_senses
from sensebind_engines.recipes.demo_senses import (
    BuiltSense,
    Sense,
    build_sense,
    read_wordings,
)
from sensebind_engines.recipes.esc10.dataset import SOUNDS
from sensebind_engines.recipes.figures import Measurement, SenseFigures, read_figures
from sensebind_engines.recipes.test_bundle import build_test_bundle
from tests.engines.recipes.sounds.fakes import write_cache

CLASSES = {"depth": {"cat": ["a cat"], "dog": ["a dog"]}, "audio": {"bark": ["a bark"]}}


def figures(sense: str) -> SenseFigures:
    one = Measurement(
        name="named by text", measure="accuracy", split="test", nature="simulated", seen="unseen",
        n=4, groups=2, group_kind="objects", classes=2, chance=0.5, seeds=(0,), values=(0.75,),
        mean=0.75,
    )  # fmt: skip
    return SenseFigures(
        sense=sense, binding="emergent", bound_to="vision", nature="simulated", summary="So it is.",
        parameters=3, shipped_seed=0, measurements=(one,), provenance={"seeds": [0]},
    )  # fmt: skip


def edited(folder: Path, **changes: Any) -> Path:
    """A bundle whose manifest says something else."""
    path = folder / "bundle.json"
    manifest = decode_manifest(path.read_bytes())
    path.write_bytes(encode_manifest(msgspec.structs.replace(manifest, **changes)))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What a sense was trained on."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [
        {"label": "cat", "text": ["a cat", "one cat"], "split": "train"},
        {"label": "dog", "split": "train"},
        {"label": "cow", "text": "a cow", "split": "test"},
    ]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "prompts.json").write_text(json.dumps({**CLASSES, "vision": CLASSES["depth"]}))
    return folder


def sense(modality: Modality) -> Sense:
    def measure(data: Path, bundles: object) -> SenseFigures:
        return figures(modality.value)

    return Sense(
        modality, "made_up.dataset", "sense.toml", "manifest.jsonl", measure, read_wordings
    )


def built(modality: Modality, data: Path, folder: Path) -> BuiltSense:
    edges = (
        EdgeSpec(source=Modality.VISION, target=modality, loss="infonce", trained=True),
        EdgeSpec(source=modality, target=Modality.TEXT, loss="none", trained=False),
    )
    bundle = edited(build_test_bundle(folder), binding_graph=edges)
    return BuiltSense(sense(modality), data, open_bundle(bundle), figures(modality.value))


@pytest.fixture
def _without_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_add_half", lambda *_: None)


@pytest.mark.usefixtures("_without_half")
def test_the_bundle_holds_every_part_and_tells_of_it(data: Path, tmp_path: Path) -> None:
    anchor = edited(build_test_bundle(tmp_path / "anchor"), training={"anchor": {"cosine": 0.5}})
    senses = [built(m, data, tmp_path / m.value) for m in (Modality.DEPTH, Modality.AUDIO)]
    for name in ("one", "two"):
        demo.assemble(tmp_path / name, open_bundle(anchor), senses, "Credits.")
    out = tmp_path / "one"
    folder = open_bundle(out)
    folder.verify()
    assert set(folder.manifest.encoders) == {
        Modality.VISION, Modality.TEXT, Modality.DEPTH, Modality.AUDIO,
    }  # fmt: skip
    graph = {(e.source, e.target, e.trained) for e in folder.manifest.binding_graph}
    assert (Modality.DEPTH, Modality.VISION, True) in graph
    assert (Modality.DEPTH, Modality.TEXT, False) in graph
    assert (Modality.VISION, Modality.TEXT, True) in graph
    prompts = json.loads((out / "prompts.json").read_text())
    assert prompts == {**CLASSES, "vision": CLASSES["depth"]}
    assert (out / "NOTICE.txt").read_text() == "Credits."
    assert "## Depth: EMERGENT, SIMULATED" in (out / "EVALUATION.md").read_text(encoding="utf-8")
    assert folder.manifest.training["senses"] == {"depth": {"seeds": [0]}, "audio": {"seeds": [0]}}
    with Bundle.load(out) as bundle:
        vocabulary = Vocabulary.of(bundle)
        assert vocabulary is not None
        found = vocabulary.nearest(Modality.DEPTH, bundle.encode_text(["one cat"])[0])
    assert found is not None
    assert found.text == "one cat"
    for path in out.iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_what_was_learnt_is_told_by_the_training_rows(data: Path, tmp_path: Path) -> None:
    assert built(Modality.DEPTH, data, tmp_path / "b").learnt() == ["a cat", "one cat", "dog"]


@pytest.mark.usefixtures("_without_half")
def test_a_sense_of_another_space_is_refused(data: Path, tmp_path: Path) -> None:
    anchor = edited(build_test_bundle(tmp_path / "anchor"), anchor=(Modality.TEXT,))
    parts = [built(Modality.DEPTH, data, tmp_path / "depth")]
    with pytest.raises(InputError, match=r"depth was bound to the space \w{16}, the anchor's is"):
        demo.assemble(tmp_path / "out", open_bundle(anchor), parts, "")
    assert not (tmp_path / "out").exists()


def test_what_no_build_can_make_is_asked_for_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=r"there is no folder '.*esc10'; put ESC-10"):
        demo.build(tmp_path / "out", tmp_path / "cache")
    write_cache(tmp_path / "cache", monkeypatch)
    listed = next(iter(SOUNDS.values())).folder
    next((tmp_path / "cache" / "esc10" / listed).glob("4-*")).unlink()
    with pytest.raises(SourceError, match=r"4-004-A.ogg' of ESC-10 is missing"):
        demo.build(tmp_path / "out", tmp_path / "cache")
    monkeypatch.setattr(demo, "_PACKAGES", ("torch", "no_such_package"))
    with pytest.raises(MissingExtraError, match=r"recipe 'demo' \(no_such_package\)"):
        demo.build(tmp_path / "out", tmp_path / "cache")
    assert not (tmp_path / "cache" / "demo-anchor").exists()


class Factory:
    """Stands for data set, training and export, and counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
        self.trained: list[int] = []
        self.config: dict[str, Any] = {"training": {"seed": 0}, "data": {"manifest": "here"}}
        self.failing: int | None = None
        module = SimpleNamespace(build=lambda _out, _cache: data)
        monkeypatch.setitem(sys.modules, "sensebind_engines.recipes.made_up.dataset", module)
        monkeypatch.setattr(demo_senses, "import_module", lambda name: sys.modules[name])
        monkeypatch.setattr(demo_senses, "load_config", self._load)
        monkeypatch.setattr(demo_senses, "train", self._train)
        monkeypatch.setattr(demo_senses, "export_run", self._export)

    def _load(self, _path: str, settings: list[str]) -> dict[str, Any]:
        seed = int(settings[0].partition("=")[2])
        return {**self.config, "training": {**self.config["training"], "seed": seed}}

    def _train(self, config: dict[str, Any], out: Path, *, resume: bool) -> SimpleNamespace:
        assert resume
        seed = config["training"]["seed"]
        if seed == self.failing:
            raise KeyboardInterrupt("killed")
        self.trained.append(seed)
        return SimpleNamespace(path=out, config=config)

    def _export(self, run: Path, bundle: Path, **_: object) -> None:
        seed = int(run.name.partition("-")[2])
        training = {"config": self._load("", [f"x={seed}"])}
        edited(build_test_bundle(bundle), training=training)


def test_a_build_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path
) -> None:
    factory = Factory(monkeypatch, data)
    factory.failing = 1
    with pytest.raises(KeyboardInterrupt, match="killed"):
        build_sense(sense(Modality.DEPTH), tmp_path / "cache")
    place = tmp_path / "cache" / "demo-depth"
    assert not (place / "figures.json").exists()
    factory.failing = None
    made = build_sense(sense(Modality.DEPTH), tmp_path / "cache")
    assert factory.trained == [0, 1, 2]
    assert made.bundle.path == place / "seed-0"
    assert read_figures(place / "figures.json") == made.figures
    build_sense(sense(Modality.DEPTH), tmp_path / "cache")
    assert factory.trained == [0, 1, 2]


def test_what_was_trained_otherwise_is_refused(
    monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path
) -> None:
    factory = Factory(monkeypatch, data)
    build_sense(sense(Modality.DEPTH), tmp_path / "cache")
    factory.config["data"]["manifest"] = "elsewhere"  # a place decides nothing
    build_sense(sense(Modality.DEPTH), tmp_path / "cache")
    factory.config["training"]["batch"] = 7
    with pytest.raises(InputError, match=r"seed-0' was trained with another configuration"):
        build_sense(sense(Modality.DEPTH), tmp_path / "cache")


def test_what_was_trained_on_other_rows_is_refused(
    monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path
) -> None:
    factory = Factory(monkeypatch, data)
    factory.failing = 2
    with pytest.raises(KeyboardInterrupt, match="killed"):
        build_sense(sense(Modality.DEPTH), tmp_path / "cache")
    with (data / "manifest.jsonl").open("a") as file:
        file.write('\n{"label": "hen", "split": "train"}')
    factory.failing = None
    with pytest.raises(InputError, match=r"demo-depth' was trained on other rows than .*delete"):
        build_sense(sense(Modality.DEPTH), tmp_path / "cache")
    assert factory.trained == [0, 1]


@pytest.mark.slow
def test_a_rebuild_from_kept_parts_gives_the_shipped_bytes(tmp_path: Path) -> None:
    """Minutes: data are checked and everything put together; twelve encoders are not trained.

    The parts are those that `sensebind recipe build demo --cache` left in SENSEBIND_CACHE.
    """
    cache = Path(os.environ.get("SENSEBIND_CACHE", tmp_path))
    if not all((cache / f"demo-{sense.modality}").is_dir() for sense in demo_senses.SENSES):
        pytest.skip("SENSEBIND_CACHE has no trained senses; run `sensebind recipe build demo`")
    out = demo.build(tmp_path / "out", cache)
    shipped = data_folder() / "bundles" / "demo"
    versions = [open_bundle(folder).manifest.training["versions"] for folder in (shipped, out)]
    if versions[0] != versions[1]:
        pytest.skip(f"made with {versions[0]}, here are {versions[1]}")
    for path in sorted(shipped.iterdir()):
        assert (out / path.name).read_bytes() == path.read_bytes(), path.name
