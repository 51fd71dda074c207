# SPDX-License-Identifier: Apache-2.0
"""The commands of the page on training one's own bundle, run as they stand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.test_docs import ROOT, commands, run

PAGE = ROOT / "docs" / "train-your-own.md"


@pytest.mark.slow
def test_the_page_runs_from_recipe_to_search(tmp_path: Path) -> None:
    """About half an hour on two cores; less with SENSEBIND_CACHE, which keeps the episodes."""
    pytest.importorskip("mujoco", reason="the recipe simulates with mujoco")
    pytest.importorskip("torch", reason="training needs torch")
    if "SENSEBIND_CACHE" in os.environ:
        (tmp_path / "cache").symlink_to(Path(os.environ["SENSEBIND_CACHE"]).resolve())
    sample = ROOT / "runtime" / "sensebind" / "_data" / "sample" / "sample.mcap"
    (tmp_path / "drive.mcap").symlink_to(sample)
    for words in commands(PAGE):
        run(words, tmp_path)
    assert (tmp_path / "figures" / "EVALUATION.md").exists()
    assert (tmp_path / "mine.parquet").stat().st_size > 0
