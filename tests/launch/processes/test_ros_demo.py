# SPDX-License-Identifier: Apache-2.0
"""What `make ros-demo` runs: three processes and the one that receives."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.ros import PATHS, ROOT, Examiner, Process

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ros


def test_labels_of_the_sample_are_received_and_judged(tmp_path: Path, examiner: Examiner) -> None:
    del examiner
    paths = [str(ROOT / path) for path in (*PATHS, "launch/sensebind_bringup")]
    log = tmp_path / "demo.log"
    words = ("--rate", "4", "--sense", "audio")
    variables = {"PYTHONPATH": os.pathsep.join(paths)}
    with Process("sensebind_ros.demo", *words, log=log, **variables) as demo:
        output, _ = demo.popen.communicate(timeout=300)
    assert demo.popen.returncode == 0, demo.errors
    assert re.search(r"^ +\d+\.\d s  audio: \w+", output, re.MULTILINE), output
    assert re.search(r"^right: \d+ of 11$", output, re.MULTILINE), output
    [counts] = re.findall(r"embeddings received: (.*)", output)
    received = {name: int(count) for count, name in (each.split() for each in counts.split(", "))}
    assert set(received) == {"imu", "audio", "vision", "depth", "thermal"}
    assert all(received.values()), counts
