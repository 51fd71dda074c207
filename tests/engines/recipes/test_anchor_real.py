# SPDX-License-Identifier: Apache-2.0
"""The real anchor, built twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="the recipe needs the recipes extra")
pytest.importorskip("onnxscript", reason="the recipe needs the recipes extra")

from sensebind_engines.recipes.anchor import build_anchor

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_the_real_anchor_twice_in_the_same_bytes(tmp_path: Path) -> None:
    first, second = build_anchor(tmp_path / "a"), build_anchor(tmp_path / "b")
    names = [file.name for file in (tmp_path / "a").iterdir()]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    assert sum((tmp_path / "a" / name).stat().st_size for name in names) <= 35e6
    assert first.encoders == second.encoders
    assert first.figures["text_cosine_mean"] > 0.999
    assert first.figures["vision_cosine_min"] > 0.9995
