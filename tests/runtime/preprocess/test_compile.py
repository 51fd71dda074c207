# SPDX-License-Identifier: Apache-2.0
"""Kernels compile and run wherever the package and the user's home lie."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sensebind

CODE = """
from sensebind.preprocess import _imu_kernels
print(_imu_kernels._second_antiderivative(0.0) == 0.0)
print(_imu_kernels._second_antiderivative.stats.cache_path)
"""


@pytest.fixture
def install(tmp_path: Path) -> Path:
    """A copy of the package whose folders hold no place for machine code."""
    package = Path(sensebind.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__", "_data")
    copy = Path(shutil.copytree(package, tmp_path / "site" / "sensebind", ignore=ignored))
    # A file where the folder should be stops every user, root included, as a read-only disk does.
    (copy / "preprocess" / "__pycache__").write_text("")
    return tmp_path / "site"


def start(install: Path, code: str, **environment: str) -> subprocess.Popen[str]:
    """A Python of its own that finds the package in `install` and knows little else."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LD_LIBRARY_PATH", "TMPDIR")}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**kept, "PYTHONPATH": str(install), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        cwd=install,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(install: Path, **environment: str) -> tuple[str, Path]:
    process = start(install, CODE, **environment)
    out, err = process.communicate()
    assert process.returncode == 0, err
    usable, cache = out.split()
    return usable, Path(cache)


def test_a_read_only_install_uses_the_home(install: Path, tmp_path: Path) -> None:
    usable, cache = run(install, HOME=str(tmp_path / "home"))
    assert usable == "True"
    assert cache.is_relative_to(tmp_path / "home")
    assert list(cache.glob("*.nbi"))


def test_without_a_home_the_chosen_cache_is_used(install: Path, tmp_path: Path) -> None:
    usable, cache = run(install, HOME="/proc/none", SENSEBIND_CACHE=str(tmp_path / "cache"))
    assert usable == "True"
    assert cache.is_relative_to(tmp_path / "cache" / "numba")
    assert list(cache.glob("*.nbi"))


def test_without_any_cache_the_kernels_still_run(install: Path, tmp_path: Path) -> None:
    usable, cache = run(install, HOME="/proc/none", TMPDIR=str(tmp_path))
    assert usable == "True"
    assert cache.is_relative_to(tmp_path)
    assert not cache.exists()


def test_two_processes_compile_into_one_cache(install: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    both = [start(install, CODE, HOME="/proc/none", SENSEBIND_CACHE=str(cache)) for _ in "12"]
    for process in both:
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert out.startswith("True")
    compiled = {path: path.stat().st_mtime_ns for path in cache.rglob("*.nb?")}
    assert {path.suffix for path in compiled} == {".nbi", ".nbc"}
    run(install, HOME="/proc/none", SENSEBIND_CACHE=str(cache))
    assert compiled == {path: path.stat().st_mtime_ns for path in cache.rglob("*.nb?")}


def test_code_is_compiled_anew_when_another_kernels_file_changes(
    install: Path, tmp_path: Path
) -> None:
    """Compiled code holds constants and kernels of other files; Numba looks at its own only."""
    _, first = run(install, HOME=str(tmp_path / "home"))
    other = install / "sensebind" / "preprocess" / "_depth_kernels.py"
    other.write_text(other.read_text() + "# another version\n")
    _, second = run(install, HOME=str(tmp_path / "home"))
    assert first.parent != second.parent
    assert list(first.glob("*.nbi"))
    assert list(second.glob("*.nbi"))
