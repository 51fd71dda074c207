# SPDX-License-Identifier: Apache-2.0
"""Settings and fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# Busy machines must not fail a property, and CI must try the same examples every time.
settings.register_profile(
    "sensebind",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("sensebind")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of the real recordings, which are not part of the repository."""
    folder = os.environ.get("SENSEBIND_TEST_DATA")
    if not folder:
        pytest.skip("SENSEBIND_TEST_DATA is unset: it names the folder of real recordings")
    path = Path(folder)
    assert path.is_dir(), f"SENSEBIND_TEST_DATA={folder!r} is not a folder"
    return path
