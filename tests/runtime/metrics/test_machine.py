# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sensebind.metrics import machine
from sensebind.metrics.machine import Machine, this_machine, versions
from sensebind.metrics.timer import TimerLateness

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_machine_reads_back_from_json() -> None:
    found = this_machine()
    assert msgspec.json.decode(msgspec.json.encode(found), type=Machine) == found
    assert 1 <= found.cores <= (os.cpu_count() or 1)


def test_what_nobody_tells_is_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_CPU_INFO", tmp_path / "none")
    monkeypatch.setattr(machine, "_GOVERNOR", tmp_path / "none")
    monkeypatch.setattr("platform.processor", lambda: "")
    assert (this_machine().cpu, this_machine().governor) == ("", "")


def test_the_model_is_read_from_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(
        "processor\t: 0\ncpu family\t: 6\nmodel name\t: Some CPU @ 2 GHz\n\nflags : a\n"
    )
    governor = tmp_path / "governor"
    governor.write_text("powersave\n")
    monkeypatch.setattr(machine, "_CPU_INFO", info)
    monkeypatch.setattr(machine, "_GOVERNOR", governor)
    assert this_machine().cpu == "Some CPU @ 2 GHz family 6"
    assert this_machine().governor == "powersave"


def test_versions_of_what_is_installed() -> None:
    assert versions(["numpy", "no-such-package"]) == {"numpy": np.__version__}


def test_a_timer_counts_each_of_its_times() -> None:
    with TimerLateness(rate_hz=1000) as timer:
        while timer.lateness.count < 10:
            threading.Event().wait(0.001)
    counted = timer.lateness.count
    assert timer.lateness.min_ns >= 0
    assert timer.lateness.count == counted  # the thread has ended
