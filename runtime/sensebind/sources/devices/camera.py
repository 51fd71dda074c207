# SPDX-License-Identifier: Apache-2.0
"""Cameras as live sources, by OpenCV: colour and thermal ones on V4L2, and films in their place.

V4L2 drivers stamp frames by the monotonic clock, which OpenCV tells as the frame's position. A
stamp that cannot be one of that clock (0, in the future, seconds old) gives way to the time at
which the frame arrived, and is counted.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sensebind.errors import MissingExtraError, SourceError
from sensebind.grid import NS_PER_S
from sensebind.sources.base import EndOfStream, LiveStreamInfo, SourceReport, StreamKind
from sensebind.sources.devices.nodes import check_node
from sensebind.sources.devices.reading import ReadingThread
from sensebind.types import Frame, FrameBlock

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event
    from types import ModuleType

    from numpy.typing import NDArray

    from sensebind.config import StreamConfig
    from sensebind.types import Block

Sense = Literal["colour", "thermal"]

STREAMS = {"colour": "/camera/image", "thermal": "/thermal/image"}
CLOCK = "monotonic"
_ENCODINGS = {"colour": "bgr8", "thermal": "16UC1"}
_NS_PER_MS = 1_000_000
_OLDEST_NS = 2 * NS_PER_S
"""A frame that waited longer in the driver has a stamp of another clock."""
_USUAL_HZ = 30.0
_PICTURES = frozenset({".png", ".tif", ".tiff"})
_SYSTEM = Path("/sys/class/video4linux")


class Camera:
    """A camera, or a film that is played in its place.

    Attributes:
        name: of the source.
        report: frames delivered, and those whose stamps were none.
    """

    def __init__(
        self,
        device: int | str | Path,
        *,
        sense: Sense = "colour",
        stream: str | None = None,
        size: tuple[int, int] | None = None,
        rate_hz: float | None = None,
    ) -> None:
        """Describe what is wanted; nothing is opened.

        Args:
            device: number N of /dev/videoN, that path, a film that OpenCV can play, or the first
                of numbered PNG or TIFF pictures.
            sense: "thermal" asks for 16-bit pixels, as the camera counts them, and takes grey
                8-bit ones from a camera that has no others.
            stream: name of the stream it gives; that of its sense if None.
            size: width and height in pixels; the driver's own choice if None.
            rate_hz: frames per second; the driver's own choice if None.
        """
        self.path = f"/dev/video{device}" if str(device).isdecimal() else str(device)
        self.name = f"camera {self.path}"
        self.report = SourceReport()
        self._sense: Sense = sense
        self._stream = stream or STREAMS[sense]
        self._size = size
        self._rate_hz = rate_hz
        self._thread: ReadingThread | None = None

    def streams(self) -> list[LiveStreamInfo]:
        """Its one stream.

        Raises:
            SourceError: the camera is not there or not ours to open.
            MissingExtraError: OpenCV is not installed.
        """
        self._check()
        return [
            LiveStreamInfo(
                name=self._stream,
                kind=StreamKind.FRAMES,
                message_type="OpenCV frames",
                encoding=_ENCODINGS[self._sense],
                clock=CLOCK,
                rate_hz=self._rate_hz or 0.0,
            )
        ]

    def start(
        self,
        selected: dict[str, StreamConfig],
        deliver: Callable[[Block], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """Open the camera; see `LiveSource.start`."""
        if self._stream not in selected:
            return
        self._check()
        thread = self._thread = ReadingThread(self.name)
        capture = self._open()
        if self._is_device():
            thread.start(_Opened(self, capture, deliver), fail)
        else:
            rate_hz = self._rate_hz or _USUAL_HZ
            thread.start(_OpenedFilm(self, capture, deliver, thread.stopping, rate_hz), fail)

    def stop(self) -> None:
        """Close the camera; see `LiveSource.stop`."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    def count(self) -> None:
        """Count a frame that was delivered."""
        self.report.count(self._stream)

    def block(self, stamp_ns: int, pixels: NDArray[Any]) -> FrameBlock:
        """A frame of its stream."""
        return FrameBlock(self._stream, stamp_ns, frame_of(pixels, self._sense))

    def placed_by_arrival(self) -> None:
        """Tell that a frame's stamp was none."""
        self.report.note(
            f"{self._stream}: the driver gives no stamps of the monotonic clock; "
            "frames are placed by their arrival"
        )

    def _is_device(self) -> bool:
        return self.path.startswith("/dev/")

    def _check(self) -> None:
        _opencv()
        if self._is_device() or not Path(self.path).is_file():
            check_node("camera", self.path, cameras(), "video")

    def _open(self) -> Any:  # noqa: ANN401 - cv2.VideoCapture
        cv2 = _opencv()
        if self._is_device():
            backend = cv2.CAP_V4L2
        else:  # FFmpeg makes 8 bits of pictures of 16
            numbered = Path(self.path).suffix.lower() in _PICTURES
            backend = cv2.CAP_IMAGES if numbered else cv2.CAP_ANY
        capture = cv2.VideoCapture(self.path, backend)
        if not capture.isOpened():
            raise SourceError(
                f"the camera {self.path!r} cannot be opened: close the program that uses it "
                f"(fuser -v {self.path} shows which it is), or take another of its nodes; "
                "some give no pictures"
                if self._is_device()
                else f"{self.path!r} cannot be played; expected a camera or a film"
            )
        if self._size is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        if self._rate_hz is not None:
            capture.set(cv2.CAP_PROP_FPS, self._rate_hz)
        if self._sense == "thermal":
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"Y16 "))
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        return capture


