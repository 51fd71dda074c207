# SPDX-License-Identifier: Apache-2.0
"""Files of every kind damaged at random are read or refused, within time and memory."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def check(seed: int, count: int, folder: Path, root: Path) -> None:
    """Read damaged files in a process of its own, whose memory is limited."""
    command = [sys.executable, "-m", "tests.support.broken_files", str(seed), str(count)]
    path = [str(root / "runtime"), str(root)]
    ran = subprocess.run(
        [*command, str(folder)],
        cwd=root,
        env={"PYTHONPATH": ":".join(path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    refused = int(ran.stdout.split()[2])
    assert 0 < refused < count


def test_some_damaged_files(tmp_path: Path, root: Path) -> None:
    check(0, 400, tmp_path, root)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_many_damaged_files(tmp_path: Path, root: Path, seed: int) -> None:
    check(seed, 2000, tmp_path, root)
