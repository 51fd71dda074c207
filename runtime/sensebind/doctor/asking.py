# SPDX-License-Identifier: Apache-2.0
"""Asking the computer: files, programs and packages that may all be missing."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from shutil import which

_PATIENCE_S = 5.0


def content_of(path: str) -> str:
    """A small text file; "" where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return ""


def answer_of(*command: str) -> str:
    """What a program prints; "" where it is missing, fails or takes too long."""
    if which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def has_module(name: str) -> bool:
    """Whether Python would find a module here; it is not imported."""
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def version_of(package: str) -> str:
    """Version of an installed package; "" if it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
