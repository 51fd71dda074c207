# SPDX-License-Identifier: Apache-2.0
"""Damaged messages of every type, to every reader: a message or a cause, in bounded memory.

The short run is part of every test run; the long one (300,000 messages) is marked slow.
"""

from __future__ import annotations

import random
import signal
import tracemalloc
from struct import pack
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.config import StreamConfig
from sensebind.errors import InputError
from sensebind.sources.bags.camera_facts import read_focal_length
from sensebind.sources.messages.cdr_audio import read_audio_info
from sensebind.sources.messages.imu_batch import read_imu_batch
from sensebind.sources.messages.pcm import AudioFormat, Sound, waveform
from sensebind.sources.messages.records import content_of, find_sense
from sensebind.sources.messages.senses import SENSES, frame_encoding
from sensebind.sources.messages.structure import MessageLayout
from sensebind.sources.messages.wire import DecodeError, unpacked_message
from sensebind.sources.plausibility import make_check
from sensebind.types import Frame, FrameBlock, Modality
from tests.support import bags
from tests.support.messages import serialized

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from sensebind.sources.messages.senses import Reader
    from sensebind.sources.messages.wire import Wire

    Read = Callable[[bytes, Wire], object]

SHORT, LONG = 40_000, 300_000
LARGEST_BYTES = 200 << 20
"""More than the largest picture that is decoded (16 million float32 pixels) needs."""
SLOWEST_S = 20

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x02\x10\0\0\0\0" + bytes(40)
RVL = pack("<iffii", 0, 100.0, 0.5, 4, 2) + pack("<3I", 0x13579BDF, 0x02468ACE, 0x11111111)
STATE = (
    "std_msgs/Header header\nstring[] names\nfloat32[] matrix\n"
    "geometry_msgs/Vector3 linear_acceleration\ngeometry_msgs/Vector3 angular_velocity\n"
)
IMU_VALUES = (0.25, -1.5, 9.81, 0.01, -0.02, 23.0)


def cdr_seeds() -> dict[str, bytes]:
    """One sound message of every type that is read."""
    stereo = np.zeros(8, np.float32)
    octets = np.arange(16, dtype=np.uint8)
    pixels = np.arange(24, dtype=np.uint16).reshape(4, 6)

    def other(kind: str, **fields: Any) -> bytes:
        return bags.serialize(serialized(kind, "/m", 5, **fields))

    def packed(layout: str, data: bytes) -> bytes:
        return bags.serialize(bags.compressed_image("/c", 5, data, layout))

    return {
        "sensor_msgs/msg/Imu": bags.serialize(bags.imu("/imu", 5, IMU_VALUES)),
        "sensor_msgs/msg/Image": bags.serialize(bags.image("/i", 5, pixels, "16UC1")),
        "sensor_msgs/msg/CompressedImage": packed("png", PNG),
        "sensor_msgs/msg/CompressedImage 2": packed("32FC1; compressedDepth png", bytes(12) + PNG),
        "sensor_msgs/msg/CompressedImage 3": packed("16UC1; compressedDepth rvl", RVL),
        "audio_common_msgs/msg/AudioDataStamped": bags.serialize(bags.audio("/a", 5, octets)),
        "audio_common_msgs/msg/AudioData": b"\0\1\0\0" + pack("<I", 16) + octets.tobytes(),
        "foxglove_msgs/msg/RawAudio": other(
            "foxglove_msgs/msg/RawAudio", data=octets, format="pcm-s16", sample_rate=8000,
            number_of_channels=2),
        "foxglove_msgs/msg/RawImage": other(
            "foxglove_msgs/msg/RawImage", frame_id="c", width=4, height=4, encoding="mono8",
            step=4, data=octets),
        "foxglove_msgs/msg/CompressedImage": other(
            "foxglove_msgs/msg/CompressedImage", frame_id="c", format="png",
            data=np.frombuffer(PNG, np.uint8)),
        "sensebind_msgs/msg/AudioBlock": other(
            "sensebind_msgs/msg/AudioBlock", rate_hz=8000.0, clock_rate_hz=0.0,
            channels=2, first_sample=0, samples=stereo),
        "geometry_msgs/msg/Vector3Stamped": other(
            "geometry_msgs/msg/Vector3Stamped", vector=(1.0, 2.0, 3.0)),
        "geometry_msgs/msg/AccelStamped": other(
            "geometry_msgs/msg/AccelStamped", linear=(1.0, 2.0, 3.0), angular=(1.0, 2.0, 3.0)),
        "geometry_msgs/msg/TwistStamped": other(
            "geometry_msgs/msg/TwistStamped", linear=(1.0, 2.0, 3.0), angular=(1.0, 2.0, 3.0)),
    }  # fmt: skip


