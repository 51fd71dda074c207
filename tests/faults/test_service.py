# SPDX-License-Identifier: Apache-2.0
"""A robot's service that is killed: what it had written is whole after the next start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from sensebind.robot.outputs import finished_files
from sensebind.sinks.reading import open_records
from sensebind.sources import open_source
from tests.support import bags
from tests.support.processes import program
from tests.support.running import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SAFE_S = 2.0
START_S = 4 * PATIENCE_S
"""The program may have to compile its kernels first, beside others."""
CONFIG = """
bundle = "{bundle}"
hop_s = 0.1

[devices.drive]
kind = "recording"
path = "drive.mcap"

[streams."/imu"]
modality = "imu"
policy = "block"

[output]
file = "out.parquet"

[record]
file = "raw.mcap"

[health]
file = "health.json"
every_s = 0.1
"""


def robot(folder: Path, bundle: Path) -> Path:
    """A robot.toml whose device is a recording of an IMU at 100 Hz that no test outlasts."""
    values = np.random.default_rng(0).normal(0, 1, (round(100 * PATIENCE_S), 6))
    messages = [
        bags.imu("/imu", 1_700_000_000_000_000_000 + i * 10_000_000, row.tolist())
        for i, row in enumerate(values)
    ]
    bags.write_mcap(folder / "drive.mcap", messages)
    path = folder / "robot.toml"
    path.write_text(CONFIG.format(bundle=bundle))
    return path


def command(config: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "sensebind", "run", str(config), *more]


def environment() -> dict[str, str]:
    paths = [str(ROOT / name) for name in ("runtime", "engines", "calibration")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def embedded(folder: Path) -> Iterator[tuple[float, int]]:
    """Now and then, how many windows the service says it has encoded."""
    waiting = Event()
    for _ in range(int(START_S / 0.02)):
        waiting.wait(0.02)
        if (folder / "health.json").exists():
            state = json.loads((folder / "health.json").read_text())
            yield time.monotonic(), sum(s["embedded"] for s in state["streams"].values())


def test_a_killed_service_loses_nothing_older_than_two_seconds(
    tmp_path: Path, bundle_folder: Path
) -> None:
    config = robot(tmp_path, bundle_folder)
    seen: list[tuple[float, int]] = []
    with program(command(config), env=environment(), stderr=subprocess.PIPE) as service:
        for at_s, count in embedded(tmp_path):
            seen.append((at_s, count))
            first_s = next((at_s for at_s, count in seen if count), None)
            if first_s is not None and at_s > first_s + SAFE_S + 1:
                break
        service.send_signal(signal.SIGKILL)
        killed_s = time.monotonic()
        assert service.wait() == -signal.SIGKILL
    assert finished_files(tmp_path / "out.parquet") == []
    again = subprocess.run(
        command(config, "--seconds", "0.5"), env=environment(), capture_output=True, check=False
    )
    assert again.returncode == 0, again.stderr.decode()
    safe = max(count for at_s, count in seen if at_s < killed_s - SAFE_S)
    first = finished_files(tmp_path / "out.parquet")[0]
    found = [record.embedding.grid_ns for record in open_records(first).records()]
    assert len(found) >= safe > 0
    assert set(np.diff(found)) == {100_000_000}
    (raw, *_) = finished_files(tmp_path / "raw.mcap")
    with open_source(raw) as recording:
        assert [info.name for info in recording.streams() if info.name == "/imu"] == ["/imu"]
    assert not list(tmp_path.glob("*.part*"))


def test_a_hangup_has_the_file_read_again_and_a_termination_ends_it(
    tmp_path: Path, bundle_folder: Path
) -> None:
    config = robot(tmp_path, bundle_folder)
    with program(command(config), env=environment(), stderr=subprocess.PIPE) as service:
        assert any(count for _, count in embedded(tmp_path)), "nothing was encoded"
        config.write_text(config.read_text() + "[prompts]\na = ['a']\nb = ['b']\n")
        service.send_signal(signal.SIGHUP)
        assert service.stderr is not None
        told = "from now on, and without a gap: prompts\n"
        assert any(line.endswith(told) for line in service.stderr), "it ended before"
        service.send_signal(signal.SIGTERM)
        assert service.wait(PATIENCE_S) == 0
    labels = [open_records(p).metadata.labels for p in finished_files(tmp_path / "out.parquet")]
    assert labels[0] == ()
    assert labels[1:] in ([], [("a", "b")])
