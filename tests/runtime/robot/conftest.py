# SPDX-License-Identifier: Apache-2.0
"""A robot.toml, and what listens to its service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensebind.flow.backoff import Backoff
from tests.support.bundles import bundle_folder
from tests.support.running import no_thread_is_left
from tests.support.service import Manager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["bundle_folder", "no_thread_is_left"]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again at once."""
    monkeypatch.setattr(Backoff, "next_s", lambda _self: 0.0)


@pytest.fixture
def write(tmp_path: Path, bundle_folder: Path) -> Callable[[str], Path]:
    """Write a robot.toml on the test bundle."""

    def call(text: str) -> Path:
        path = tmp_path / "robot.toml"
        path.write_text(f'bundle = "{bundle_folder}"\n{text}', encoding="utf-8")
        return path

    return call


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A manager that asks to hear of the service five times a second."""
    found = Manager(tmp_path, WATCHDOG_USEC="200000")
    yield found
    found.close()
