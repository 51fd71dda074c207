# SPDX-License-Identifier: Apache-2.0
"""What recordings of all kinds play: which topics, which bytes, in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from sensebind.errors import SourceError
from sensebind.sources.bags.containers import Span
from sensebind.sources.messages.cdr import read_imu
from sensebind.sources.messages.cdr_audio import read_audio_block
from sensebind.sources.messages.pcm import waveform
from sensebind.sources.messages.senses import SENSES
from sensebind_ros.playback import open_playback
from tests.support import bags, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sensebind_ros.playback import PlayedMessage, PlayedTopic
    from tests.support.bags import Message

NS = 1_000_000_000
T0 = 1_700_000_000 * NS
INSTALLED = ("sensor_msgs", "std_msgs", "geometry_msgs", "sensebind_msgs")


def is_installed(message_type: str) -> bool:
    return message_type.split("/", maxsplit=1)[0] in INSTALLED


def motion(topic: str, count: int, first_ns: int = T0) -> list[Message]:
    """Readings every 10 ms, received 7 ns after their stamps."""
    logs_ns = [first_ns + k * 10_000_000 for k in range(count)]
    return [
        bags.imu(topic, log_ns, [k, 0, 9.81, 0, 0, k], stamp_ns=log_ns - 7)
        for k, log_ns in enumerate(logs_ns)
    ]


def played(
    path: Path,
    *wanted: str,
    span: Span | None = None,
    installed: Callable[[str], bool] = is_installed,
) -> tuple[dict[str, PlayedTopic], list[PlayedMessage], Any]:
    with open_playback(path, installed, wanted) as playback:
        found = list(playback.messages() if span is None else playback.messages(span))
        return {topic.name: topic for topic in playback.topics}, found, playback.report


def written(path: Path, kind: str, recorded: Sequence[Message]) -> Path:
    write = {
        "mcap": lambda: bags.write_mcap(path / "a.mcap", recorded),
        "mcap zstd": lambda: bags.write_mcap(path / "a.mcap", recorded, compression="zstd"),
        "db3": lambda: bags.write_db3(path / "a.db3", recorded),
        "folder": lambda: bags.write_folder(path / "a", recorded),
        "packed": lambda: bags.packed(bags.write_folder(path / "a", recorded, "mcap")),
    }
    return write[kind]()


@pytest.mark.parametrize("kind", ["mcap", "mcap zstd", "db3", "folder", "packed"])
def test_messages_of_ros_2_are_played_as_they_are(tmp_path: Path, kind: str) -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    recorded = [
        *motion("/imu", 300),
        *(bags.image("/depth", T0 + k * 100_000_000 + 1, pixels + k, "16UC1") for k in range(20)),
    ]
    recorded.sort(key=lambda message: message.log_ns)
    topics, found, report = played(written(tmp_path, kind, recorded))
    assert {name: topic.message_type for name, topic in topics.items()} == {
        "/imu": "sensor_msgs/msg/Imu",
        "/depth": "sensor_msgs/msg/Image",
    }
    assert all(topic.is_sense and not topic.note for topic in topics.values())
    assert found == [(m.log_ns, m.topic, bags.serialize(m)) for m in recorded]
    assert not report.notes


def test_messages_are_put_in_order_of_receipt_across_chunks(tmp_path: Path) -> None:
    first, second = motion("/a", 50), motion("/b", 50, T0 + 1)
    path = bags.write_mcap(tmp_path / "a.mcap", [*first, *second], chunk_bytes=1024)
    _, found, _ = played(path)
    times_ns = [message.time_ns for message in found]
    assert len(times_ns) == 100
    assert times_ns == sorted(times_ns)


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_messages_of_ros_1_are_translated(tmp_path: Path, compression: str) -> None:
    recorded = motion("/imu", 20)
    path = bags.write_ros1(tmp_path / "a.bag", recorded, compression)
    topics, found, _ = played(path)
    assert topics["/imu"].note == "from ROS 1"
    assert [read_imu(m.data, "cdr") for m in found] == [
        read_imu(bags.serialize(m), "cdr") for m in recorded
    ]


@pytest.mark.parametrize("ros1", [False, True])
def test_sound_of_a_type_that_is_not_installed_becomes_ours(tmp_path: Path, *, ros1: bool) -> None:
    samples = np.arange(-800, 800, dtype=np.int16).reshape(-1, 2) * 20
    recorded = [
        bags.audio_info("/mic/audio_info", T0, channels=2),
        bags.audio_info("/other/audio_info", T0, channels=1, rate_hz=8000),
        *(
            bags.audio("/mic/audio", T0 + k * NS, samples + k, stamp_ns=T0 + k * NS - 5)
            for k in range(3)
        ),
    ]
    write = bags.write_ros1 if ros1 else bags.write_mcap
    topics, found, report = played(write(tmp_path / ("a.bag" if ros1 else "a.mcap"), recorded))
    assert list(topics) == ["/mic/audio"]
    assert topics["/mic/audio"].message_type == "sensebind_msgs/msg/AudioBlock"
    assert topics["/mic/audio"].note == "from audio_common_msgs/msg/AudioDataStamped"
    assert "/mic/audio_info is not played: messages of type" in report.notes[0]
    for k, message in enumerate(found):
        stamp_ns, sound = read_audio_block(message.data, "cdr")
        assert message.time_ns == T0 + k * NS
        assert stamp_ns == T0 + k * NS - 5
        assert sound.layout is not None
        assert sound.layout.rate_hz == 16_000
        np.testing.assert_array_equal(
            waveform(sound.octets, sound.layout), (samples + k).astype(np.float32) / 32768
        )


def test_sound_is_passed_on_where_its_type_is_installed(tmp_path: Path) -> None:
    recorded = [
        bags.audio_info("/audio_info", T0),
        bags.audio("/audio", T0 + 1, np.arange(160, dtype=np.int16)),
    ]
    path = bags.write_mcap(tmp_path / "a.mcap", recorded)
    topics, found, _ = played(path, installed=lambda _: True)
    assert [m.data for m in found] == [bags.serialize(m) for m in recorded]
    assert topics["/audio_info"].latched
    assert not topics["/audio"].latched


def test_sound_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    recorded = [bags.audio("/audio", T0, np.zeros(160, np.int16)), *motion("/imu", 2)]
    _, found, report = played(bags.write_mcap(tmp_path / "a.mcap", recorded))
    assert [m.topic for m in found] == ["/imu", "/imu"]
    [(cause, count)] = report.skipped["/audio"].items()
    assert count == 1
    assert cause == "sample rate unknown (no AudioInfo message)"


def test_pictures_of_foxglove_become_those_of_ros(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.uint8)
    recorded = messages.serialized(
        "foxglove_msgs/msg/RawImage", "/camera", T0,
        frame_id="c", width=2, height=2, encoding="rgb8", step=6, data=pixels,
    )  # fmt: skip
    topics, [message], _ = played(bags.write_mcap(tmp_path / "a.mcap", [recorded]))
    assert topics["/camera"].message_type == "sensor_msgs/msg/Image"
    stamp_ns, frame = SENSES["sensor_msgs/msg/Image"].read(message.data, "cdr")
    assert stamp_ns == T0
    assert (frame.width, frame.height, frame.encoding) == (2, 2, "rgb8")  # type: ignore[union-attr]
    assert bytes(frame.data) == pixels.tobytes()  # type: ignore[union-attr]


def test_what_cannot_be_published_is_told(tmp_path: Path) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", [bags.text("/label", T0, "x"), *motion("/imu", 1)])
    topics, _, report = played(path, installed=lambda name: name == "sensor_msgs/msg/Imu")
    assert list(topics) == ["/imu"]
    assert report.notes == [
        "/label is not played: messages of type std_msgs/msg/String are not installed"
    ]
    with pytest.raises(SourceError, match=r"nothing in this recording can be played: .*/label is"):
        played(path, "/label", installed=lambda _: False)


def test_only_the_topics_asked_for(tmp_path: Path) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", [*motion("/a", 2), *motion("/b", 2)])
    topics, found, _ = played(path, "/b")
    assert list(topics) == ["/b"]
    assert {message.topic for message in found} == {"/b"}
    with pytest.raises(SourceError, match="no topic '/c'; there are: /a, /b"):
        played(path, "/c")


def test_a_part_of_a_recording(tmp_path: Path) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", motion("/imu", 100), chunk_bytes=512)
    span = Span(T0 + 200_000_000, T0 + 300_000_000)
    _, found, _ = played(path, span=span)
    assert [m.time_ns for m in found] == [T0 + 200_000_000 + k * 10_000_000 for k in range(10)]


@pytest.mark.parametrize(
    ("recorded", "name"),
    [
        ("/Depth Units/value", "/Depth_Units/value"),
        ("/tf/0", "/tf/_0"),
        ("camera//image", "/camera/image"),
        ("/größe", "/gr_e"),
        ("/ ", "/_"),
    ],
)
def test_names_that_ros_2_does_not_allow(tmp_path: Path, recorded: str, name: str) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", motion(recorded, 1))
    topics, _, _ = played(path)
    assert list(topics) == [name]
    if name.strip("/") != recorded.strip("/"):
        assert topics[name].note == f"recorded as {recorded!r}"


def test_names_that_become_the_same_are_kept_apart(tmp_path: Path) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", [*motion("/a b", 1), *motion("/a_b", 1)])
    topics, found, _ = played(path)
    assert list(topics) == ["/a_b", "/a_b_2"]
    assert {message.topic for message in found} == set(topics)


def test_plain_files_become_messages(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    sound = rng.integers(-9000, 9000, (24_000, 1)).astype(np.int16)
    soundfile.write(tmp_path / "sound.wav", sound, 16_000)
    Image.fromarray(rng.integers(0, 255, (4, 6, 3), np.uint8)).save(tmp_path / "0.5.png")
    rows = ["t_ns,ax,ay,az,gx,gy,gz", *(f"{k}0000000,{k},0,9.81,0,0,0" for k in range(150))]
    (tmp_path / "imu.csv").write_text("\n".join(rows))
    topics, found, _ = played(tmp_path)
    kinds = {topic.message_type for topic in topics.values()}
    assert {"sensebind_msgs/msg/AudioBlock", "sensor_msgs/msg/Imu"} <= kinds
    times_ns = [message.time_ns for message in found]
    assert times_ns == sorted(times_ns)
    by_type: dict[str, list[bytes]] = {}
    for message in found:
        by_type.setdefault(topics[message.topic].message_type, []).append(message.data)
    blocks = [read_audio_block(data, "cdr")[1] for data in by_type["sensebind_msgs/msg/AudioBlock"]]
    heard = np.concatenate([waveform(b.octets, b.layout) for b in blocks if b.layout is not None])
    np.testing.assert_array_equal(heard, sound.astype(np.float32) / 32768)
    read = [read_imu(data, "cdr") for data in by_type["sensor_msgs/msg/Imu"]]
    assert [row[0] for _, row in read] == list(range(150))
    assert [stamp_ns for stamp_ns, _ in read] == [k * 10_000_000 for k in range(150)]


def test_a_bag_without_messages(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nothing in this recording can be played: it has"):
        played(bags.write_mcap(tmp_path / "a.mcap", []))


def test_what_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        played(tmp_path / "none.mcap")
