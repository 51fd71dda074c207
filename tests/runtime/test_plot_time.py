# SPDX-License-Identifier: Apache-2.0
"""The picture of the page on time is drawn by the code it explains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from sensebind.plot_time import draw_time

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "time.png"


def test_the_picture_is_the_one_of_the_page(tmp_path: Path) -> None:
    draw_time(tmp_path / "time.png")
    with Image.open(tmp_path / "time.png") as drawn, Image.open(PICTURE) as kept:
        assert drawn.size == kept.size
        difference = np.abs(np.asarray(drawn, np.float64) - np.asarray(kept, np.float64))
    assert difference.mean() < 2  # other versions of Matplotlib set text by other pixels
