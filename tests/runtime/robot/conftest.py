# SPDX-License-Identifier: Apache-2.0
"""A robot.toml, and what listens to its service."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from sensebind.flow.backoff import Backoff
from sensebind.robot.notify import Notifier
from tests.support.bundles import bundle_folder
from tests.support.running import PATIENCE_S, no_thread_is_left

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


class Manager:
    """A service manager that a notifier talks to."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.settimeout(PATIENCE_S)
        self.notifier = Notifier({"NOTIFY_SOCKET": str(folder / "notify"), **environ})

    def next(self) -> str:
        """What it was told next."""
        return self._socket.recv(4096).decode()

    def until(self, beginning: str) -> list[str]:
        """What it was told, up to a message that begins so."""
        heard = [self.next()]
        while not heard[-1].startswith(beginning):
            heard.append(self.next())
        return heard

    def heard(self) -> list[str]:
        """What it was told and has not read yet."""
        self._socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.next())
        except BlockingIOError:
            return found
        finally:
            self._socket.settimeout(PATIENCE_S)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A manager that asks to hear of the service five times a second."""
    found = Manager(tmp_path, WATCHDOG_USEC="200000")
    yield found
    found.close()
