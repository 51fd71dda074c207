# SPDX-License-Identifier: Apache-2.0
"""A real sound server as microphone and speaker: what it is told to play is measured."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("sounddevice", reason="sounddevice (extra audio) is missing")

from sensebind_calibration.chirp import LONGEST_S, chirps, latency_of
from sensebind_calibration.loopback import play_and_record
from tests.calibration.test_commands import run
from tests.support.pulse import RATE_HZ, PulseServer
from tests.support.sounds import quiet_and_loud
from tests.support.toml import read_toml

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def test_a_microphone_is_listened_to(server: PulseServer, tmp_path: Path) -> None:
    sound = quiet_and_loud(np.random.default_rng(0), floor=1e-3, signal=0.05, seconds=12)
    player = threading.Thread(target=server.play, args=[np.rint(sound * 32768).astype(np.int16)])
    player.start()
    out = tmp_path / "c.toml"
    shown = run(
        *("microphone", "--mic", "default", "--mic-rate", RATE_HZ, "--seconds", 10),
        *("--target", -20, "--out", out),
    )
    player.join()
    section = read_toml(out)["microphone"]["/mic/audio"]
    assert section["noise_floor_dbfs"] == pytest.approx(20 * np.log10(1e-3 * 2**0.5), abs=0.5)
    assert section["gain"] == pytest.approx(0.1 / 2**0.5 / 0.05, rel=0.05)
    assert section["rate_by"] == "arrival"
    low, high = section["rate_ppm_interval"]
    assert low < section["rate_ppm"] < high
    assert "all bands carry sound" in shown


def test_latency_is_where_the_sweeps_are(server: PulseServer) -> None:
    recorded, rate_hz = play_and_record(None, RATE_HZ)
    latency = latency_of(recorded, rate_hz)
    # The server passes samples on unchanged, so sweeps are found to the sample. Where the machine
    # is busy it may lose some in between, and the delay changes.
    half_s = (latency.high - latency.low) / 2
    exact_s = [late / rate_hz for late in exact_delays(recorded, rate_hz)]
    assert len(exact_s) >= 3
    assert min(exact_s) - half_s <= latency.value <= max(exact_s) + half_s


def exact_delays(recorded: NDArray[np.float32], rate_hz: float) -> list[int]:
    """Samples by which each sweep that came unchanged is late."""
    sweep_length, period = round(0.2 * rate_hz), round((0.2 + LONGEST_S) * rate_hz)
    begin = round(0.5 * rate_hz)
    sweep = chirps(rate_hz)[begin : begin + sweep_length]
    views = np.lib.stride_tricks.sliding_window_view(recorded, sweep_length)
    same = [n for n, view in enumerate(views) if np.abs(view - sweep).max() < 2 / 32768]
    return [(n - begin) % period for n in same]
