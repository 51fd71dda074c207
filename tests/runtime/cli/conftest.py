# SPDX-License-Identifier: Apache-2.0
"""A small recording and a way to run commands."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from sensebind import cli
from tests.support.bags import image, imu, text, write_mcap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BEGIN_NS = 1_700_000_000_000_000_000
_PERIOD_NS = 10_000_000


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON; fails if there is anything else."""
        return msgspec.json.decode(self.out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command in this process."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of a 100 Hz IMU with a pause of 0.4 s, two pictures, and a topic of strings."""
    rng = np.random.default_rng(1)
    messages = [
        imu("/imu", _BEGIN_NS + i * _PERIOD_NS, rng.standard_normal(6).tolist())
        for i in range(400)
        if not 250 <= i < 290
    ]
    pixels = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    messages += [image("/camera", _BEGIN_NS + k * 10**9, pixels, "rgb8") for k in (1, 2)]
    messages.append(text("/notes", _BEGIN_NS + 5, "hello"))
    messages.sort(key=lambda message: message.log_ns)
    return write_mcap(tmp_path_factory.mktemp("recording") / "drive.mcap", messages)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three pictures and a file that is no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(2)
    for number in (1, 2, 10):
        pixels = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "readme.md").write_text("not a picture")
    return folder


@pytest.fixture(scope="session")
def imu_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """310 samples of a 100 Hz IMU whose first stamp is no multiple of anything."""
    rng = np.random.default_rng(3)
    table = io.StringIO("t_ns,ax,ay,az,gx,gy,gz\n")
    table.seek(0, io.SEEK_END)
    for i in range(310):
        row = ",".join(f"{x:.6f}" for x in rng.standard_normal(6))
        table.write(f"{123_456_789 + i * _PERIOD_NS},{row}\n")
    path = tmp_path_factory.mktemp("table") / "imu.csv"
    path.write_text(table.getvalue())
    return path
