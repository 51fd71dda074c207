# SPDX-License-Identifier: Apache-2.0
"""The whole sample recording, made again: the shipped files are what the recipe makes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sensebind.storage import data_folder

pytest.importorskip("mujoco", reason="the sample recording is simulated with mujoco")
NAMES = ("sample.mcap", "truth.json")


@pytest.mark.slow
def test_a_rebuild_gives_the_shipped_bytes(tmp_path: Path) -> None:
    """About a minute; compared only where the versions named in the truth are installed."""
    from sensebind_engines.recipes.sample_recording import build

    cache = Path(os.environ.get("SENSEBIND_CACHE", tmp_path / "cache"))
    if not (cache / "esc10").is_dir():
        pytest.skip("SENSEBIND_CACHE has no folder esc10; put the recordings of ESC-10 there")
    first = build.build(tmp_path / "one", cache)
    shipped = data_folder() / "sample"
    packages = [
        json.loads((folder / "truth.json").read_text(encoding="utf-8"))["generator"]["packages"]
        for folder in (first, shipped)
    ]
    if packages[0] != packages[1]:
        pytest.skip(f"made with {packages[1]}, here are {packages[0]}")
    for name in NAMES:
        assert (first / name).read_bytes() == (shipped / name).read_bytes(), name
