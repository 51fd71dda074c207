# SPDX-License-Identifier: Apache-2.0
"""Which microphones there are, by PortAudio."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from sensebind.errors import MissingExtraError, SourceError

if TYPE_CHECKING:
    from types import ModuleType

USUAL_RATES_HZ = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000)
"""Rates that a device is asked about."""


OPEN_STREAMS: set[int] = set()
"""Ids of the streams that are open in this process."""


@dataclass(frozen=True, slots=True)
class MicrophoneInfo:
    """One input device.

    Attributes:
        index: PortAudio's number of it; another one after devices came or went.
        name: as the driver tells it, with the host API, which stays the same.
        channels: most it gives.
        rate_hz: the rate it runs at by itself.
    """

    index: int
    name: str
    channels: int
    rate_hz: float


def portaudio() -> ModuleType:
    """The sounddevice package.

    Raises:
        MissingExtraError: it is not installed.
        SourceError: PortAudio itself is not.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise MissingExtraError("a microphone", "audio") from error
    except OSError as error:  # the package is there, the library is not
        raise SourceError(
            f"the microphone needs PortAudio: {error}; install it with: "
            "sudo apt-get install libportaudio2"
        ) from None
    module: ModuleType = sounddevice
    return module


def list_microphones() -> list[MicrophoneInfo]:
    """Every device that gives sound, in PortAudio's order.

    PortAudio looks for devices once, when it is started. To see what was plugged in since, it is
    started anew, which it bears only while no stream is open.

    Raises:
        MissingExtraError, SourceError: as `portaudio`.
    """
    sd = portaudio()
    if not OPEN_STREAMS:
        sd._terminate()  # noqa: SLF001 - its documentation knows no other way to look again
        sd._initialize()  # noqa: SLF001
    apis = sd.query_hostapis()
    return [
        MicrophoneInfo(
            index,
            f"{device['name']} ({apis[device['hostapi']]['name']})",
            int(device["max_input_channels"]),
            float(device["default_samplerate"]),
        )
        for index, device in enumerate(sd.query_devices())
        if device["max_input_channels"] > 0
    ]


def find_microphone(wanted: str | int | None) -> MicrophoneInfo:
    """The microphone of that number, or whose name holds that text; the system's own if None.

    Raises:
        SourceError: there is none, or the text fits several, naming those there are.
    """
    known = list_microphones()
    if not known:
        raise SourceError(
            "there is no microphone; connect one, or start the sound server (pulseaudio --start)"
        )
    if wanted is None:
        wanted = _default_index(known)
    text = str(wanted)
    fitting = [m for m in known if text == str(m.index)]
    fitting = fitting or [m for m in known if text.lower() == m.name.rpartition(" (")[0].lower()]
    fitting = fitting or [m for m in known if text.lower() in m.name.lower()]
    if len(fitting) == 1:
        return fitting[0]
    listing = "; ".join(f"{m.index}: {m.name}" for m in fitting or known)
    if fitting:
        raise SourceError(
            f"the microphone {text!r} may be any of {listing}; give more of its name, or its number"
        )
    near = get_close_matches(text, [m.name for m in known], n=1, cutoff=0.4)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    raise SourceError(f"there is no microphone {text!r}{guess} There are {listing}")


def rates_of(microphone: MicrophoneInfo, channels: int, dtype: str) -> list[int]:
    """The usual rates that a microphone takes."""
    sd = portaudio()
    return [rate for rate in USUAL_RATES_HZ if _takes(sd, microphone, channels, dtype, rate)]


def _takes(sd: Any, microphone: MicrophoneInfo, channels: int, dtype: str, rate: int) -> bool:  # noqa: ANN401
    try:
        sd.check_input_settings(microphone.index, channels, dtype, samplerate=rate)
    except sd.PortAudioError:
        return False
    return True


def _default_index(known: list[MicrophoneInfo]) -> int:
    index = int(portaudio().default.device[0])
    return index if any(m.index == index for m in known) else known[0].index
