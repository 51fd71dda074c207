# SPDX-License-Identifier: Apache-2.0
"""What `make` says on machines that lack something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

OLD = "#!/bin/sh\n[ \"$1\" = -V ] && echo 'Python 3.9.2' && exit 0\nexit 1\n"
SHIM = "#!/bin/sh\necho 'no version of it is chosen' >&2\nexit 127\n"
NO_VENV = f'#!/bin/sh\ncase "$2" in *venv*) exit 1;; esac\nexec {sys.executable} "$@"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the first step of every target reads."""
    (tmp_path / ".ci").mkdir()
    for name in ("Makefile", "pyproject.toml", ".ci/constraints-train.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(checkout: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=checkout, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "was not found; install Python 3.10 or newer, or name one: make demo PYTHON="),
        (SHIM, "does not start; name another: make demo PYTHON="),
        (OLD, "is Python 3.9.2, SenseBind needs Python 3.10 or newer"),
        (NO_VENV, "install them with: sudo apt-get install python3-venv python3-pip"),
    ],
    ids=["missing", "shim", "old", "no venv"],
)
def test_unusable_python_is_explained(checkout: Path, script: str | None, message: str) -> None:
    python = checkout / "python"
    if script is not None:
        python.write_text(script)
        python.chmod(0o755)
    status, _, errors = make(checkout, "demo", f"PYTHON={python}")
    assert status != 0
    assert str(python) in errors
    assert message in errors
    assert not (checkout / ".venv").exists()


def test_help_lists_every_target(checkout: Path) -> None:
    status, text, _ = make(checkout)
    assert status == 0
    listed = [line.split()[1] for line in text.splitlines()]
    assert listed == [
        "help", "demo", "test", "test-engines", "test-ros", "test-slow", "check", "docs", "bench",
        "ros", "ros-demo", "clean",
    ]  # fmt: skip
