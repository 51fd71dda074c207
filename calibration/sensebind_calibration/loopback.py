# SPDX-License-Identifier: Apache-2.0
"""Chirps played by a speaker and recorded by a microphone at once, by PortAudio (sounddevice)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind.errors import SourceError
from sensebind.sources.devices.microphones import OPEN_STREAMS, find_microphone, portaudio
from sensebind_calibration.chirp import chirps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

_BUFFER_S = 0.1
"""A smaller one runs empty on a machine that does other work, and the delay changes."""


def play_and_record(device: str | None, rate_hz: float) -> tuple[Samples, float]:
    """Play the chirps on the system's speaker, and record a microphone meanwhile.

    Args:
        device: part of the microphone's name or its number; the system's own if None.
        rate_hz: of both.

    Returns:
        What was recorded, float32 (n,), begun with the first sample that was played; its rate.

    Raises:
        SourceError: if there is no speaker, or the two cannot run together.
        MissingExtraError: if sounddevice is not installed.
    """
    sd = portaudio()
    microphone = find_microphone(device)
    speaker = int(sd.default.device[1])
    if speaker < 0:
        raise SourceError(
            "there is no speaker to play sweeps on; connect one, or leave out --chirp"
        )
    sound = chirps(rate_hz)
    player = _Player(sound)
    try:
        stream = sd.Stream(
            device=(microphone.index, speaker),
            samplerate=rate_hz,
            channels=1,
            dtype="float32",
            latency=_BUFFER_S,
            callback=player.exchange,
        )
    except sd.PortAudioError as error:
        raise _unavailable(error) from None
    OPEN_STREAMS.add(id(stream))
    try:
        stream.start()
        while not player.done:
            sd.sleep(50)
            if not stream.active:
                raise SourceError("the speaker or the microphone was disconnected meanwhile")
    except sd.PortAudioError as error:
        raise _unavailable(error) from None
    finally:
        stream.close(ignore_errors=True)
        OPEN_STREAMS.discard(id(stream))
    return player.recorded, rate_hz


def _unavailable(error: Exception) -> SourceError:
    return SourceError(
        f"speaker and microphone cannot run together ({error}); choose a device that has both with "
        "--mic, or another --mic-rate"
    )


class _Player:
    """What PortAudio calls, in its own thread: play the next samples, keep those that came."""

    def __init__(self, sound: Samples) -> None:
        self.recorded = np.zeros_like(sound)
        self.done = False
        self._sound = sound
        self._at = 0

    def exchange(
        self,
        heard: NDArray[Any],
        played: NDArray[Any],
        frames: int,
        _when: Any,  # noqa: ANN401 - PortAudio's structure of times
        _status: Any,  # noqa: ANN401 - flags of lost samples; the sweeps tell whether they matter
    ) -> None:
        """One block, float32 (frames, 1) each."""
        count = min(frames, len(self._sound) - self._at)
        played[:] = 0
        if count > 0:
            part = slice(self._at, self._at + count)
            played[:count, 0] = self._sound[part]
            self.recorded[part] = heard[:count, 0]
            self._at += count
        self.done = count < frames
