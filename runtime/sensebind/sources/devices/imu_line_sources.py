# SPDX-License-Identifier: Apache-2.0
"""An IMU that sends lines of text over a serial port or UDP, as a live source.

`sensebind.sources.devices.imu_lines` has the protocol.
"""

from __future__ import annotations

import errno
import socket
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from sensebind.errors import MissingExtraError, SourceError
from sensebind.sources.base import LiveStreamInfo, SourceReport, StreamKind
from sensebind.sources.devices.imu_lines import LineReader
from sensebind.sources.devices.nodes import check_node
from sensebind.sources.devices.reading import ReadingThread
from sensebind.types import SampleBlock

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from sensebind.config import StreamConfig
    from sensebind.types import Block

STREAM = "/imu/data"
BAUD = 115_200
_WAIT_S = 0.1
_DATAGRAM = 65_536
_WHO = "an IMU on a serial port"


class Transport(ABC):
    """Where bytes come from, opened."""

    begins_within_line = False

    @abstractmethod
    def receive(self) -> bytes:
        """What came; nothing after a short while without any.

        Raises:
            OSError: the device is gone.
        """

    @abstractmethod
    def close(self) -> None:
        """Close it."""


class ImuLines(ABC):
    """An IMU's lines over some transport.

    Attributes:
        name: of the source.
        report: blocks delivered, lines that were garbage.
    """

    def __init__(self, name: str, stream: str, rate_hz: float) -> None:
        """Describe it; `rate_hz` is nominal, 0 if unknown."""
        self.name = name
        self.report = SourceReport()
        self._stream = stream
        self._rate_hz = rate_hz
        self._thread: ReadingThread | None = None

    def streams(self) -> list[LiveStreamInfo]:
        """Its one stream; see `LiveSource.streams`."""
        self._check()
        return [
            LiveStreamInfo(
                name=self._stream,
                kind=StreamKind.SAMPLES,
                message_type="lines of text",
                clock=f"clock of {self.name}",
                rate_hz=self._rate_hz,
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
        self._check()
        self._thread = ReadingThread(self.name)
        opened = _Opened(self.name, self._stream, self._open(), self.report, deliver)
        self._thread.start(opened, fail)

    def stop(self) -> None:
        """Close the device; see `LiveSource.stop`."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    @abstractmethod
    def _check(self) -> None:
        """Raise SourceError if it is known beforehand that it cannot be opened."""

    @abstractmethod
    def _open(self) -> Transport:
        """Open it, or raise SourceError."""


class _Opened:
    """From the bytes of a transport to blocks."""

    def __init__(
        self,
        name: str,
        stream: str,
        transport: Transport,
        report: SourceReport,
        deliver: Callable[[Block], None],
    ) -> None:
        self._name = name
        self._stream = stream
        self._transport = transport
        self._report = report
        self._deliver = deliver
        self._lines = LineReader(begun=transport.begins_within_line)

    def read(self) -> None:
        """See `Opened`."""
        try:
            data = self._transport.receive()
        except OSError as error:
            raise SourceError(f"the {self._name} was disconnected ({error})") from None
        if not data:
            return
        stamps_ns, values = self._lines.push(data)
        for cause, count in self._lines.garbage.items():
            self._report.skip(self._stream, cause, count)
        self._lines.garbage.clear()
        if len(stamps_ns):
            self._report.count(self._stream, len(stamps_ns))
            self._deliver(SampleBlock(self._stream, stamps_ns, values))

    def close(self) -> None:
        """See `Opened`."""
        self._transport.close()


class ImuSerial(ImuLines):
    """An IMU on a serial port (pyserial)."""

    def __init__(
        self, port: str, baud: int = BAUD, *, stream: str = STREAM, rate_hz: float = 0.0
    ) -> None:
        """Describe what is wanted; nothing is opened.

        Args:
            port: its device ("/dev/ttyUSB0").
            baud: bits per second.
            stream: name of the stream it gives.
            rate_hz: nominal readings per second, 0 if unknown.
        """
        super().__init__(f"IMU on {port}", stream, rate_hz)
        self._port = port
        self._baud = baud

    def _check(self) -> None:
        _pyserial()
        check_node("serial port", self._port, serial_ports(), "dialout")

    def _open(self) -> Transport:
        serial = _pyserial()
        try:
            port = serial.Serial(self._port, self._baud, timeout=_WAIT_S, exclusive=True)
        except (OSError, ValueError, OverflowError) as error:  # SerialException is an OSError
            raise SourceError(self._why_not(error)) from None
        return _SerialTransport(port)

    def _why_not(self, error: Exception) -> str:
        if getattr(error, "errno", None) in (errno.EBUSY, errno.EAGAIN):
            fix = "another program uses it; close that one (fuser -v shows which it is)"
        else:
            fix = f"expected a serial port that runs at {self._baud} baud"
        return f"the serial port {self._port!r} cannot be opened ({error}): {fix}"


class _SerialTransport(Transport):
    begins_within_line = True

    def __init__(self, port: Any) -> None:  # noqa: ANN401 - serial.Serial
        self._port = port

    def receive(self) -> bytes:
        data: bytes = self._port.read(max(1, self._port.in_waiting))
        return data

    def close(self) -> None:
        self._port.close()


class ImuUdp(ImuLines):
    """An IMU whose lines come as UDP datagrams, one or more whole lines in each."""

    def __init__(self, host: str, port: int, *, stream: str = STREAM, rate_hz: float = 0.0) -> None:
        """Describe what is wanted; nothing is opened.

        Args:
            host: the address of this machine to listen on; "0.0.0.0" for all of them.
            port: number of the UDP port; 0 lets the system choose one.
            stream: name of the stream it gives.
            rate_hz: nominal readings per second, 0 if unknown.
        """
        super().__init__(f"IMU on udp://{host}:{port}", stream, rate_hz)
        self.address = (host, port)

    def _check(self) -> None:
        if not 0 <= self.address[1] <= 65_535:
            raise SourceError(f"the UDP port is {self.address[1]}, expected 0 to 65535")

    def _open(self) -> Transport:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                *self.address, type=socket.SOCK_DGRAM
            )[0]
            receiver = socket.socket(family, kind, protocol)
        except OSError as error:
            raise SourceError(self._why_not(error)) from None
        try:
            receiver.bind(address)
        except OSError as error:
            receiver.close()
            raise SourceError(self._why_not(error)) from None
        receiver.settimeout(_WAIT_S)
        self.address = (self.address[0], receiver.getsockname()[1])
        return _UdpTransport(receiver)

    def _why_not(self, error: OSError) -> str:
        if error.errno == errno.EADDRINUSE:
            fix = "another program listens there; take another port"
        else:
            fix = "give an address of this machine, or 0.0.0.0 for all of them"
        host, port = self.address
        return f"cannot listen on udp://{host}:{port} ({error}): {fix}"


class _UdpTransport(Transport):
    def __init__(self, receiver: socket.socket) -> None:
        self._receiver = receiver

    def receive(self) -> bytes:
        try:
            data = self._receiver.recv(_DATAGRAM)
        except TimeoutError:
            return b""
        # A datagram is whole: what it holds ends with it.
        return data if data.endswith(b"\n") else data + b"\n"

    def close(self) -> None:
        self._receiver.close()


def serial_ports() -> dict[str, str]:
    """The serial ports of this machine, and what the system says of each.

    Raises:
        MissingExtraError: pyserial is not installed.
    """
    _pyserial()
    from serial.tools.list_ports import comports

    return {port.device: str(port.description) for port in sorted(comports())}


def _pyserial() -> ModuleType:
    try:
        import serial
    except ImportError:
        raise MissingExtraError(_WHO, "serial") from None
    module: ModuleType = serial
    return module
