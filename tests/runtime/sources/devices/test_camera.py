# SPDX-License-Identifier: Apache-2.0
"""Cameras by OpenCV: films stand for devices, and a made-up capture for what devices do."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("cv2", reason="opencv-python-headless (extra vision) is missing")

import cv2

from sensebind import Bundle, Pipeline
from sensebind.config import StreamConfig
from sensebind.errors import MissingExtraError, SourceError
from sensebind.sources.base import EndOfStream
from sensebind.sources.devices import camera as camera_module
from sensebind.sources.devices.camera import STREAMS, Camera, frame_of
from sensebind.types import Modality
from tests.support.ears import Ears
from tests.support.running import no_thread_is_left

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["no_thread_is_left"]

COLOUR, THERMAL = STREAMS["colour"], STREAMS["thermal"]
SELECTED = {
    COLOUR: StreamConfig(modality=Modality.VISION),
    THERMAL: StreamConfig(modality=Modality.THERMAL),
}
NOW_NS = 5_000_000_000


def picture(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Twenty frames a 50th of a second apart, coded without loss."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), 50, (64, 48))
    for seed in range(20):
        writer.write(picture(seed))
    writer.release()
    return path


def test_every_frame_of_a_film_arrives_to_the_bit_when_it_is_due(film: Path) -> None:
    ears, source = Ears(), Camera(film)
    source.start(SELECTED, ears.take, ears.fail)
    assert isinstance(ears.failure(), EndOfStream)
    source.stop()
    frames = ears.frames(COLOUR)
    assert len(frames) == 20
    for seed, block in enumerate(frames):
        assert bytes(block.frame.data) == picture(seed).tobytes()
        assert (block.frame.encoding, block.frame.width, block.frame.height) == ("bgr8", 64, 48)
        assert abs(block.stamp_ns - frames[0].stamp_ns - seed * 20_000_000) <= 1
    assert source.report.read == {COLOUR: 20}


@pytest.mark.parametrize("told_ns", [0, -1])
def test_pictures_without_times_follow_at_their_rate(tmp_path: Path, told_ns: int) -> None:
    camera = Camera(tmp_path / "heat_0.png", sense="thermal")
    film = camera_module._OpenedFilm(camera, None, Ears().take, threading.Event(), rate_hz=1000)
    stamps = [film._stamp(told_ns) for _ in range(3)]
    assert np.diff(stamps).tolist() == [1_000_000, 1_000_000]


def test_16_bit_counts_arrive_as_they_are(tmp_path: Path) -> None:
    counts = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 21
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"heat_{number}.png"), counts + number)
    ears, source = Ears(), Camera(tmp_path / "heat_0.png", sense="thermal", rate_hz=100)
    source.start(SELECTED, ears.take, ears.fail)
    assert isinstance(ears.failure(), EndOfStream)
    source.stop()
    frames = ears.frames(THERMAL)
    assert [b.stamp_ns - frames[0].stamp_ns for b in frames] == [0, 10_000_000, 20_000_000]
    for number, block in enumerate(frames):
        assert block.frame.encoding == "16UC1"
        taken = np.frombuffer(block.frame.data, np.uint16).reshape(48, 64)
        np.testing.assert_array_equal(taken, counts + number)


def test_a_film_goes_through_the_pipeline(film: Path, bundle_folder: Path) -> None:
    with Bundle.load(str(bundle_folder)) as bundle, Pipeline(bundle) as pipeline:
        embeddings = list(pipeline.run(Camera(film, rate_hz=50)))
    assert {e.modality for e in embeddings} == {Modality.VISION}
    assert pipeline.report.streams[COLOUR].pending_samples == 0


class Capture:
    """What OpenCV gives of a camera: frames with positions, then none."""

    def __init__(self, *frames: tuple[float, NDArray[Any]]) -> None:
        self._frames = list(frames)
        self._position = 0.0
        self.released = False
        self.told: dict[int, float] = {}

    def isOpened(self) -> bool:  # noqa: N802
        return bool(self._frames)

    def set(self, key: int, value: float) -> bool:
        self.told[key] = value
        return True

    def get(self, key: int) -> float:
        assert key == cv2.CAP_PROP_POS_MSEC
        return self._position

    def read(self) -> tuple[bool, NDArray[Any] | None]:
        if not self._frames:
            return False, None
        self._position, pixels = self._frames.pop(0)
        return True, pixels

    def release(self) -> None:
        self.released = True


def plugged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capture: Capture) -> None:
    """Have /dev/video0 be that capture, and the time NOW_NS."""
    monkeypatch.setattr(camera_module, "check_node", lambda *_: None)
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: capture)
    monkeypatch.setattr("time.monotonic_ns", lambda: NOW_NS)


def test_a_camera_that_was_unplugged_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    capture = Capture((4_990.5, picture(0)), (4_999.25, picture(1)))
    plugged(monkeypatch, tmp_path, capture)
    ears, source = Ears(), Camera(0, size=(64, 48), rate_hz=30)
    source.start(SELECTED, ears.take, ears.fail)
    assert "camera /dev/video0 was disconnected" in str(ears.failure())
    source.stop()
    assert [block.stamp_ns for block in ears.frames(COLOUR)] == [4_990_500_000, 4_999_250_000]
    assert capture.released
    assert capture.told[cv2.CAP_PROP_FRAME_WIDTH] == 64
    assert capture.told[cv2.CAP_PROP_FPS] == 30
    assert not source.report.notes


@pytest.mark.parametrize("told_ms", [0.0, -1.0, 5_001.0, 1_700_000_000_000.0])
def test_stamps_of_no_clock_give_way_to_the_arrival(
    told_ms: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plugged(monkeypatch, tmp_path, Capture((told_ms, picture(0))))
    ears, source = Ears(), Camera(0)
    source.start(SELECTED, ears.take, ears.fail)
    ears.failure()
    source.stop()
    assert [block.stamp_ns for block in ears.frames(COLOUR)] == [NOW_NS]
    assert "frames are placed by their arrival" in source.report.notes[0]


def test_a_camera_that_is_in_use_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plugged(monkeypatch, tmp_path, Capture())
    with pytest.raises(SourceError, match="'/dev/video3' cannot be opened: close the program"):
        Camera(3).start(SELECTED, Ears().take, Ears().fail)


def test_a_file_that_is_no_film_says_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no film")
    with pytest.raises(SourceError, match="cannot be played; expected a camera or a film"):
        Camera(tmp_path / "notes.txt").start(SELECTED, Ears().take, Ears().fail)


def test_a_camera_that_is_not_there_names_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "cameras", lambda: {"/dev/video0": "HD Webcam"})
    with pytest.raises(
        SourceError, match=r"no camera '/dev/video97'; did you mean '/dev/video0'\? There are "
        r"/dev/video0 \(HD Webcam\)",
    ):  # fmt: skip
        Camera(97).streams()


def test_a_camera_of_others_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "exists", lambda _: True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SourceError, match=r"usermod -aG video \$USER.*udev"):
        Camera(0).streams()


def test_pixels_become_frames_of_their_sense() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert frame_of(grey, "colour").encoding == "mono8"
    assert bytes(frame_of(grey, "thermal").data) == grey.tobytes()
    yuv = np.stack([grey, 255 - grey], axis=2)
    assert bytes(frame_of(yuv, "thermal").data) == grey.tobytes()
    colours = np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    frame = frame_of(colours, "thermal")
    assert (frame.encoding, bytes(frame.data)) == ("mono8", grey.tobytes())
    sliced = frame_of(picture(0)[::2, ::2], "colour")
    assert bytes(sliced.data) == picture(0)[::2, ::2].tobytes()
    assert sliced.step == 32 * 3
    with pytest.raises(SourceError, match=r"uint16 pixels of shape \(3, 4\), expected uint8 col"):
        frame_of(grey.astype(np.uint16), "colour")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sensebind\[vision\]'"):
        Camera(0).streams()
