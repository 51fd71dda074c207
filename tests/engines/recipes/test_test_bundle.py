# SPDX-License-Identifier: Apache-2.0
"""The test bundle has the form of a real one and is the same whenever it is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sensebind
import sensebind_engines
from sensebind.bundle_folder import open_bundle
from sensebind.types import Modality

onnx = pytest.importorskip("onnx", reason="the test bundle is written with the onnx package")

from sensebind_engines.recipes.test_bundle import build_test_bundle  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_test_bundle(tmp_path_factory.mktemp("bundle") / "test")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_it_is_whole_and_marked(folder: Path) -> None:
    opened = open_bundle(folder)
    opened.verify()
    assert opened.manifest.kind == "test"
    assert set(opened.manifest.encoders) == set(Modality)


def test_equal_seeds_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    again = build_test_bundle(tmp_path / "again")
    assert contents(again) == contents(folder)
    assert contents(build_test_bundle(again)) == contents(folder)


def test_another_seed_is_another_space(folder: Path, tmp_path: Path) -> None:
    other = open_bundle(build_test_bundle(tmp_path / "other", seed=1))
    assert other.manifest.space_id != open_bundle(folder).manifest.space_id


@pytest.mark.parametrize("modality", list(Modality))
def test_graphs_load_on_the_oldest_runtime(folder: Path, modality: Modality) -> None:
    """IR 10 and opset 20 are what ONNX Runtime 1.23 and TensorRT 10.3 read."""
    model = onnx.load(folder / f"{modality}.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 10
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 20)]
    assert all(w.data_location == onnx.TensorProto.DEFAULT for w in model.graph.initializer)
    assert not model.metadata_props


def test_it_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from sensebind_engines.recipes.test_bundle import build_test_bundle\n"
        f"build_test_bundle(Path({str(tmp_path / 'test')!r}))\n"
        "assert 'torch' not in sys.modules"
    )
    path = [str(Path(str(m.__file__)).parents[1]) for m in (sensebind, sensebind_engines)]
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{code}"],
        cwd=tmp_path,
        check=True,
    )
