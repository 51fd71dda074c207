# SPDX-License-Identifier: Apache-2.0
"""Commands of `sensebind engine` as processes of their own, which nobody has to wait for."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from tempfile import TemporaryFile
from threading import Event, Lock
from typing import IO, TYPE_CHECKING

import msgspec

from sensebind.errors import BackendError
from sensebind.json_text import NOT_JSON

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = (sys.executable, "-m", "sensebind", "engine")
_NICE = 10
_OOM_SCORE = "1000"
"""Where memory runs out the kernel ends such a process before all others (proc(5))."""
_GRACE_S = 2.0
"""A builder that is asked to end may be deep in TensorRT; it leaves no half plan when killed."""
_TERMINATED = (-signal.SIGTERM, 128 + signal.SIGTERM)


class BuildLine(msgspec.Struct, frozen=True):
    """A line of `sensebind engine build --json`.

    Attributes:
        share: of the build that is done.
        waiting: whether another process builds the same plan.
    """

    share: float | None = None
    waiting: bool = False


class Stopped(Exception):  # noqa: N818 - no error
    """A command was ended, or not begun, because of `stop`."""


class EngineCommands:
    """Runs one command after the other, with a low priority; one thread runs, any one stops."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._stopping = Event()
        self._lock = Lock()
        self._child: Popen[str] | None = None

    def stop(self) -> None:
        """End what runs, soon and by force if need be, and begin nothing more."""
        with self._lock:
            self._stopping.set()
            child = self._child
        if child is not None:
            child.terminate()
            try:
                child.wait(_GRACE_S)
            except TimeoutExpired:
                child.kill()

    def run(self, arguments: list[str], heed: Callable[[BuildLine], None] = lambda _: None) -> None:
        """Run a command to its end.

        Args:
            arguments: behind `sensebind engine`.
            heed: takes what it tells meanwhile.

        Raises:
            BackendError: it failed, with the reason it gave.
            Stopped: by `stop`.
        """
        with TemporaryFile("w+", errors="replace") as errors:
            child = self._started([*COMMAND, *arguments], errors)
            assert child.stdout is not None
            with child.stdout:
                for line in child.stdout:
                    with suppress(*NOT_JSON):  # others are for people
                        heed(msgspec.json.decode(line, type=BuildLine))
            code = child.wait()
            if code in _TERMINATED:  # by somebody who may be about to end this process as well
                self._stopping.wait(_GRACE_S)
            if self._stopping.is_set():
                raise Stopped
            if code != 0:
                errors.seek(0)
                raise BackendError(_reason(code, errors.read().splitlines()))

    def _started(self, command: list[str], errors: IO[str]) -> Popen[str]:
        with self._lock:
            if self._stopping.is_set():
                raise Stopped
            try:
                # In a session of its own: Ctrl-C is for this process.
                child = self._child = Popen(  # noqa: S603 - what it runs is ours
                    command,
                    stdin=DEVNULL,
                    stdout=PIPE,
                    stderr=errors,
                    text=True,
                    errors="replace",
                    start_new_session=True,
                )
            except OSError as error:
                raise BackendError(f"{command[0]} cannot be started: {error.strerror}") from None
        with suppress(OSError):  # it may be over already
            Path(f"/proc/{child.pid}/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
            nice = max(os.getpriority(os.PRIO_PROCESS, child.pid), _NICE)
            os.setpriority(os.PRIO_PROCESS, child.pid, nice)
        return child


def _reason(code: int, lines: list[str]) -> str:
    """Why a command failed, of what it wrote to stderr."""
    for line in reversed(lines):
        if line.startswith("error: "):
            return line.removeprefix("error: ")
    if code == -signal.SIGKILL:
        return (
            "the process that made it was killed, as happens where memory runs out; close other "
            "programs, add swap, or build it by hand with a smaller --workspace"
        )
    return f"the process that made it ended with {code}{f': {lines[-1]}' if lines else ''}"
