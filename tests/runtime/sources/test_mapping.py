# SPDX-License-Identifier: Apache-2.0
"""Which stream feeds which encoder, and what is said about the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sensebind.config import StreamConfig
from sensebind.errors import InputError, SourceError
from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.mapping import map_streams
from sensebind.types import Modality

ALL = frozenset(Modality) - {Modality.TEXT}
IMAGE = "sensor_msgs/msg/Image"
IMU = "sensor_msgs/msg/Imu"


def frames(name: str, encoding: str, count: int = 9) -> StreamInfo:
    return StreamInfo(name, StreamKind.FRAMES, IMAGE, encoding, count)


def imu(name: str, half: str = "") -> StreamInfo:
    return StreamInfo(name, StreamKind.SAMPLES, IMU, half, 9)


def audio(name: str, encoding: str = "S16LE, 16000 Hz, 1 channel") -> StreamInfo:
    return StreamInfo(name, StreamKind.UNIFORM, "audio_common_msgs/msg/AudioData", encoding, 9)


def other(name: str) -> StreamInfo:
    note = "tf2_msgs/msg/TFMessage is not a sense"
    return StreamInfo(name, StreamKind.OTHER, "tf2_msgs/msg/TFMessage", "", 9, note)


def chosen(*infos: StreamInfo, encoders: frozenset[Modality] = ALL) -> dict[str, str]:
    """Modality by stream, of the streams that are mapped."""
    mapping = map_streams(infos, encoders, {})
    return {name: config.modality.value for name, config in mapping.selected.items()}


REALSENSE = (
    frames("/camera/aligned_depth_to_color/image_raw", "16UC1"),
    frames("/camera/color/image_raw", "rgb8"),
    frames("/camera/depth/image_rect_raw", "16UC1"),
    frames("/camera/infra1/image_rect_raw", "mono8"),
    frames("/camera/infra2/image_rect_raw", "mono8"),
    imu("/camera/imu"),
    other("/tf"),
)


def test_a_realsense_recording() -> None:
    assert chosen(*REALSENSE) == {
        "/camera/color/image_raw": "vision",
        "/camera/depth/image_rect_raw": "depth",
        "/camera/imu": "imu",
    }


def test_the_flag_of_a_stream_that_is_read_names_the_next_likely_one() -> None:
    cameras = [frames(f"/{name}/image", "rgb8") for name in ("left", "b", "a", "my c")]
    hints = {d.stream: d.hint for d in map_streams(cameras, ALL, {}).decisions if d.used}
    assert hints == {"/a/image": "--stream /b/image=vision"}
    pair = map_streams(cameras[::3], ALL, {}).decisions
    assert [d.hint for d in pair if d.used] == ["--stream /left/image=vision"]
    alone = map_streams(cameras[:1], ALL, {}).decisions
    assert [(d.used, d.hint) for d in alone] == [(True, "")]


def test_settings_that_a_recording_stored_are_not_said_to_be_asked_for() -> None:
    stored = {"/imu": StreamConfig(modality=Modality.IMU, hop_s=0.2)}
    empty = replace(imu("/imu"), count=0)
    for info, reason in ((imu("/imu"), "as when it was"), (empty, "it was recorded, but nothing")):
        mapping = map_streams([info], ALL, stored, recorded=stored)
        assert mapping.selected == stored
        assert mapping.decisions[0].reason.startswith(reason)
        assert mapping.decisions[0].hint == "--stream /imu=imu"
    assert map_streams([imu("/imu")], ALL, stored).decisions[0].reason == "asked for"


def test_every_decision_has_a_reason_and_where_possible_a_flag() -> None:
    decisions = map_streams(REALSENSE, ALL, {}).decisions
    assert [(d.stream, d.used, d.reason, d.hint) for d in decisions] == [
        (
            "/camera/aligned_depth_to_color/image_raw",
            False,
            "depth by name and encoding 16UC1; depth is taken from '/camera/depth/image_rect_raw'",
            "--stream /camera/aligned_depth_to_color/image_raw=depth",
        ),
        ("/camera/color/image_raw", True, "encoding rgb8", ""),
        (
            "/camera/depth/image_rect_raw",
            True,
            "depth by name and encoding 16UC1",
            "--stream /camera/aligned_depth_to_color/image_raw=depth",
        ),
        (
            "/camera/infra1/image_rect_raw",
            False,
            "encoding mono8 is not mapped by itself",
            "--stream /camera/infra1/image_rect_raw=vision",
        ),
        (
            "/camera/infra2/image_rect_raw",
            False,
            "encoding mono8 is not mapped by itself",
            "--stream /camera/infra2/image_rect_raw=vision",
        ),
        ("/camera/imu", True, "sensor_msgs/msg/Imu is an IMU", ""),
        ("/tf", False, "tf2_msgs/msg/TFMessage is not a sense", ""),
    ]


@pytest.mark.parametrize(
    ("info", "modality"),
    [
        *((frames("/cam", encoding), "vision") for encoding in ("rgb8", "bgr8", "rgba8", "bgra8")),
        *((frames("/cam", encoding), "vision") for encoding in ("jpeg", "png", "bayer_rggb8")),
        *((frames("/cam", encoding), "vision") for encoding in ("yuv422", "yuv422_yuy2")),
        *((frames("/cam", encoding), "depth") for encoding in ("16UC1", "mono16", "32FC1")),
        (frames("/depth/compressed", "png16"), "depth"),
        (frames("/device_0/sensor_0/Depth_0/image/data", "mono16"), "depth"),
        (frames("/thermal/image", "mono16"), "thermal"),
        (frames("/FLIR_boson/image", "rgb8"), "thermal"),
        (frames("/lwir", "16UC1"), "thermal"),
        (frames("/left/image", "bgr8"), "vision"),
        (frames("/infra/compressed", "jpeg"), "vision"),
        (frames("/bright/flight", "rgb8"), "vision"),
        (imu("/imu/data"), "imu"),
        (audio("/audio"), "audio"),
    ],
)
def test_one_stream_alone(info: StreamInfo, modality: str) -> None:
    assert chosen(info) == {info.name: modality}


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (frames("/cam", "mono8"), "encoding mono8 is not mapped by itself"),
        (frames("/cam", ""), "encoding unknown is not mapped by itself"),
        (frames("/cam", "8UC1"), "encoding 8UC1 is not mapped by itself"),
        (frames("/depth/colored", "rgb8"), "'depth' in its name, but its pixels are rgb8"),
        (frames("/infra1", "mono16"), "encoding mono16 is not mapped by itself"),
        (frames("/cam", "rgb8", count=0), "it has 0 messages"),
        (imu("/split", "acceleration"), "Imu of acceleration only; an IMU needs both"),
        (imu("/split", "angular velocity"), "Imu of angular velocity only; an IMU needs both"),
        (imu("/vector", "vector"), "Imu of vectors; an IMU needs both"),
        (audio("/audio", ""), "AudioData is audio, but its rate is not told"),
        (replace(imu("/own"), on_request="of its own type"), "of its own type"),
        (other("/tf"), "tf2_msgs/msg/TFMessage is not a sense"),
    ],
)
def test_streams_not_mapped_by_themselves(info: StreamInfo, reason: str) -> None:
    decisions = map_streams((info, imu("/imu")), ALL, {}).decisions
    assert not decisions[0].used
    assert decisions[0].reason.endswith(reason)


def test_the_first_name_is_taken_and_stereo_pairs_only_on_request() -> None:
    colour = frames("/b/color", "rgb8")
    pair = (frames("/a/left", "rgb8"), frames("/a/right", "rgb8"))
    assert chosen(*pair, colour, frames("/c/color", "rgb8")) == {"/b/color": "vision"}
    mapping = map_streams((*pair, imu("/imu")), ALL, {})
    assert list(mapping.selected) == ["/imu"]
    assert mapping.decisions[0].hint == "--stream /a/left=vision"
    assert "not chosen by itself where there are more cameras" in mapping.decisions[0].reason


def test_a_joined_imu_is_taken_before_its_halves() -> None:
    halves = (imu("/a/accel", "acceleration"), imu("/a/gyro", "angular velocity"))
    joined = imu("/a/accel+/a/gyro", "joined")
    assert chosen(*halves, joined, imu("/z/imu")) == {"/z/imu": "imu"}
    assert chosen(*halves, joined) == {joined.name: "imu"}


def test_two_streams_may_be_joined_on_request() -> None:
    infos = (imu("/a", "acceleration"), imu("/b", "vector"), imu("/imu"))
    config = StreamConfig(modality=Modality.IMU)
    mapping = map_streams(infos, ALL, {"/a+/b": config})
    assert mapping.selected == {"/a+/b": config}


def test_what_was_asked_for_is_told() -> None:
    config = StreamConfig(modality=Modality.IMU, unit="g;deg/s", frame="optical")
    (decision,) = map_streams((imu("/imu"),), ALL, {"/imu": config}).decisions
    assert decision.reason == (
        "asked for, with frame=optical, unit=g;deg/s (accelerations times 9.80665, "
        "rates times 0.0174533)"
    )


def test_audio_without_a_rate_is_read_with_one() -> None:
    config = StreamConfig(modality=Modality.AUDIO, rate_hz=8000.0)
    info = audio("/mic", "")
    mapping = map_streams((info,), ALL, {"/mic": config})
    assert mapping.selected == {"/mic": config}
    (_, decision) = map_streams((imu("/imu"), info), ALL, {}).decisions
    assert decision.hint == "--stream /mic=audio,rate=16000,format=S16LE,channels=1"
    with pytest.raises(InputError, match=r"'/mic' does not tell its sample rate; give it, for ex"):
        map_streams((info,), ALL, {"/mic": StreamConfig(modality=Modality.AUDIO)})


@pytest.mark.parametrize("half", ["acceleration", "angular velocity", "vector"])
def test_half_an_imu_is_refused_on_request(half: str) -> None:
    config = StreamConfig(modality=Modality.IMU)
    with pytest.raises(InputError, match=r"'/half' has .*; join two streams: --stream '/accel\+"):
        map_streams((imu("/half", half),), ALL, {"/half": config})


def test_streams_without_an_encoder_are_skipped_with_the_reason() -> None:
    encoders = frozenset({Modality.VISION})
    mapping = map_streams(REALSENSE, encoders, {})
    assert list(mapping.selected) == ["/camera/color/image_raw"]
    depth = next(d for d in mapping.decisions if d.stream == "/camera/depth/image_rect_raw")
    assert depth.modality is Modality.DEPTH
    assert depth.reason.endswith("but the bundle has no depth encoder")


def test_overrides_replace_the_automatic_choice_of_their_modality() -> None:
    config = StreamConfig(modality=Modality.VISION, hop_s=0.25)
    mapping = map_streams(REALSENSE, ALL, {"/camera/infra1/image_rect_raw": config})
    assert mapping.selected["/camera/infra1/image_rect_raw"] is config
    assert "/camera/color/image_raw" not in mapping.selected
    assert "/camera/imu" in mapping.selected
    colour = next(d for d in mapping.decisions if d.stream == "/camera/color/image_raw")
    assert colour.reason == "encoding rgb8; another stream was asked for as vision"


def test_overrides_may_take_several_streams_of_a_modality() -> None:
    config = StreamConfig(modality=Modality.VISION)
    overrides = {"/camera/infra1/image_rect_raw": config, "/camera/color/image_raw": config}
    selected = map_streams(REALSENSE, ALL, overrides).selected
    assert [n for n, c in selected.items() if c.modality is Modality.VISION] == [
        "/camera/color/image_raw",
        "/camera/infra1/image_rect_raw",
    ]


def test_the_order_is_that_of_the_source() -> None:
    assert list(chosen(*REALSENSE)) == [i.name for i in REALSENSE if i.name in chosen(*REALSENSE)]


def test_flags_quote_names_with_spaces() -> None:
    mapping = map_streams((frames("/my cam", "mono8"), imu("/imu")), ALL, {})
    assert mapping.decisions[0].hint == "--stream '/my cam=vision'"


@pytest.mark.parametrize(
    ("name", "modality", "error", "message"),
    [
        ("/tf", "imu", SourceError, "stream '/tf' cannot be encoded: tf2_msgs/msg/TFMessage is no"),
        ("/camera/imu", "vision", InputError, "as vision: it has samples, expected frames"),
        ("/camera/imu", "audio", InputError, "the bundle has encoders for depth, imu, vision only"),
        ("/camera/imu", "text", InputError, "cannot be encoded as text"),
    ],
)
def test_requests_that_cannot_be_met(
    name: str, modality: str, error: type[Exception], message: str
) -> None:
    encoders = {Modality.VISION, Modality.DEPTH, Modality.IMU}
    with pytest.raises(error, match=message):
        map_streams(REALSENSE, encoders, {name: StreamConfig(modality=Modality(modality))})


def test_a_stream_that_is_not_there_is_answered_with_those_that_are() -> None:
    overrides = {"/camera/colour/image_raw": StreamConfig(modality=Modality.VISION)}
    expected = (
        r"no stream '/camera/colour/image_raw' in this recording; "
        r"did you mean '/camera/color/image_raw'.*\? Its streams: .*'/camera/imu', '/tf'"
    )
    with pytest.raises(SourceError, match=expected):
        map_streams(REALSENSE, ALL, overrides)


def test_text_is_never_a_stream() -> None:
    with pytest.raises(InputError, match=r"as text: text comes from prompts"):
        map_streams(REALSENSE, set(Modality), {"/camera/imu": StreamConfig(modality=Modality.TEXT)})


def test_nothing_maps_names_every_stream_and_why() -> None:
    with pytest.raises(InputError) as caught:
        map_streams((frames("/cam", "mono8"), other("/tf")), {Modality.VISION}, {})
    assert str(caught.value).splitlines() == [
        "no stream maps to an encoder of the bundle (vision):",
        "  /tf: tf2_msgs/msg/TFMessage is not a sense",
        "  /cam: encoding mono8 is not mapped by itself (to use it: --stream /cam=vision)",
    ]


def test_a_recording_without_streams() -> None:
    with pytest.raises(InputError, match=r"nothing to encode: .* no streams \(0 messages\)"):
        map_streams((), ALL, {})


def test_pictures_without_times_are_encoded_once_each() -> None:
    info = StreamInfo("folder", StreamKind.FRAMES, "image files", "jpeg", 5, stills=True)
    mapping = map_streams([info], [Modality.VISION], {})
    assert mapping.selected == {"folder": StreamConfig(modality=Modality.VISION, trigger="frame")}
