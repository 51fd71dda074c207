# SPDX-License-Identifier: Apache-2.0
"""Recordings of a service: begun anew now and then, while its run goes on."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from sensebind.closing import Closing
from sensebind.errors import SenseBindError
from sensebind.flow.incidents import told
from sensebind.robot.outputs import remove_old, stamped
from sensebind.sinks.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensebind.config import StreamConfig
    from sensebind.flow.incidents import Incidents
    from sensebind.robot.config import RecordConfig
    from sensebind.types import Block

_GRACE_S = 1.0
"""So long a device's thread may be about to hand a block to the recording before."""


class Recordings(Closing):
    """Hands blocks to one recorder after another; used like a `Recorder`."""

    def __init__(self, config: RecordConfig, incidents: Incidents) -> None:
        """Nothing is written before `begin`.

        Raises:
            InputError: if the path cannot be used.
        """
        self._config = config
        self._path = Path(config.file)
        self._incidents = incidents
        self._begun: tuple[Any, ...] = ()
        self._over = Event()
        self._thread: Thread | None = None
        self._now = self._new()

    def begin(
        self,
        streams: Mapping[str, StreamConfig],
        known: Mapping[str, Mapping[str, Any]] | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Begin the first recording; see `Recorder.begin`."""
        self._begun = streams, known, facts
        self._now.begin(*self._begun)
        if self._config.rotate_s:
            self._thread = Thread(target=self._run, name="recordings", daemon=True)
            self._thread.start()

    def offer(self, device: Block, mapped: Block, receive_ns: int) -> None:
        """See `Recorder.offer`."""
        self._now.offer(device, mapped, receive_ns)

    def offer_break(self, stream: str, receive_ns: int) -> None:
        """See `Recorder.offer_break`."""
        self._now.offer_break(stream, receive_ns)

    def rotate(self) -> None:
        """Begin another recording, then finish the present one; if that fails, go on with it."""
        try:
            new = self._new()
            new.begin(*self._begun)
        except (SenseBindError, OSError) as error:
            what = f"{told(error)}; it goes on in the same file"
            self._incidents.tell(f"recording {self._path}", what)
            return
        old, self._now = self._now, new
        self._over.wait(_GRACE_S)
        self._finish(old)

    def close(self) -> None:
        """Finish the present recording."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        self._finish(self._now)

    def _new(self) -> Recorder:
        return Recorder(stamped(self._path), compress=self._config.compress)

    def _finish(self, recorder: Recorder) -> None:
        try:
            recorder.close()
        except SenseBindError as error:
            self._incidents.tell(f"recording {self._path}", str(error))
        for stream, causes in recorder.report.lost.items():
            lost = ", ".join(f"{count} {cause}" for cause, count in causes.items())
            self._incidents.tell(f"recording {self._path}", f"{stream}: not recorded: {lost}")
        remove_old(self._path, self._config.keep)

    def _run(self) -> None:
        while not self._over.wait(self._config.rotate_s):
            self.rotate()
