# SPDX-License-Identifier: Apache-2.0
"""A robot's service on the EMULATED GPU: plans built by another process are taken while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.support.emulated.driver import missing

if missing() is not None:
    pytest.skip(f"EMULATED GPU: {missing()}", allow_module_level=True)

from sensebind.gpu import find_gpu
from sensebind.robot.outputs import finished_files
from sensebind.sinks.reading import open_records
from tests.support.boards import StandInBuilder
from tests.support.builder import Script
from tests.support.emulated.library import VERSION
from tests.support.service import BLOCKS, Manager, running, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.emulated.driver import EmulatedDriver

CONFIG = """
bundle = "demo"
hop_s = 0.5
ring_s = 60
[streams.imu]
modality = "imu"
policy = "queue"
queue = 1000
[output]
file = "out.parquet"
rotate_s = 0
[engines]
build = {build}
"""


def records(folder: Path, build: str, builder: StandInBuilder) -> list[tuple[str, int, bytes]]:
    """Backend, grid instant and vector of each record of a service."""
    folder.mkdir()
    (folder / "robot.toml").write_text(CONFIG.format(build=build))
    manager = Manager(folder)
    with running(folder / "robot.toml", manager) as robot:
        robot.feed(BLOCKS[:60], 6)
        builder.let("go")
        ready = {"imu": "ready"} if build == "true" else {}
        until(lambda: robot.service.health().plans == ready)
        robot.feed(BLOCKS[60:], 16)
    manager.close()
    assert robot.ended == []
    found = []
    for path in finished_files(folder / "out.parquet"):
        file = open_records(path)
        rows = [(r.embedding.grid_ns, r.embedding.vector.tobytes()) for r in file.records()]
        found += [(file.metadata.backend, *row) for row in rows]
    return found


def test_a_plan_is_taken_while_the_service_runs_and_freed_at_its_end(
    emulated: EmulatedDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = find_gpu()
    key = {"gpu": gpu.name, "sm": gpu.sm, "driver": gpu.driver, "version": VERSION}
    builder = StandInBuilder(tmp_path / "builder", monkeypatch, key)
    builder.script(imu=Script(until="go"))
    launches = emulated.launches()
    on_cpu = records(tmp_path / "cpu", "false", builder)
    assert emulated.launches() == launches
    (tmp_path / "builder" / "go").unlink()
    found = records(tmp_path / "gpu", "true", builder)
    assert builder.calls() == ["build imu", "verify imu"]
    backends = [backend for backend, _, _ in found]
    assert list(dict.fromkeys(backends)) == ["onnxruntime", "tensorrt"]
    assert emulated.launches() - launches >= backends.count("tensorrt") > 0
    assert emulated.living() == {}
    assert [grid_ns for _, grid_ns, _ in found] == [grid_ns for _, grid_ns, _ in on_cpu]
    for (_, _, one), (_, _, other) in zip(found, on_cpu, strict=True):
        pair = np.frombuffer(one, np.float32), np.frombuffer(other, np.float32)
        np.testing.assert_allclose(*pair, atol=1e-6)
