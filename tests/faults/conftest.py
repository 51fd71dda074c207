# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the fault tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensebind import Bundle
from sensebind.flow.backoff import Backoff
from tests.support.bundles import bundle_folder
from tests.support.running import no_thread_is_left

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["bundle_folder", "no_thread_is_left"]


@pytest.fixture
def bundle(bundle_folder: Path) -> Iterator[Bundle]:
    with Bundle.load(bundle_folder) as loaded:
        yield loaded


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again at once."""
    monkeypatch.setattr(Backoff, "next_s", lambda _self: 0.0)
