# SPDX-License-Identifier: Apache-2.0
"""Telling systemd how a service is (sd_notify(3)), without its library.

Where nobody listens (`NOTIFY_SOCKET` is not set) nothing is told.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Notifier:
    """Sends states to the service manager; never raises. For all threads.

    Attributes:
        watchdog_s: how often WATCHDOG=1 is expected at least; None if it is not.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        """Find the service manager in the environment, that of the process if None."""
        environ = os.environ if environ is None else environ
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._is_told = False
        self.watchdog_s = _watchdog_s(environ)

    def ready(self) -> None:
        """The service does its work; also after a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` follows."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service ends."""
        self._send("STOPPING=1")

    def extend(self, seconds: float) -> None:
        """The start may take so long from now on, whatever the manager allows."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def watchdog(self) -> None:
        """The service is alive and gets on."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """What the service does, as one line for people."""
        self._send("STATUS=" + text.replace("\n", " "))

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # "@" is how the environment writes the null character of an abstract address.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(1.0)
                sender.sendto(message.encode(), address)
        except OSError as error:
            if not self._is_told:
                self._is_told = True
                _log.warning("the service manager at %s cannot be told: %s", self._address, error)


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """How often the manager wants to hear of this process."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    whose = environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    return int(microseconds) / 1e6 if whose in ("", str(os.getpid())) else None
