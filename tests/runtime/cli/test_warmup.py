# SPDX-License-Identifier: Apache-2.0
"""`sensebind warmup`, here and where little can be written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sensebind
from sensebind.bundle_folder import open_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]


def test_every_encoder_has_its_times(run: Run, bundle_folder: Path) -> None:
    modalities = [m.value for m in open_bundle(bundle_folder).manifest.encoders]
    ran = run("warmup", "--bundle", bundle_folder)
    assert ran.code == 0
    title, header, *rows, kernels = ran.out.splitlines()
    assert title.endswith("on onnxruntime, times in milliseconds")
    assert header.split() == [
        "modality",
        "open",
        *["prepare", "first", "again"],
        *["encode", "first", "again"],
    ]
    assert [row.split()[0] for row in rows] == modalities
    told = run("warmup", "--bundle", bundle_folder, "--json").json
    assert kernels == f"compiled kernels are kept in {told['kernels']}"
    assert [encoder["modality"] for encoder in told["encoders"]] == modalities
    assert all(encoder["encode_again_s"] > 0 for encoder in told["encoders"])


def test_an_unknown_bundle_is_exit_2(run: Run) -> None:
    ran = run("warmup", "--bundle", "nowhere")
    assert ran.code == 2
    assert "error: no bundle 'nowhere'" in ran.err


@pytest.fixture
def install(tmp_path: Path) -> Path:
    """A copy of the package whose folders hold no place for machine code."""
    package = Path(sensebind.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__", "_data")
    copy = Path(shutil.copytree(package, tmp_path / "site" / "sensebind", ignore=ignored))
    (copy / "preprocess" / "__pycache__").write_text("")
    return tmp_path / "site"


@pytest.mark.slow
def test_two_at_once_share_one_cache_without_a_home(
    install: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LD_LIBRARY_PATH", "TMPDIR")}
    environment = {
        **kept,
        "PYTHONPATH": str(install),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/proc/none",
        "SENSEBIND_CACHE": str(cache),
    }
    command = [sys.executable, "-m", "sensebind", "warmup", "--json", "--bundle"]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, str(bundle_folder)],
            env=environment,
            cwd=install,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def files() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in cache.rglob("*.nb?")}

    both = [start(), start()]
    for process in both:
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert Path(json.loads(out)["kernels"]).is_relative_to(cache)
    compiled = files()
    assert compiled
    third = start()
    _, err = third.communicate()
    assert third.returncode == 0, err
    assert files() == compiled
