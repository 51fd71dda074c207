# SPDX-License-Identifier: Apache-2.0
"""A microphone and a RealSense camera in one run: recorded, replayed, unplugged."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("pyrealsense2", reason="pyrealsense2 (extra realsense) is missing")
pytest.importorskip("sounddevice", reason="sounddevice (extra audio) is missing")

import pyrealsense2 as rs

from sensebind import Bundle, Pipeline, cli
from sensebind.sources.devices.microphone import STREAM as SOUND
from sensebind.sources.devices.microphone import Microphone
from sensebind.sources.devices.realsense import RealSense
from tests.support.pulse import RATE_HZ, PulseServer
from tests.support.running import check_balance
from tests.support.soft_realsense import HEIGHT, WIDTH, SoftContext, SoftRealSense, moving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.flow.selection import AnySource

DEPTH, COLOUR, IMU = "/realsense/depth", "/realsense/color", "/realsense/imu"
WAIT_S = 60.0


def pictures(seed: int = 0) -> list[tuple[NDArray[np.uint16], NDArray[np.uint8]]]:
    chance = np.random.default_rng(seed)
    return [
        (
            chance.integers(300, 6000, (HEIGHT, WIDTH), np.uint16),
            chance.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8),
        )
        for _ in range(30)
    ]


@contextmanager
def sounding(server: PulseServer) -> Iterator[None]:
    """Noise is played while the block lasts, with pauses."""
    ended = threading.Event()
    chance = np.random.default_rng(0)

    def play() -> None:
        while not ended.is_set():
            server.play(chance.integers(-9000, 9000, 2 * RATE_HZ).astype(np.int16))

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def rows(path: Path) -> dict[tuple[str, int], bytes]:
    """Vectors by stream and grid instant."""
    table = pq.read_table(path).to_pylist()
    return {(r["stream"], r["grid_ns"]): np.float32(r["vector"]).tobytes() for r in table}


def test_both_are_encoded_recorded_and_replayed_to_the_bit(
    server: PulseServer, bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = SoftRealSense("8213")
    monkeypatch.setattr(rs, "context", lambda: SoftContext([camera]))
    record, live, again = (tmp_path / n for n in ("run.mcap", "live.parquet", "again.parquet"))
    told = ["--bundle", str(bundle_folder)]
    asked = ["live", "--mic", "pulse", "--mic-rate", str(RATE_HZ), "--realsense", "default"]
    with moving(camera, pictures()), sounding(server):
        asked += [*told, "--record", str(record), "--out", str(live), "--seconds", "8"]
        assert cli.run(asked) == 0
    assert cli.run(["replay", str(record), *told, "--out", str(again)]) == 0
    heard, replayed = rows(live), rows(again)
    assert {stream for stream, _ in heard} >= {SOUND, DEPTH, IMU}
    assert len(heard) > 20
    assert not heard.keys() - replayed.keys()
    assert all(replayed[key] == vector for key, vector in heard.items())


def test_an_unplugged_camera_comes_back_while_the_microphone_goes_on(
    server: PulseServer, bundle_folder: Path
) -> None:
    first, second = SoftRealSense("8213"), SoftRealSense("8213")
    context = SoftContext([first])
    sources: list[AnySource] = [
        Microphone("pulse", rate_hz=RATE_HZ),
        RealSense(context=lambda: context),
    ]
    seen: dict[str, list[int]] = {SOUND: [], DEPTH: []}
    phase, unplugged = "before", {}
    with (
        Bundle.load(str(bundle_folder)) as bundle,
        Pipeline(bundle) as pipeline,
        moving(first, pictures()),
        moving(second, pictures(1)),
        sounding(server),
    ):
        for embedding in pipeline.run(sources, seconds=WAIT_S):
            seen.setdefault(embedding.stream, []).append(embedding.grid_ns)
            if phase == "before" and min(len(seen[DEPTH]), len(seen[SOUND])) >= 3:
                context.unplug(first)
                phase, unplugged = "away", {name: len(grids) for name, grids in seen.items()}
            elif phase == "away" and len(seen[SOUND]) >= unplugged[SOUND] + 3:
                context.cameras.append(second)
                phase = "back"
            elif phase == "back" and len(seen[DEPTH]) >= unplugged[DEPTH] + 4:
                pipeline.stop()
                phase = "ended"
    assert phase == "ended"
    check_balance(pipeline)
    told = [f"{incident.where}: {incident.what}" for incident in pipeline.report.incidents]
    assert any("RealSense" in line and "was disconnected" in line for line in told), told
    sound, depth = (np.diff(sorted(seen[name])) for name in (SOUND, DEPTH))
    assert depth.max() > sound.max()  # only the camera was away
