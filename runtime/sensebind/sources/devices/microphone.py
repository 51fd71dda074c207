# SPDX-License-Identifier: Apache-2.0
"""A microphone as a live source, by PortAudio (sounddevice).

Sound is stamped by counting its samples: that is the sound card's own clock, which a clock model
maps like any other device's. PortAudio's time of the converter places the first sample, and sizes
the hole where the driver says that it lost some; between blocks without loss it is not steady
enough (by hundreds of milliseconds at a stream's start through PulseAudio).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sensebind.errors import SourceError
from sensebind.grid import NS_PER_S
from sensebind.sources.base import LiveStreamInfo, SourceReport, StreamKind
from sensebind.sources.devices.microphones import (
    OPEN_STREAMS,
    find_microphone,
    portaudio,
    rates_of,
)
from sensebind.types import UniformBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.sources.devices.microphones import MicrophoneInfo
    from sensebind.types import Block

SampleFormat = Literal["int16", "float32"]

STREAM = "/mic/audio"
_FULL_SCALE = {"int16": np.float32(1 / 32768), "float32": np.float32(1)}
_ENCODINGS = {"int16": "S16LE", "float32": "F32LE"}
_BLOCK_S = 0.01
_LEAST_HOLE_S = 0.01
"""Of a loss whose size PortAudio does not tell: enough to be seen as one."""


class Microphone:
    """One input device.

    Attributes:
        name: of the source.
        report: blocks delivered, overflows.
    """

    def __init__(
        self,
        device: str | int | None = None,
        *,
        stream: str = STREAM,
        rate_hz: float | None = None,
        channels: int = 1,
        sample_format: SampleFormat = "int16",
        block_frames: int | None = None,
        latency: float | Literal["low", "high"] = "low",
    ) -> None:
        """Describe what is wanted; nothing is opened.

        Args:
            device: number, or part of its name; the system's own microphone if None.
            stream: name of the stream it gives.
            rate_hz: samples per second; the device's own rate if None. The front end resamples.
            channels: how many are taken, from the first on.
            sample_format: of the samples as the device gives them; blocks hold float32 anyway.
            block_frames: samples per callback; 0 leaves it to the driver, None takes 10 ms.
            latency: buffering in seconds, or the driver's lowest or safest.
        """
        self.name = "microphone" if device is None else f"microphone {device}"
        self.report = SourceReport()
        self._device = device
        self._stream = stream
        self._rate_hz = rate_hz
        self._channels = channels
        self._format = sample_format
        self._block_frames = block_frames
        self._latency = latency
        self._input: Any = None
        self._callback: _Callback

    def streams(self) -> list[LiveStreamInfo]:
        """Its one stream.

        Raises:
            SourceError: the device is not there or does not take the rate or channels.
            MissingExtraError: sounddevice is not installed.
        """
        microphone = find_microphone(self._device)
        return [
            LiveStreamInfo(
                name=self._stream,
                kind=StreamKind.UNIFORM,
                message_type=microphone.name,
                encoding=_ENCODINGS[self._format],
                clock=f"samples of {microphone.name}",
                rate_hz=self._checked_rate(microphone),
            )
        ]

    def start(
        self,
        selected: dict[str, StreamConfig],
        deliver: Callable[[Block], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """Open the device; see `LiveSource.start`."""
        if self._stream not in selected:
            return
        sd = portaudio()
        microphone = find_microphone(self._device)
        rate_hz = self._checked_rate(microphone)
        block = round(rate_hz * _BLOCK_S) if self._block_frames is None else self._block_frames
        callback = _Callback(self._stream, self._format, rate_hz, self.report, deliver, fail)
        self._callback = callback
        try:
            self._input = sd.InputStream(
                device=microphone.index,
                samplerate=rate_hz,
                channels=self._channels,
                dtype=self._format,
                blocksize=block,
                latency=self._latency,
                callback=callback.take,
                finished_callback=callback.finished,
            )
            OPEN_STREAMS.add(id(self._input))
            self._input.start()
        except sd.PortAudioError as error:
            raise _unavailable(microphone, error) from None

    def stop(self) -> None:
        """Close the device; see `LiveSource.stop`."""
        stream, self._input = self._input, None
        if stream is not None:
            self._callback.closing = True
            stream.close(ignore_errors=True)
            OPEN_STREAMS.discard(id(stream))

    def _checked_rate(self, microphone: MicrophoneInfo) -> float:
        """The rate it is opened with, seen to be one it takes."""
        if self._channels > microphone.channels:
            raise SourceError(
                f"the microphone {microphone.name!r} has {microphone.channels} channels, "
                f"{self._channels} were asked for"
            )
        rate_hz = self._rate_hz or microphone.rate_hz
        sd = portaudio()
        try:
            sd.check_input_settings(microphone.index, self._channels, self._format, None, rate_hz)
        except sd.PortAudioError as error:
            taken = ", ".join(map(str, rates_of(microphone, self._channels, self._format)))
            if not taken:
                raise _unavailable(microphone, error) from None
            raise SourceError(
                f"the microphone {microphone.name!r} does not take {self._channels} channels of "
                f"{self._format} at {rate_hz:g} Hz ({error}); it takes {taken}"
            ) from None
        return rate_hz


def _unavailable(microphone: MicrophoneInfo, error: Exception) -> SourceError:
    return SourceError(
        f"the microphone {microphone.name!r} cannot be opened ({error}): close the program that "
        "uses it, see that the sound server runs (pulseaudio --start), or, without one, add "
        "yourself to the group audio: sudo usermod -aG audio $USER"
    )


class _Callback:
    """What PortAudio calls, in its own thread: count, convert, pass on."""

    def __init__(
        self,
        stream: str,
        sample_format: SampleFormat,
        rate_hz: float,
        report: SourceReport,
        deliver: Callable[[Block], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self.closing = False
        self._stream = stream
        self._scale = _FULL_SCALE[sample_format]
        self._rate_hz = rate_hz
        self._report = report
        self._deliver = deliver
        self._fail = fail
        self._origin_ns = 0
        self._count = 0
        self._due_s = 0.0  # the converter's time at which the next block should begin

    def take(self, samples: NDArray[Any], frames: int, when: Any, status: Any) -> None:  # noqa: ANN401
        """One block, int16 or float32 (frames, channels)."""
        if self._count == 0:
            self._origin_ns = time.monotonic_ns() - round(frames * NS_PER_S / self._rate_hz)
        elif status.input_overflow:
            self._skip_lost(when.inputBufferAdcTime)
        values = samples.astype(np.float32)
        values *= self._scale
        stamp_ns = self._origin_ns + round(self._count * NS_PER_S / self._rate_hz)
        self._count += frames
        self._due_s = when.inputBufferAdcTime + frames / self._rate_hz
        self._report.count(self._stream)
        self._deliver(UniformBlock(self._stream, stamp_ns, self._rate_hz, values))

    def finished(self) -> None:
        """The stream ended, by us or because the device is gone."""
        if not self.closing:
            self._fail(SourceError("the microphone was disconnected"))

    def _skip_lost(self, adc_s: float) -> None:
        """Count past the samples that the driver lost, by the converter's time."""
        lost_s = max(adc_s - self._due_s, _LEAST_HOLE_S) if adc_s > 0 else _LEAST_HOLE_S
        lost = round(lost_s * self._rate_hz)
        self._count += lost
        self._report.skip(self._stream, "overflow", lost)
