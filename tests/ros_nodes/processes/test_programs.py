# SPDX-License-Identifier: Apache-2.0
"""What all programs do alike: end at signals, and name what cannot be used."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ros

PROGRAMS = {
    "node": (),
    "player": ("nowhere.mcap",),
    "recorder": ("--out", "a.parquet"),
    "demo": (),
}
# A signal comes while modules are imported, and another one while the process ends.
IMPORTING = """
import atexit, importlib, signal, sys

for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, signal.SIG_DFL)  # in the background some are ignored
number, name = int(sys.argv.pop(1)), sys.argv.pop(1)

class Finder:
    def find_spec(self, module, path=None, target=None):
        if module == "numpy":
            atexit.register(signal.raise_signal, number)
            signal.raise_signal(number)

sys.meta_path.insert(0, Finder())
sys.exit(importlib.import_module(f"sensebind_ros.{name}").main())
"""


def ran(module: str, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_signal_while_it_is_imported(name: str, number: int, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(IMPORTING)
    words = (str(int(number)), name, *PROGRAMS[name])
    done = ran("program", *words, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["node", "player", "recorder"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--params-file", "nowhere.yaml"), "an argument of ROS cannot be used: "),
        (("--unknown",), "an argument of ROS cannot be used: "),
        (("-r", "__node:=no name"), "an argument of ROS cannot be used: "),
        (("-p", "use_sim_time:=5"), "a parameter cannot be used: "),
    ],
)
def test_wrong_arguments_of_ros(
    name: str, words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    done = ran(f"sensebind_ros.{name}", *PROGRAMS[name], "--ros-args", *words, folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_no_node_has(tmp_path: Path) -> None:
    words = ("--out", "a.parquet", "--node", "no name")
    done = ran("sensebind_ros.recorder", *words, folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "a name cannot be used: " in done.stderr
    assert "Traceback" not in done.stderr
