# SPDX-License-Identifier: Apache-2.0
"""A real PulseAudio server without a sound card: what is played to its sink is its microphone."""

from __future__ import annotations

import os
import shutil
import subprocess
import wave
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

RATE_HZ = 16_000
SINK = "ci"


class PulseServer:
    """A server whose microphone hears what `play` plays, sample by sample."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environment = {
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder / "pulse"),
            "PULSE_STATE_PATH": str(folder / "state"),
            "PULSE_COOKIE": str(folder / "cookie"),
            "PULSE_SERVER": f"unix:{folder / 'pulse' / 'native'}",
        }

    def start(self) -> None:
        """Start it; returns when it is there."""
        sink = f"module-null-sink sink_name={SINK} rate={RATE_HZ} channels=1 format=s16le"
        self._run(
            *("pulseaudio", "-n", "--daemonize=yes", "--exit-idle-time=-1", "--realtime=no"),
            *("--high-priority=no", "-L", "module-native-protocol-unix", "-L", sink),
        )
        self._run("pactl", "set-default-source", f"{SINK}.monitor")
        self._run("pactl", "set-default-sink", SINK)

    def stop(self) -> None:
        """Stop it, as if the device were unplugged."""
        self._run("pulseaudio", "--kill")

    def play(self, samples: NDArray[np.int16]) -> None:
        """Play mono sound at `RATE_HZ` to its end."""
        path = self._folder / "sound.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(samples.tobytes())
        self._run("paplay", f"--device={SINK}", str(path))

    def _run(self, *command: str) -> None:
        environment = {**os.environ, **self.environment}
        if command[0] == "pulseaudio":
            del environment["PULSE_SERVER"]  # a server does not start where it is told of another
        subprocess.run(command, env=environment, check=True, timeout=60, capture_output=True)


@contextmanager
def pulse_server(folder: Path) -> Iterator[PulseServer]:
    """A running server; the test is skipped where PulseAudio is not installed."""
    for program in ("pulseaudio", "pactl", "paplay"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    (folder / "state").mkdir(mode=0o700)
    folder.chmod(0o700)
    server = PulseServer(folder)
    server.start()
    try:
        yield server
    finally:
        subprocess.run(
            ["pulseaudio", "--kill"],
            env={**os.environ, **server.environment},
            check=False,
            timeout=60,
            capture_output=True,
        )


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PulseServer]:
    """A sound server that this process and PortAudio in it talk to."""
    folder = tmp_path_factory.mktemp("p")  # a socket's path must be short
    with pytest.MonkeyPatch.context() as patch, pulse_server(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running
