# SPDX-License-Identifier: Apache-2.0
"""How a service is, in a file and at an address of this machine, both only if asked for."""

from __future__ import annotations

import logging
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sensebind.closing import Closing
from sensebind.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensebind.robot.config import HealthConfig

_log = logging.getLogger(__name__)
_ADDRESS = "127.0.0.1"
_PATH = "/health"
_PATIENCE_S = 5.0

Status = Literal["starting", "running", "stuck", "restarting", "stopping", "stopped"]


class StreamHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One stream.

    Attributes:
        modality: its sense.
        engine: backend that made its newest embedding, and what it computed in.
        embedded: windows that became embeddings.
        dropped: windows that did not, and samples no window could hold, by cause.
        age_s: since the newest sample of its newest embedding; None if there was none yet.
        label: of its newest embedding; None without classes.
        score: share of the best class.
    """

    modality: str
    engine: str
    embedded: int
    dropped: dict[str, int]
    age_s: float | None = None
    label: str | None = None
    score: float | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """A service at one moment.

    Attributes:
        status: "running" if all is well; "stuck" if nothing is encoded of what waits.
        stamp_ns: when this was so, in ns since 1970; an old one tells that the service was killed.
        pid, version: of the program.
        uptime_s: since it was started.
        config: the configuration's file.
        config_error: why the file was refused when it was last read again; the service goes on as
            it was. None if it was not.
        bundle: what encodes.
        backend: of its engines; several are joined by "+".
        plans: how far the plans are that the service builds, by modality; empty if it does not.
        streams: by name.
        queues: samples, blocks and windows that wait, by place.
        written: records that were offered to the output, written, and lost.
        incidents: the newest things that went wrong and were overcome, with how often they did.
        resident_bytes: memory in RAM.
    """

    status: Status
    stamp_ns: int
    pid: int
    version: str
    uptime_s: float
    config: str
    config_error: str | None
    bundle: str
    backend: str
    plans: dict[str, str]
    streams: dict[str, StreamHealth]
    queues: dict[str, int]
    written: dict[str, int]
    incidents: list[str]
    resident_bytes: int


class HealthFile(Closing):
    """Replaces a file by the present state now and then; a reader never sees half of one."""

    def __init__(self, path: Path, every_s: float, health: Callable[[], Health]) -> None:
        """Write it now, and go on."""
        self._path = path
        self._every_s = every_s
        self._health = health
        self._is_told = False
        self._over = Event()
        self.write()
        self._thread = Thread(target=self._run, name="health file", daemon=True)
        self._thread.start()

    def write(self) -> None:
        """Write the state as it is now; a failure is told once and costs nothing else."""
        # Not flushed to disk: after a crash nobody asks how it was.
        temporary = self._path.with_name(f".{self._path.name}.new")
        try:
            temporary.write_bytes(msgspec.json.encode(self._health()) + b"\n")
            temporary.replace(self._path)
        except OSError as error:
            if not self._is_told:
                self._is_told = True
                _log.warning("%s cannot be written: %s", self._path, error.strerror)

    def close(self) -> None:
        """Write the last state, and no more."""
        self._over.set()
        self._thread.join()
        self.write()

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            self.write()


class HealthEndpoint(Closing):
    """Answers at `http://127.0.0.1:PORT/health`: 200 if the service runs well, else 503.

    Attributes:
        port: that it listens at.
    """

    def __init__(self, port: int, health: Callable[[], Health]) -> None:
        """Listen; a port of 0 is any that is free.

        Raises:
            InputError: if the port is taken.
        """

        class Handler(_Handler):
            state = staticmethod(health)

        try:
            self._server = _Server((_ADDRESS, port), Handler)
        except OSError as error:
            raise InputError(
                f"health.port is {port}, which cannot be listened to at {_ADDRESS}: "
                f"{error.strerror}; choose another port, or end the program that has it"
            ) from None
        self.port = int(self._server.server_address[1])
        self._thread = Thread(
            target=self._server.serve_forever, name="health endpoint", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base's
        """Tell of an error, but not of a client that is gone before it has its answer."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE_S
    server_version = "sensebind"
    sys_version = ""
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = f"%(code)d %(message)s: there is GET {_PATH} only\n"
    state: Callable[[], Health]

    def do_GET(self) -> None:
        """Answer with the state."""
        if self.path.partition("?")[0] != _PATH:
            self.send_error(404)
            return
        health = type(self).state()
        content = msgspec.json.encode(health) + b"\n"
        self.send_response(200 if health.status == "running" else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing of requests."""


def health_reports(config: HealthConfig, health: Callable[[], Health]) -> list[Closing]:
    """The file and the address that are asked for.

    Raises:
        InputError: if the port is taken.
    """
    found: list[Closing] = []
    if config.port is not None:
        found.append(HealthEndpoint(config.port, health))
    if config.file is not None:
        found.append(HealthFile(Path(config.file), config.every_s, health))
    return found
