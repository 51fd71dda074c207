# SPDX-License-Identifier: Apache-2.0
"""TOML on every supported Python."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path


def read_toml(path: Path) -> dict[str, Any]:
    """Content of a TOML file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))
