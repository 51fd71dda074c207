# SPDX-License-Identifier: Apache-2.0
"""A whole evaluation: on the shipped sample, on files of every sense, and on bad data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sensebind import Bundle
from sensebind.errors import InputError, SinkError
from sensebind.manifest import EdgeSpec
from sensebind.types import Modality
from sensebind_engines.commands.evaluate import app, write_evaluation
from sensebind_engines.evaluation.edges import relation
from sensebind_engines.evaluation.evaluate import Settings, evaluate
from sensebind_engines.evaluation.heat_map import beyond_chance
from sensebind_engines.evaluation.results import Evaluation
from tests.support import datasets

if TYPE_CHECKING:
    from pathlib import Path

IMU, TEXT, VISION = Modality.IMU, Modality.TEXT, Modality.VISION
QUICK = 50


@pytest.fixture(scope="module")
def sample() -> Evaluation:
    with Bundle.load("demo") as bundle:
        return evaluate(bundle, "sample", Settings(resamples=QUICK))


def test_the_sample_is_named_as_the_demo_names_it(sample: Evaluation) -> None:
    named = {result.modality: result for result in sample.zero_shot}
    imu, vision = named["imu"], named["vision"]
    assert (imu.relation, vision.relation) == ("trained", "anchor")
    assert imu.top1.value is not None
    assert imu.top1.value > 0.7
    assert imu.top1.chance == pytest.approx(1 / 7)
    assert imu.top1.clusters == 16
    assert set(imu.recall) == {"still", "smooth", "rough", "spin", "bump", "fallen", "carried"}
    assert vision.balanced is not None
    assert vision.balanced.value is not None
    assert vision.balanced.value > 0.9


def test_the_matrix_tells_trained_from_emergent(sample: Evaluation) -> None:
    cells = {(cell.query, cell.target): cell for cell in sample.matrix}
    assert len(cells) == 6 * 5
    assert cells["imu", "text"].relation == "trained"
    assert cells["depth", "vision"].relation == "trained"
    assert cells["depth", "text"].relation == "emergent"
    assert cells["imu", "text"].measure == "zero-shot"
    assert cells["imu", "vision"].relation == "emergent"
    assert cells["imu", "vision"].measure == "R@1"
    assert cells["vision", "text"].relation == "anchor"
    assert cells["text", "imu"].figure is None
    assert beyond_chance(cells["imu", "text"]) > 0.6
    assert beyond_chance(cells["depth", "text"]) > 0.5
    assert np.isnan(beyond_chance(cells["text", "imu"]))


def test_everything_is_written(sample: Evaluation, tmp_path: Path) -> None:
    write_evaluation(sample, tmp_path / "out")
    read = msgspec.json.decode((tmp_path / "out/evaluation.json").read_bytes(), type=Evaluation)
    assert read == sample
    report = (tmp_path / "out/EVALUATION.md").read_text()
    for part in ("Evaluation of `demo` on `sample`", "chance 0.143", "trained", "emergent", "## R"):
        assert part in report
    with Image.open(tmp_path / "out/matrix.png") as picture:
        assert min(picture.size) > 300
        assert len(np.unique(np.asarray(picture.convert("L")))) > 10


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Six rows of every sense, of two classes, two rows a group."""
    rows = []
    for number in range(6):
        names: dict[str, Any] = {**datasets.files(tmp_path, number)}
        names["depth"] = {"file": names["depth"], "focal_px": 60.0}
        label = ("cat", "dog")[number % 2]
        split = "train" if number < 4 else "test"
        rows.append(
            {
                **names,
                "text": f"a {label} {number}",
                "label": label,
                "group": number // 2,
                "split": split,
            }
        )
    datasets.manifest(tmp_path / "m.jsonl", *rows)
    return tmp_path


