# SPDX-License-Identifier: Apache-2.0
"""`sensebind demo` on a made-up sample: what it writes and tells is what was computed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]

BEGIN_NS = 1_700_000_000_000_000_000
CLASSES = {"imu": ["still", "rough"], "vision": ["a cat", "a dog"]}


@pytest.fixture
def demo_bundle(bundle_copy: Path) -> Path:
    """The test bundle with prompts of its own."""
    prompts = {m: {name: [name] for name in names} for m, names in CLASSES.items()}
    content = json.dumps(prompts).encode()
    (bundle_copy / "prompts.json").write_bytes(content)
    manifest = json.loads((bundle_copy / "bundle.json").read_text())
    listed = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    manifest["files"]["prompts.json"] = listed
    (bundle_copy / "bundle.json").write_text(json.dumps(manifest))
    return bundle_copy


@pytest.fixture
def sample(recording: Path, tmp_path: Path) -> Path:
    """The recording with a truth: two seconds of one thing, then of another."""
    folder = tmp_path / "sample"
    folder.mkdir()
    (folder / "sample.mcap").symlink_to(recording)
    segments = [
        {"start_ns": BEGIN_NS + k * 2 * 10**9, "end_ns": BEGIN_NS + (k + 1) * 2 * 10**9,
         "modality": modality, "label": label}
        for modality, labels in CLASSES.items()
        for k, label in enumerate(labels)
    ]  # fmt: skip
    truth = {"nature": "simulated", "segments": segments}
    (folder / "truth.json").write_text(json.dumps(truth))
    return folder


def test_it_writes_a_table_per_sense_and_a_picture(
    run: Run, demo_bundle: Path, sample: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "deep"
    ran = run("demo", "--bundle", demo_bundle, "--sample", sample, "--out", out)
    assert ran.code == 0, ran.err
    assert sorted(p.name for p in out.iterdir()) == ["demo.png", "imu.parquet", "vision.parquet"]
    for modality, labels in CLASSES.items():
        table = pq.read_table(out / f"{modality}.parquet")
        assert set(table["modality"].to_pylist()) == {modality}
        assert json.loads(table.schema.metadata[b"sensebind.labels"]) == labels
        assert list(json.loads(table.schema.metadata[b"sensebind.encoder_ids"])) == [modality]
    with Image.open(out / "demo.png") as picture:
        assert picture.width >= 1600


def test_the_accuracy_is_that_of_the_tables(
    run: Run, demo_bundle: Path, sample: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    summary = run("demo", "--bundle", demo_bundle, "--sample", sample, "--out", out, "--json").json
    for modality, labels in CLASSES.items():
        rows = pq.read_table(out / f"{modality}.parquet").to_pylist()
        expected = []
        for k, label in enumerate(labels):
            begin, end = BEGIN_NS + k * 2 * 10**9, BEGIN_NS + (k + 1) * 2 * 10**9
            inside = [r["scores"] for r in rows if begin <= r["start_ns"] and r["end_ns"] <= end]
            expected.append(labels[int(np.mean(inside, axis=0).argmax())] == label)
        shown = summary["modalities"][modality]
        assert shown["right"] == sum(expected)
        assert shown["segments"] == 2


def test_it_tells_truth_label_binding_and_nature(
    run: Run, demo_bundle: Path, sample: Path, tmp_path: Path
) -> None:
    ran = run("demo", "--bundle", demo_bundle, "--sample", sample, "--out", tmp_path / "out")
    table, _, sums = ran.out.partition("\n\n")
    header, *rows = table.splitlines()
    assert header.split()[:6] == ["from", "s", "to", "s", "sense", "truth"]
    assert len(rows) == 4
    right = sum(" yes " in row for row in rows if " imu " in row)
    assert f"imu: {right} of 2 segments right" in sums
    assert "unbound, simulated data" in sums
    assert "anchor, simulated data" in sums


def test_two_demos_give_the_same_files(
    run: Run, demo_bundle: Path, sample: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        run("demo", "--bundle", demo_bundle, "--sample", sample, "--out", tmp_path / name)
    for name in ("demo.png", "imu.parquet", "vision.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_sample_that_is_not_there(run: Run, demo_bundle: Path, tmp_path: Path) -> None:
    ran = run("demo", "--bundle", demo_bundle, "--sample", tmp_path, "--out", tmp_path / "out")
    assert ran.code == 2
    assert f"error: cannot read the truth of the sample, {tmp_path / 'truth.json'}" in ran.err


def test_out_that_is_a_file(run: Run, demo_bundle: Path, sample: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("before")
    ran = run("demo", "--bundle", demo_bundle, "--sample", sample, "--out", tmp_path / "out")
    assert ran.code == 2
    assert "error: cannot make the folder " in ran.err
    assert (tmp_path / "out").read_text() == "before"
