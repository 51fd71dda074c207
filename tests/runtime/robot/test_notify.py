# SPDX-License-Identifier: Apache-2.0
"""What systemd is told, as sd_notify(3) says it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from sensebind.robot.notify import Notifier

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Manager


def test_states_are_told_as_assignments(manager: Manager) -> None:
    notifier = manager.notifier
    for state in (notifier.ready, notifier.watchdog, notifier.stopping):
        state()
    notifier.extend(1.5)
    notifier.status("two\nlines")
    notifier.reloading()
    assert manager.until("STATUS") == [
        "READY=1", "WATCHDOG=1", "STOPPING=1", "EXTEND_TIMEOUT_USEC=1500000", "STATUS=two lines",
    ]  # fmt: skip
    reloading, since = manager.next().split("\n")
    assert reloading == "RELOADING=1"
    assert int(since.removeprefix("MONOTONIC_USEC=")) > 0


def test_abstract_addresses_are_spoken_to() -> None:
    name = f"\0sensebind-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name)
        Notifier({"NOTIFY_SOCKET": "@" + name[1:]}).ready()
        assert listener.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_manager_says_how_often_it_wants_to_hear(
    environ: dict[str, str], expected: float | None
) -> None:
    assert Notifier(environ).watchdog_s == expected


def test_a_manager_that_is_gone_costs_nothing_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    gone.ready()
    gone.watchdog()
    assert [r.getMessage().partition(" cannot be told")[1] for r in caplog.records] == [
        " cannot be told"
    ]
    Notifier({}).ready()
