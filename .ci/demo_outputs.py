# SPDX-License-Identifier: Apache-2.0
"""Check what `sensebind demo` wrote, with the interpreter of the environment that ran it.

Usage: demo_outputs.py FOLDER
"""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image


def check(folder: Path) -> None:
    """Fail unless `folder` has a table of unit vectors with labels, and a picture.

    Raises:
        AssertionError: naming what is wrong.
    """
    for module in ("torch", "onnx", "mujoco"):
        assert importlib.util.find_spec(module) is None, (
            f"{module} is installed; the core needs none"
        )
    tables = list(folder.rglob("*.parquet"))
    assert tables, f"{folder} has no Parquet file"
    for path in tables:
        table = pq.read_table(path)
        assert table.num_rows > 0, f"{path} has no rows"
        vectors = np.array(table["vector"].to_pylist(), np.float32)
        lengths = np.linalg.norm(vectors, axis=1)
        assert np.allclose(lengths, 1, atol=1e-4), f"{path} has vectors of length {lengths}"
        assert all(table["label"].to_pylist()), f"{path} has rows without a label"
        print(f"  {path.name}: {table.num_rows} unit vectors of dimension {vectors.shape[1]}")
    pictures = list(folder.rglob("*.png"))
    assert pictures, f"{folder} has no picture"
    for path in pictures:
        with Image.open(path) as picture:
            low, high = picture.convert("L").getextrema()
            assert picture.width >= 640, f"{path} is {picture.width} pixels wide"
            assert low != high, f"{path} is blank"
            print(f"  {path.name}: {picture.width} x {picture.height} pixels")
    print(f"  Python {platform.python_version()}, numpy {np.__version__}: demo ok, no torch")


if __name__ == "__main__":
    check(Path(sys.argv[1]))
