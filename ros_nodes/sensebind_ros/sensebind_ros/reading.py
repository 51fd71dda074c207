# SPDX-License-Identifier: Apache-2.0
"""From serialized messages to blocks, one message at a time; nothing here needs ROS.

Every reader raises DecodeError, and nothing else, for a message that cannot be used; its text is
the cause that the message is counted under.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import ConfigError
from sensebind.sources.bags.camera_facts import NO_FACTS, CameraFacts, read_focal_length
from sensebind.sources.base import KIND_OF_SENSE, StreamKind
from sensebind.sources.imu_join import Half, ImuJoiner
from sensebind.sources.messages.cdr import (
    NO_ACCELERATION,
    NO_ANGULAR_VELOCITY,
    NOT_PROVIDED,
    read_imu_fields,
)
from sensebind.sources.messages.cdr_audio import read_audio_info
from sensebind.sources.messages.pcm import (
    NO_FORMAT,
    AudioFormat,
    CodedAudioError,
    Sound,
    audio_format,
    codec_of,
    layout_with_options,
    waveform,
)
from sensebind.sources.messages.senses import SENSES
from sensebind.sources.messages.wire import DecodeError
from sensebind.types import Frame, FrameBlock, Modality, SampleBlock, UniformBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.sources.messages.senses import Sense
    from sensebind.types import Block

IMU = "sensor_msgs/msg/Imu"
_WITHOUT_FRAME_ID = ("audio_common_msgs/msg/AudioData", "foxglove_msgs/msg/RawAudio")
FRAME_ID_BEGIN = 12
"""Where a frame id begins: behind the encapsulation, seconds and nanoseconds."""
FRAME_ID_LENGTH = Struct("<I")
"""Its length, which its text follows."""
_COVARIANCES = {Half.ACCELERATION: (7, NO_ACCELERATION), Half.ROTATION: (3, NO_ANGULAR_VELOCITY)}
"""Of each half of an Imu message: where its covariance is among the fields, and what its lack is
called."""


class Reader(ABC):
    """Turns the messages of one topic into blocks of a stream."""

    def __init__(self, stream: str, sense: Sense) -> None:
        self.stream = stream
        self._sense = sense

    @abstractmethod
    def block(self, data: bytes) -> Block | None:
        """The block in a message; None if it waits for the other half of its IMU.

        Raises:
            DecodeError: saying why the message cannot be used.
        """

    def learn(self, data: bytes) -> None:
        """Take a message that describes the others: CameraInfo or AudioInfo.

        Raises:
            DecodeError: if it cannot be used.
        """
        del data

    def configure(self, config: StreamConfig) -> None:
        """Read what follows as another configuration says; what was learnt stays."""
        del config


class ImuReader(Reader):
    """Readings of a whole IMU.

    Attributes:
        rotation: float64 (3, 3) from the sensor's axes to those wanted; None for none.
        waits: whether messages cannot be used before the rotation is known.
    """

    rotation: NDArray[np.float64] | None = None
    waits: bool = False

    def block(self, data: bytes) -> Block | None:
        """See `Reader.block`."""
        stamp_ns, row = self._sense.read(data, "cdr")
        values = np.array([row], np.float64)
        if self.rotation is not None:
            values = rotated(values, self.rotation)
        elif self.waits:
            raise DecodeError("no transform yet")
        return SampleBlock(self.stream, np.array([stamp_ns], np.int64), values)


class HalfReader(Reader):
    """Accelerations, or angular velocities, of an IMU whose halves have topics of their own."""

    def __init__(self, stream: str, sense: Sense, half: Half, joiner: ImuJoiner) -> None:
        super().__init__(stream, sense)
        read = sense.halves[half]
        if read is None:
            raise ConfigError(
                f"stream {stream!r}: messages of this type carry no {_NAMES[half]}; give "
                "accel_topic the accelerations and gyro_topic the angular velocities"
            )
        self._read = read
        self._is_imu = sense is SENSES[IMU]
        self._half = half
        self._joiner = joiner

    def block(self, data: bytes) -> Block | None:
        """See `Reader.block`."""
        if self._is_imu:
            place, lack = _COVARIANCES[self._half]
            if read_imu_fields(data, "cdr")[1][place] == NOT_PROVIDED:
                raise DecodeError(lack)
        stamp_ns, row = self._read(data, "cdr")
        joined = self._joiner.push(
            self._half, np.array([stamp_ns], np.int64), np.array([row], np.float64)
        )
        return SampleBlock(self.stream, *joined) if len(joined[0]) else None


class FrameReader(Reader):
    """Pictures of a camera."""

    def __init__(self, stream: str, sense: Sense, config: StreamConfig) -> None:
        super().__init__(stream, sense)
        self._camera = NO_FACTS
        self.configure(config)

    def block(self, data: bytes) -> Block | None:
        """See `Reader.block`."""
        stamp_ns, frame = self._sense.read(data, "cdr")
        assert isinstance(frame, Frame)
        if self._encoding is not None and frame.step:
            frame = replace(frame, encoding=self._encoding)
        return FrameBlock(self.stream, stamp_ns, self._camera.told_of(frame))

    def learn(self, data: bytes) -> None:
        """Take a sensor_msgs/CameraInfo; see `Reader.learn`."""
        focal_px, width = read_focal_length(data, "cdr")
        self._camera = CameraFacts(None, focal_px, width)

    def configure(self, config: StreamConfig) -> None:
        """See `Reader.configure`."""
        self._encoding = config.format


class SoundReader(Reader):
    """Sound, of messages that tell its format themselves or of those an AudioInfo tells it for."""

    def __init__(self, stream: str, sense: Sense, config: StreamConfig) -> None:
        super().__init__(stream, sense)
        self._info: AudioFormat | None = None
        self._coded = ""
        self.configure(config)

    def block(self, data: bytes) -> Block | None:
        """See `Reader.block`."""
        stamp_ns, sound = self._sense.read(data, "cdr")
        assert isinstance(sound, Sound)
        if self._coded:
            raise CodedAudioError(self._coded)
        layout = self._layout_of(sound)
        if layout is None:
            codec = codec_of(sound.octets)
            raise CodedAudioError(_not_pcm(codec)) if codec else DecodeError(NO_FORMAT)
        samples = waveform(sound.octets, layout)
        return UniformBlock(self.stream, stamp_ns, layout.rate_hz, samples, sound.clock_rate_hz)

    def learn(self, data: bytes) -> None:
        """Take an audio_common_msgs/AudioInfo; see `Reader.learn`."""
        info = read_audio_info(data, "cdr")
        try:
            self._info, self._coded = audio_format(info), ""
        except CodedAudioError:
            self._coded = _not_pcm(info.coding_format)
            raise CodedAudioError(self._coded) from None

    def configure(self, config: StreamConfig) -> None:
        """See `Reader.configure`."""
        self._config = config
        self._told: AudioFormat | None = None
        self._layout = layout_with_options(None, config)

    def _layout_of(self, sound: Sound) -> AudioFormat | None:
        told = sound.layout or self._info
        if told != self._told:
            self._told, self._layout = told, layout_with_options(told, self._config)
        return self._layout


def make_reader(stream: str, message_type: str, config: StreamConfig) -> Reader:
    """The reader of a topic that is a stream by itself.

    Raises:
        ConfigError: if messages of this type are not what the stream's encoder reads.
    """
    sense = _sense(stream, message_type, config.modality)
    if sense.kind is StreamKind.SAMPLES:
        if message_type != IMU:
            raise ConfigError(
                f"{stream}.type is {message_type!r}, half an IMU; name its two topics, accel_topic "
                "and gyro_topic"
            )
        return ImuReader(stream, sense)
    make = FrameReader if sense.kind is StreamKind.FRAMES else SoundReader
    return make(stream, sense, config)


def make_half_reader(stream: str, message_type: str, half: Half, joiner: ImuJoiner) -> Reader:
    """The reader of one of the two topics of a split IMU; both push into one joiner.

    Raises:
        ConfigError: if messages of this type carry no such half.
    """
    return HalfReader(stream, _sense(stream, message_type, Modality.IMU), half, joiner)


def frame_id_of(data: bytes, message_type: str) -> str:
    """The frame of a message that begins with a stamp and a frame id; "" if it has none."""
    begin = FRAME_ID_BEGIN + FRAME_ID_LENGTH.size
    if message_type in _WITHOUT_FRAME_ID or len(data) < begin:
        return ""
    (length,) = FRAME_ID_LENGTH.unpack_from(data, FRAME_ID_BEGIN)
    return data[begin : begin + length].rstrip(b"\0").decode("utf-8", "replace")


def rotated(values: NDArray[np.float64], rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """IMU readings (n, 6) turned by a rotation (3, 3): accelerations and angular velocities."""
    turned: NDArray[np.float64] = (values.reshape(-1, 2, 3) @ rotation.T).reshape(-1, 6)
    return turned


_NAMES = {Half.ACCELERATION: "acceleration", Half.ROTATION: "angular velocity"}


def _sense(stream: str, message_type: str, modality: Modality) -> Sense:
    sense, kind = SENSES.get(message_type), KIND_OF_SENSE[modality]
    if sense is None or sense.kind is not kind:
        fitting = ", ".join(name for name, each in SENSES.items() if each.kind is kind)
        raise ConfigError(
            f"{stream}.type is {message_type!r}, which is not read as {modality}; expected one of "
            f"{fitting}"
        )
    return sense


def _not_pcm(codec: str) -> str:
    return (
        f"audio coded as {codec!r}, expected PCM; let the driver publish that, for example "
        "audio_capture with the parameter format:=wave"
    )
