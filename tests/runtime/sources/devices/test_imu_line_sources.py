# SPDX-License-Identifier: Apache-2.0
"""An IMU on a pseudo terminal, which the system treats as a serial port, and on a real socket."""

from __future__ import annotations

import os
import socket
import sys
import tty
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("serial", reason="pyserial (extra serial) is missing")

from sensebind.config import StreamConfig
from sensebind.errors import MissingExtraError, SourceError
from sensebind.sources.devices import imu_line_sources
from sensebind.sources.devices.imu_line_sources import (
    STREAM,
    ImuSerial,
    ImuUdp,
)
from sensebind.types import Modality
from tests.support.ears import Ears
from tests.support.running import no_thread_is_left

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["no_thread_is_left"]

SELECTED = {STREAM: StreamConfig(modality=Modality.IMU)}


class Wire:
    """A pseudo terminal: what is written to it arrives at the port of that name."""

    def __init__(self) -> None:
        self._device, self._port = os.openpty()
        tty.setraw(self._port)
        self.name = os.ttyname(self._port)

    def send(self, data: bytes) -> None:
        os.write(self._device, data)

    def unplug(self) -> None:
        if self._device >= 0:
            os.close(self._device)
            os.close(self._port)
        self._device = -1


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.unplug()


def lines(begin: int, count: int) -> bytes:
    """Readings at 100 Hz, whose values tell their number."""
    return b"".join(
        b"%d,%d.5,0,9.8,0,0,-%d\n" % (10_000_000 * (number + 1), number, number)
        for number in range(begin, begin + count)
    )


def check_numbers(ears: Ears, numbers: list[int]) -> None:
    stamps_ns, values = ears.samples(STREAM)
    assert stamps_ns.tolist() == [10_000_000 * (number + 1) for number in numbers]
    np.testing.assert_array_equal(values[:, 0], np.array(numbers) + 0.5)
    np.testing.assert_array_equal(values[:, 5], -np.array(numbers, float))


def test_every_line_of_a_serial_port_arrives(wire: Wire) -> None:
    ears, source = Ears(), ImuSerial(wire.name)
    source.start(SELECTED, ears.take, ears.fail)
    wire.send(b"890,1,2,3,4,5,6\n")  # it had begun before the port was opened
    for begin in range(0, 200, 20):
        data = lines(begin, 20)
        wire.send(data[:333])
        wire.send(data[333:])
    ears.wait_for(200)
    source.stop()
    check_numbers(ears, list(range(200)))
    assert (source.report.read, source.report.skipped) == ({STREAM: 200}, {})
    assert not ears.failures


def test_garbage_on_the_wire_is_counted_and_left_behind(wire: Wire) -> None:
    ears, source = Ears(), ImuSerial(wire.name)
    source.start(SELECTED, ears.take, ears.fail)
    noise = bytes(range(128, 256)) + b"\n"
    wire.send(b"\n" + lines(0, 5) + noise + b"5,nan,0,0,0,0,0\n1,2\n" + b"7" * 300)
    wire.send(b"7" * 300 + b"\n" + lines(5, 5))
    ears.wait_for(10)
    source.stop()
    check_numbers(ears, list(range(10)))
    assert source.report.skipped == {
        STREAM: {"not numbers": 2, "not 7 fields": 1, "line too long": 1}
    }


def test_an_unplugged_port_fails_and_another_start_finds_it_again(wire: Wire) -> None:
    ears, source = Ears(), ImuSerial(wire.name)
    source.start(SELECTED, ears.take, ears.fail)
    wire.send(b"\n" + lines(0, 3))
    ears.wait_for(3)
    name = wire.name
    wire.unplug()
    assert f"IMU on {name} was disconnected" in str(ears.failure())
    source.stop()
    with pytest.raises(SourceError, match=f"there is no serial port '{name}'"):
        source.start(SELECTED, ears.take, ears.fail)
    again = Wire()  # takes the name that became free
    assert again.name == name
    source.start(SELECTED, ears.take, ears.fail)
    again.send(b"\n" + lines(3, 3))
    ears.wait_for(6)
    source.stop()
    again.unplug()
    check_numbers(ears, list(range(6)))


def test_a_port_that_is_not_there_names_those_that_are(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imu_line_sources, "serial_ports", lambda: {"/dev/ttyUSB0": "CP2102"})
    with pytest.raises(
        SourceError, match=r"no serial port '/dev/ttyUSB1'; did you mean '/dev/ttyUSB0'\? There "
        r"are /dev/ttyUSB0 \(CP2102\)",
    ):  # fmt: skip
        ImuSerial("/dev/ttyUSB1").streams()
    monkeypatch.setattr(imu_line_sources, "serial_ports", dict)
    with pytest.raises(SourceError, match=r"'/dev/ttyUSB1'. There is none at all; connect it"):
        ImuSerial("/dev/ttyUSB1").streams()


def test_a_port_of_others_names_the_group(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SourceError, match=r"usermod -aG dialout \$USER.*udev"):
        ImuSerial(wire.name).streams()


def test_a_port_that_is_in_use_says_so(wire: Wire, tmp_path: Path) -> None:
    ears, source = Ears(), ImuSerial(wire.name)
    source.start(SELECTED, ears.take, ears.fail)
    with pytest.raises(SourceError, match="another program uses it"):
        ImuSerial(wire.name).start(SELECTED, ears.take, ears.fail)
    source.stop()
    (tmp_path / "port").touch()
    with pytest.raises(SourceError, match="expected a serial port that runs at 9600 baud"):
        ImuSerial(str(tmp_path / "port"), 9600).start(SELECTED, ears.take, ears.fail)


def test_lines_come_as_datagrams() -> None:
    ears, source = Ears(), ImuUdp("127.0.0.1", 0)
    source.start(SELECTED, ears.take, ears.fail)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(lines(0, 1).rstrip(), source.address)  # its end is the datagram's
        sender.sendto(b"\xff\xff", source.address)
        sender.sendto(lines(1, 10), source.address)
        ears.wait_for(11)
    source.stop()
    check_numbers(ears, list(range(11)))
    assert source.report.skipped == {STREAM: {"not numbers": 1}}


def test_addresses_that_cannot_be_listened_on_are_named() -> None:
    ears = Ears()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        with pytest.raises(SourceError, match=f"127.0.0.1:{taken} .*another program listens"):
            ImuUdp("127.0.0.1", taken).start(SELECTED, ears.take, ears.fail)
    with pytest.raises(SourceError, match=r"give an address of this machine"):
        ImuUdp("192.0.2.1", 5005).start(SELECTED, ears.take, ears.fail)
    with pytest.raises(SourceError, match="UDP port is 70000, expected 0 to 65535"):
        ImuUdp("127.0.0.1", 70_000).streams()


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sensebind\[serial\]'"):
        ImuSerial("/dev/ttyUSB0").streams()