class _Opened:
    """A camera that is read, with the stamps of its frames."""

    def __init__(
        self,
        camera: Camera,
        capture: Any,  # noqa: ANN401 - cv2.VideoCapture
        deliver: Callable[[Block], None],
    ) -> None:
        self._camera = camera
        self._capture = capture
        self._deliver = deliver
        self._position = _opencv().CAP_PROP_POS_MSEC

    def read(self) -> None:
        """See `Opened`."""
        there, pixels = self._capture.read()
        if not there:
            raise self._over()
        stamp_ns = self._stamp(round(self._capture.get(self._position) * _NS_PER_MS))
        self._camera.count()
        self._deliver(self._camera.block(stamp_ns, pixels))

    def close(self) -> None:
        """See `Opened`."""
        self._capture.release()

    def _over(self) -> Exception:
        """Why there are no more frames."""
        return SourceError(f"the {self._camera.name} was disconnected: it gives no frames")

    def _stamp(self, told_ns: int) -> int:
        """When a frame was taken, by what OpenCV tells of it."""
        now_ns = time.monotonic_ns()
        if 0 <= now_ns - told_ns <= _OLDEST_NS:
            return told_ns
        self._camera.placed_by_arrival()
        return now_ns


class _OpenedFilm(_Opened):
    """A film: each frame comes when it is to be shown."""

    def __init__(
        self,
        camera: Camera,
        capture: Any,  # noqa: ANN401 - cv2.VideoCapture
        deliver: Callable[[Block], None],
        stopping: Event,
        rate_hz: float,
    ) -> None:
        """Begin; `stopping` ends its waits, `rate_hz` is that of pictures without times."""
        super().__init__(camera, capture, deliver)
        self._stopping = stopping
        self._period_ns = round(NS_PER_S / rate_hz)
        self._begun_ns = time.monotonic_ns()
        self._shown = 0

    def _over(self) -> Exception:
        return EndOfStream()

    def _stamp(self, told_ns: int) -> int:
        # Of pictures one after the other OpenCV 4 tells 0 and OpenCV 5 a negative number.
        position_ns = told_ns if told_ns > 0 else self._shown * self._period_ns
        self._shown += 1
        due_ns = self._begun_ns + position_ns
        self._stopping.wait(max(due_ns - time.monotonic_ns(), 0) / NS_PER_S)
        return due_ns


def frame_of(pixels: NDArray[Any], sense: Sense) -> Frame:
    """A picture as OpenCV gives it, uint8 or uint16 (h, w) or uint8 (h, w, channels), as a frame.

    Raises:
        SourceError: such pixels are not of that sense.
    """
    if sense == "thermal" and pixels.dtype == np.uint8 and pixels.ndim == 3:
        # Two channels are YUV 4:2:2, which begins with the brightness; three are colours.
        pixels = pixels[..., 0] if pixels.shape[2] == 2 else _brightness(pixels)
    encodings = {
        ("colour", np.dtype(np.uint8), 3): "bgr8",
        ("colour", np.dtype(np.uint8), 2): "mono8",
        ("thermal", np.dtype(np.uint16), 2): "16UC1",
        ("thermal", np.dtype(np.uint8), 2): "mono8",
    }
    encoding = encodings.get((sense, pixels.dtype, pixels.ndim))
    if encoding is None:
        raise SourceError(
            f"the camera gives {pixels.dtype} pixels of shape {pixels.shape}, expected "
            f"{'uint8 colours' if sense == 'colour' else 'uint16 or grey uint8'}"
        )
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    data = pixels.data.cast("B")
    return Frame(data, encoding, width, height, pixels.strides[0])


def _brightness(pixels: NDArray[Any]) -> NDArray[Any]:
    grey: NDArray[Any] = _opencv().cvtColor(pixels, _opencv().COLOR_BGR2GRAY)
    return grey


def cameras() -> dict[str, str]:
    """The V4L2 devices of this machine, and their names; some cameras have several."""
    nodes = sorted(Path("/dev").glob("video*"), key=lambda node: (len(node.name), node.name))
    return {str(node): _name_of(node.name) for node in nodes}


def _name_of(node: str) -> str:
    try:
        return (_SYSTEM / node / "name").read_text(encoding="utf-8").strip()
    except OSError:
        return "no name"


def _opencv() -> ModuleType:
    try:
        import cv2
    except ImportError:
        raise MissingExtraError("a camera", "vision") from None
    module: ModuleType = cv2
    return module
