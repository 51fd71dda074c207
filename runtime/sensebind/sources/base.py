# SPDX-License-Identifier: Apache-2.0
"""What a source is: something that lists its streams and yields their blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from sensebind.clock.reference import REFERENCE_CLOCK as REFERENCE_CLOCK  # noqa: PLC0414
from sensebind.types import Break, Modality

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from sensebind.config import Order, StreamConfig
    from sensebind.types import Block, Delivery


class StreamKind(str, Enum):
    """How the samples of a stream are stamped, which decides how it is windowed."""

    SAMPLES = "samples"
    UNIFORM = "uniform"
    FRAMES = "frames"
    OTHER = "other"


KIND_OF_SENSE = {
    Modality.VISION: StreamKind.FRAMES,
    Modality.DEPTH: StreamKind.FRAMES,
    Modality.THERMAL: StreamKind.FRAMES,
    Modality.AUDIO: StreamKind.UNIFORM,
    Modality.IMU: StreamKind.SAMPLES,
}
"""How the samples of each modality that sensors have are stamped."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream a source offers.

    Attributes:
        name: topic or file-derived name; unique in the source.
        kind: how it is stamped; OTHER cannot be encoded.
        message_type: type name as the recording has it ("sensor_msgs/msg/Imu", "jpeg files", …).
        encoding: pixel or sample encoding where known ("rgb8", "16UC1", "jpeg", …), else "".
        count: number of messages or files, -1 if unknown before reading.
        note: why a stream of kind OTHER cannot be used, else "".
        stills: pictures that were taken at no known time; each is encoded once.
        on_request: why the stream is not taken by itself though it can be read; "" if it is.
        serial: number of the device, "" if it tells none.
    """

    name: str
    kind: StreamKind
    message_type: str
    encoding: str = ""
    count: int = -1
    note: str = ""
    stills: bool = False
    on_request: str = ""
    serial: str = ""


@dataclass(slots=True)
class SourceReport:
    """What happened while reading, kept by the source.

    Attributes:
        read: frames, readings of an IMU and blocks of sound that were delivered, per stream; a
            source that holds or plays blocks counts their samples of sound.
        skipped: what was not delivered, per stream and cause; messages that cannot be read are
            counted whole.
        notes: sentences for the user (stamps replaced by receive time, file truncated, …).
    """

    read: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def count(self, stream: str, count: int = 1) -> None:
        """Count what of `stream` was delivered."""
        self.read[stream] = self.read.get(stream, 0) + count

    def skip(self, stream: str, cause: str, count: int = 1) -> None:
        """Count what of `stream` was not delivered, by cause."""
        causes = self.skipped.setdefault(stream, {})
        causes[cause] = causes.get(cause, 0) + count

    def note(self, sentence: str) -> None:
        """Tell the user something, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def add(self, other: SourceReport) -> None:
        """Take in what happened while reading something else."""
        for stream, count in other.read.items():
            self.count(stream, count)
        for stream, causes in other.skipped.items():
            for cause, count in causes.items():
                self.skip(stream, cause, count)
        for sentence in other.notes:
            self.note(sentence)


class Source(Protocol):
    """A recording, folder or device; a context manager that opens and closes it."""

    name: str
    report: SourceReport

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def streams(self) -> list[StreamInfo]:
        """List all streams, usable or not, in a stable order."""
        ...

    def blocks(self, selected: dict[str, StreamConfig], order: Order) -> Iterator[Delivery]:
        """Yield the blocks of the selected streams, in stamp or receive order.

        A recording of ours tells where samples had been lost.
        """
        ...

    def progress(self) -> float:
        """Share of the source read so far, 0..1."""
        ...

    def sha256(self) -> str:
        """Hash of the recording's bytes; "" where there is no file."""
        ...


def without_breaks(deliveries: Iterable[Delivery]) -> Iterator[Block]:
    """The blocks alone, for those to whom a hole is as good as another."""
    return (each for each in deliveries if not isinstance(each, Break))


@dataclass(frozen=True, slots=True)
class LiveStreamInfo(StreamInfo):
    """One stream a device offers.

    Attributes:
        clock: name of the clock that stamps its blocks ("monotonic", "realsense 8213 hardware", …);
            streams with the same name share one clock model. REFERENCE_CLOCK is not mapped.
        rate_hz: nominal rate of samples or frames; sizes its ring.
        finished: whether its blocks are in SI units and joined already, as those of a recording
            that is played.
    """

    clock: str = REFERENCE_CLOCK
    rate_hz: float = 0.0
    finished: bool = False


class LiveSource(Protocol):
    """A device, topic or anything else that delivers blocks when it likes, in its own threads.

    `start` and `stop` may be called again and again: a source that failed is stopped and, after a
    pause, started anew.
    """

    name: str
    report: SourceReport

    def streams(self) -> list[LiveStreamInfo]:
        """List all streams, usable or not, in a stable order; may open the device to ask it.

        Raises:
            SourceError: if the device is not there, naming those that are.
        """
        ...

    def start(
        self,
        selected: dict[str, StreamConfig],
        deliver: Callable[[Block], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """Open the device and deliver the blocks of the selected streams.

        Args:
            selected: the streams that are wanted, by name.
            deliver: takes a block with stamps of the device's clock. It copies what it keeps, so
                the block's memory may be used again afterwards; it is quick and never raises.
                Blocks of one stream come from one thread.
            fail: tells that the device is gone or broken, or, with EndOfStream, that it has ended.

        Raises:
            SourceError: if the device cannot be opened, naming it, the reason and the fix.
        """
        ...

    def stop(self) -> None:
        """Close the device; no block is delivered afterwards. Also after a failed start."""
        ...


class EndOfStream(Exception):  # noqa: N818 - not an error
    """Told to `fail` by a live source that has come to its end."""
