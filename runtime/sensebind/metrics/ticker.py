# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a run taken now and then, for tables and files."""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import TYPE_CHECKING

from sensebind.errors import SenseBindError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from sensebind.metrics.snapshot import Snapshot

    Taker = Callable[[Snapshot], None]

_log = logging.getLogger(__name__)


class Ticker:
    """Takes a snapshot now and then, and one at the end; a context manager with its own thread.

    A taker that fails is told of once and left out from then on: what looks at a run never ends it.
    """

    def __init__(
        self, snapshot: Callable[[], Snapshot], takers: Sequence[Taker], interval_s: float = 1.0
    ) -> None:
        """Hand `snapshot()` to each of `takers` every `interval_s`."""
        self._snapshot = snapshot
        self._takers = list(takers)
        self._interval_s = interval_s
        self._over = Event()
        self._thread = Thread(target=self._run, name="snapshots", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        self.tick()

    def tick(self) -> None:
        """Take one snapshot now."""
        snapshot = self._snapshot()
        self._takers = [taker for taker in self._takers if _taken(taker, snapshot)]

    def _run(self) -> None:
        while not self._over.wait(self._interval_s):
            self.tick()


def _taken(taker: Taker, snapshot: Snapshot) -> bool:
    try:
        taker(snapshot)
    except (SenseBindError, OSError) as error:
        _log.warning("%s", error)
        return False
    return True
