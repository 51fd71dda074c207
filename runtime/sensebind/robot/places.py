# SPDX-License-Identifier: Apache-2.0
"""Whose files are whose: what one service writes, and finishes after a crash, is no other's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from sensebind.closing import Closing
from sensebind.errors import InputError
from sensebind.sinks import check_output, check_place
from sensebind.storage import acquire

if TYPE_CHECKING:
    from sensebind.robot.config import RobotConfig


def check_places(config: RobotConfig) -> None:
    """Check that what is to be written can be, before any work is done.

    Raises:
        InputError: naming the file and the fix.
    """
    if config.output is not None:
        check_output(config.output.file)
    for part in (config.record, config.changes, config.stats, config.health):
        if part is not None and part.file is not None:
            check_place(Path(part.file))


class Places(Closing):
    """Locks beside the outputs of a service; the system frees them when it dies."""

    def __init__(self) -> None:
        """Hold none."""
        self._locks: dict[Path, FileLock] = {}

    def take(self, config: RobotConfig) -> None:
        """Hold those of a configuration, beside those that are held.

        Raises:
            InputError: naming the file that another service writes, or that cannot be written.
        """
        check_places(config)
        for path in _outputs(config) - self._locks.keys():
            lock = FileLock(path.with_name(f".{path.name}.lock"))
            try:
                acquire(lock, timeout_s=0)
            except Timeout:
                raise InputError(
                    f"another service writes {str(path)!r}; stop that one, or choose another name"
                ) from None
            except OSError as error:
                raise InputError(
                    f"cannot write beside {str(path)!r}: {error.strerror}; choose another folder"
                ) from None
            self._locks[path] = lock

    def leave_all_but(self, config: RobotConfig) -> None:
        """Free the others."""
        for path in self._locks.keys() - _outputs(config):
            self._locks.pop(path).release()

    def close(self) -> None:
        """Free all."""
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()


def _outputs(config: RobotConfig) -> set[Path]:
    parts = (config.output, config.record)
    return {Path(part.file).resolve() for part in parts if part is not None}
