# SPDX-License-Identifier: Apache-2.0
"""The test bundle, whose encoders say what features to make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensebind import Bundle
from tests.support.bundles import bundle_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["bundle", "bundle_folder"]


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> Iterator[Bundle]:
    with Bundle.load(bundle_folder) as loaded:
        yield loaded