def test_a_folder_that_cannot_be_written_is_named(sample: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(SinkError, match=r"cannot write into '.*/out': File exists"):
        write_evaluation(sample, tmp_path / "out")


def test_files_of_every_sense(bundle: Bundle, files: Path) -> None:
    found = evaluate(bundle, str(files / "m.jsonl"), Settings(resamples=QUICK, cache=files / "c"))
    senses = [m.value for m in bundle.manifest.encoders if m.value in found.vectors]
    assert senses == [m.value for m in Modality]
    assert found.vectors["vision"] == 6
    assert found.vectors["audio"] == 18  # three windows of each
    assert {result.modality for result in found.zero_shot} == set(senses) - {"text"}
    assert len(found.retrieval) == len(senses) * (len(senses) - 1)
    recall = {(r.query, r.target): r.recall for r in found.retrieval}
    assert recall["vision", "depth"]["R@1"].n == 6
    assert recall["vision", "depth"]["R@10"].value == 1.0
    assert recall["vision", "depth"]["R@1"].chance == pytest.approx(1 / 6)
    assert recall["vision", "depth"]["R@1"].clusters == 3
    assert {"vision + audio -> text", "audio - audio' + text' -> text"} <= {
        result.formula.replace("audio + vision", "vision + audio") for result in found.arithmetic
    }
    again = evaluate(bundle, str(files / "m.jsonl"), Settings(resamples=QUICK, cache=files / "c"))
    assert again == found
    other = evaluate(bundle, str(files / "m.jsonl"), Settings(resamples=QUICK, seed=1))
    assert other.data_sha256 == found.data_sha256
    assert other.zero_shot[0].top1.value == found.zero_shot[0].top1.value


def test_one_window_per_row(bundle: Bundle, files: Path) -> None:
    found = evaluate(bundle, str(files / "m.jsonl"), Settings(resamples=QUICK, windows="one"))
    assert found.items == 6
    assert set(found.vectors.values()) == {6}


def test_shots_come_from_another_split_or_other_groups(bundle: Bundle, files: Path) -> None:
    data = str(files / "m.jsonl")
    settings = Settings(resamples=QUICK, split="test", shots_from="train", seeds=3)
    found = [r for r in evaluate(bundle, data, settings).few_shot if r.modality == "vision"]
    assert [result.shots for result in found] == [1, 2]
    for result in found:
        assert result.n == (2, 2, 2)
        assert result.chance == 0.5
        assert result.mean == pytest.approx(np.mean(result.balanced))
        assert result.shots_from == "split 'train'"
    halves = evaluate(bundle, data, Settings(resamples=QUICK)).few_shot
    assert {r.shots_from for r in halves} == {"the other half of the groups"}
    assert all(n == 4 for r in halves if r.modality == "vision" for n in r.n)


def test_several_labels(bundle: Bundle, tmp_path: Path) -> None:
    for number in range(3):
        datasets.files(tmp_path, number)
    labels: list[object] = [["cat", "dog"], ["cup"], ["dog"]]
    rows = [{"imu": f"item{i}.csv", "label": label} for i, label in enumerate(labels)]
    data = datasets.manifest(tmp_path / "m.jsonl", *rows)
    found = evaluate(bundle, str(data), Settings(resamples=QUICK))
    (named,) = found.zero_shot
    assert named.balanced is None
    assert named.top1.chance == pytest.approx((2 / 3 + 1 / 3 + 1 / 3) / 3)
    assert found.few_shot == ()
    assert any("several labels" in note for note in found.notes)


def test_the_command(bundle_folder: Path, files: Path) -> None:
    run = CliRunner().invoke(
        app,
        [str(bundle_folder), str(files / "m.jsonl"), "--prompts", "cat,dog", "--split", "test",
         "--resamples", "20", "--out", str(files / "out"), "--json"],
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    shown = json.loads(run.stdout)
    assert shown["is_test_bundle"] is True
    assert shown["split"] == "test"
    assert "its weights are random" in (files / "out/EVALUATION.md").read_text()
    run = CliRunner().invoke(app, [str(bundle_folder), str(files / "m.jsonl"), "--resamples", "20"])
    assert run.exit_code == 0, run.output
    assert "imu → vision, R@1" in run.stdout


def test_a_place_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = CliRunner().invoke(app, ["nowhere", "nothing", "--out", str(tmp_path / "file")])
    assert "cannot make the folder" in str(run.exception)


def test_prompts_by_modality(bundle_folder: Path, files: Path) -> None:
    prompts = {"imu": {"cat": ["a cat"], "dog": ["a dog"], "cup": ["a cup"]}}
    (files / "p.json").write_text(json.dumps(prompts))
    run = CliRunner().invoke(
        app,
        [str(bundle_folder), str(files / "m.jsonl"), "--prompts", str(files / "p.json"), "--json",
         "--resamples", "20"],
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    classes = {r["modality"]: r["classes"] for r in json.loads(run.stdout)["zero_shot"]}
    assert classes["imu"] == ["cat", "dog", "cup"]
    assert classes["vision"] == ["cat", "dog"]


def test_data_that_cannot_be_evaluated(bundle: Bundle, files: Path) -> None:
    manifest = str(files / "m.jsonl")
    with pytest.raises(InputError, match="no rows of split 'dev'; its splits are: test, train"):
        evaluate(bundle, manifest, Settings(split="dev"))
    with pytest.raises(InputError, match="no rows of split 'train' beside those"):
        evaluate(bundle, manifest, Settings(shots_from="train"))
    with pytest.raises(InputError, match=r"has no truth.json; give a manifest"):
        evaluate(bundle, str(files), Settings())
    prompts: dict[Modality | None, dict[str, list[str]]] = {
        None: {"cat": ["a cat"], "cup": ["cup"]}
    }
    with pytest.raises(
        InputError, match=r"m.jsonl, row 2: vision has the label 'dog', which has no"
    ):
        evaluate(bundle, manifest, Settings(prompts=prompts))
    np.save(files / "v.npy", np.eye(3, dtype=np.float32))
    datasets.manifest(files / "m.jsonl", {"text": {"vector": "v.npy", "index": 0}})
    with pytest.raises(InputError, match=r"row 1: text: its vector has 3 values, expected 32"):
        evaluate(bundle, manifest, Settings())
    (files / "item1.wav").write_bytes(b"junk")
    datasets.manifest(files / "m.jsonl", {"audio": "item0.wav"}, {"audio": "item1.wav"})
    with pytest.raises(InputError, match=r"m.jsonl, row 2: audio: .*item1.wav"):
        evaluate(bundle, manifest, Settings())


def test_relations_follow_the_graph(bundle: Bundle) -> None:
    def edge(one: str, other: str, *, trained: bool = True) -> EdgeSpec:
        return EdgeSpec(
            source=Modality(one), target=Modality(other), loss="infonce", trained=trained
        )

    edges = (edge("audio", "vision"), edge("imu", "audio"), edge("depth", "text", trained=False))
    manifest = msgspec.structs.replace(bundle.manifest, binding_graph=edges)
    found = {
        (a, b): relation(manifest, Modality(a), Modality(b))
        for a, b in [("vision", "text"), ("audio", "vision"), ("vision", "audio"), ("imu", "text"),
                     ("imu", "vision"), ("depth", "text"), ("depth", "thermal")]
    }  # fmt: skip
    assert list(found.values()) == [
        "anchor", "trained", "trained", "emergent", "emergent", "unbound", "unbound",
    ]  # fmt: skip
