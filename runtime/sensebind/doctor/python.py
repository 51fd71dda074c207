# SPDX-License-Identifier: Apache-2.0
"""The interpreter, its environment and the packages that bring compiled code."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sensebind.doctor.asking import content_of, version_of
from sensebind.doctor.finding import Finding
from sensebind.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

_HUMBLE = Path("/opt/ros/humble")
_COMPILED = ("numba", "onnxruntime", "pyarrow", "soxr", "tokenizers")
"""Packages whose modules are built against NumPy or the system; importing them tells."""


def interpreter() -> Iterator[Finding]:
    """Python, and what its environment sees."""
    found = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", "ok", f"Python {found} at {sys.executable}, SenseBind {__version__}")
    if sys.prefix == sys.base_prefix:
        yield Finding(
            "python",
            "note",
            "this is no virtual environment: packages of the system and SenseBind's may clash",
            "make one: python3 -m venv --system-site-packages ~/sensebind",
        )
        return
    sees = "include-system-site-packages = true" in content_of(f"{sys.prefix}/pyvenv.cfg").lower()
    told = "sees" if sees else "does not see"
    yield Finding("python", "ok", f"the virtual environment {told} the system's packages")


def packages() -> Iterator[Finding]:
    """NumPy's ABI: modules built for another NumPy fail when they are imported."""
    numpy = version_of("numpy")
    broken = {name: why for name in _COMPILED if (why := _import_problem(name))}
    for name, why in broken.items():
        yield Finding(
            "packages",
            "failure",
            f"{name} {version_of(name)} cannot be imported beside NumPy {numpy}: {why}",
            f"install it anew: pip install --force-reinstall {name}",
        )
    versions = [f"{name} {version_of(name)}" for name in ("numpy", *_COMPILED)]
    if not broken:
        yield Finding("packages", "ok", ", ".join(versions))
    if int(numpy.split(".")[0]) >= 2 and _HUMBLE.is_dir():
        yield Finding(
            "packages",
            "warning",
            f"NumPy {numpy} hides the system's 1.x, for which Humble's modules (cv_bridge) are "
            "built",
            "pip install 'numpy==1.26.*'",
        )


def _import_problem(name: str) -> str:
    try:
        import_module(name)
    except Exception as error:  # noqa: BLE001 - whatever a broken binary raises
        return str(error) or type(error).__name__
    return ""
