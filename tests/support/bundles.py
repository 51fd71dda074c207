# SPDX-License-Identifier: Apache-2.0
"""The test bundle, built once per process; a test module imports the fixture it uses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

__all__ = ["bundle_copy", "bundle_folder"]


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the test bundle; shared, not to be changed."""
    pytest.importorskip("onnx", reason="writing the test bundle needs the onnx package")
    from sensebind_engines.recipes.test_bundle import build_test_bundle

    return build_test_bundle(tmp_path_factory.mktemp("bundle") / "test")


@pytest.fixture
def bundle_copy(bundle_folder: Path, tmp_path: Path) -> Path:
    """A copy of the test bundle to damage."""
    return Path(shutil.copytree(bundle_folder, tmp_path / "copy"))