def test_every_type_has_a_seed() -> None:
    assert {name.split()[0] for name in cdr_seeds()} == set(SENSES)


def readers() -> list[tuple[str, bytes, Read]]:
    """Every way into a decoder, with a message to damage."""
    seeds = cdr_seeds()
    entries: list[tuple[str, bytes, Read]] = []
    for name, data in seeds.items():
        sense = SENSES[name.split()[0]]
        whole = (name, data, using(sense.read))
        entries += [whole, *((f"{name} half", data, using(half)) for half in sense.halves if half)]
    layout = MessageLayout("a/msg/State", STATE.encode(), "ros2msg")
    state = bags.serialize(bags.imu("/imu", 5, IMU_VALUES))

    def by_fields(raw: bytes, wire: Wire) -> object:
        record = layout.read(raw, wire)
        found = find_sense(record)
        return found and content_of(record, found)

    info = bags.serialize(bags.audio_info("/i", 5))
    imu = seeds["sensor_msgs/msg/Imu"]
    entries += [
        ("own type", state, by_fields),
        ("AudioInfo", info, read_audio_info),
        ("CameraInfo", state, read_focal_length),
        ("Imu batch", imu, lambda raw, wire: read_imu_batch([imu, raw, imu], wire)),
        ("zstd", b"\x28\xb5\x2f\xfd" + imu, lambda raw, _: unpacked_message(raw)),
    ]
    return entries


def using(read: Reader) -> Read:
    return lambda raw, wire: used(read(raw, wire)[1])


def used(content: object) -> None:
    """Do with a content what reading goes on to do with it."""
    if isinstance(content, Frame):
        frame_encoding(content)
        check = make_check(StreamConfig(modality=Modality.DEPTH))
        assert check is not None
        check.add(FrameBlock("/d", 0, content))
        with np.errstate(all="ignore"):
            list(check.findings())
    elif isinstance(content, Sound):
        waveform(content.octets, content.layout or AudioFormat(8000, 1, "S24LE"))


def damaged(seed: bytes, rng: random.Random) -> bytes:
    """A message with some bits, bytes, lengths or ends changed."""
    data = bytearray(seed)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(data)) if data else 0
        kind = rng.randrange(6)
        if kind == 0 and data:
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[place : place + 1] = rng.randbytes(rng.randint(0, 9))
        elif kind == 2:
            number = rng.choice([0, 1, 2, 0xFF, 0xFFFF, 1 << 24, 1 << 31, (1 << 32) - 1])
            place -= place % 4
            data[place : place + 4] = pack("<I", number)
        elif kind == 3:
            del data[place:]
        elif kind == 4:
            data[place:place] = data[place : place + rng.randint(0, 64)]
        else:
            data[place : place + 8] = pack("<d", rng.choice([0.0, -1.0, 1e308, np.nan, np.inf]))
    return bytes(data)


def run(count: int, seed: int) -> int:
    """Damage messages and read them; returns how many were messages still.

    A hang is ended by an alarm; memory is watched by its peak.
    """
    rng = random.Random(seed)
    entries = readers()
    sound = 0

    def too_slow(number: int, frame: FrameType | None) -> None:
        raise AssertionError("a message took too long")

    before = signal.signal(signal.SIGALRM, too_slow)
    try:
        for number in range(count):
            name, original, read = entries[number % len(entries)]
            raw = damaged(original, rng)
            wire: Wire = "ros1" if rng.random() < 0.2 else "cdr"
            signal.alarm(SLOWEST_S)
            try:
                read(raw, wire)
                sound += 1
            except (DecodeError, InputError):
                continue
            except Exception as error:
                raise AssertionError(f"{name}, {wire}: {raw.hex()}") from error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return sound


def test_damaged_messages_are_messages_or_causes() -> None:
    assert SHORT // 20 < run(SHORT, 1) < SHORT


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_many_damaged_messages_in_bounded_memory(seed: int) -> None:
    tracemalloc.start()
    try:
        assert run(LONG // 10, 100 + seed) > 0
        assert tracemalloc.get_traced_memory()[1] < LARGEST_BYTES
    finally:
        tracemalloc.stop()
