# SPDX-License-Identifier: Apache-2.0
"""What went wrong during a run and was overcome."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Lock

_log = logging.getLogger(__name__)


_MOST = 200
"""Messages may name values, of which there is no end."""


@dataclass(slots=True)
class Incident:
    """Something that went wrong, once or again and again.

    Attributes:
        where: the part it concerns: "source NAME", "engine imu", "sink NAME", "clock".
        what: what happened and what is done about it.
        count: how often.
    """

    where: str
    what: str
    count: int = 0


class Incidents:
    """Keeps and logs what goes wrong; for all threads.

    Attributes:
        kept: in the order they first happened.
    """

    def __init__(self, kept: list[Incident]) -> None:
        """Add to `kept`."""
        self.kept = kept
        self._lock = Lock()

    def tell(self, where: str, what: str) -> None:
        """Count an incident, and log it the first time."""
        with self._lock:
            if len(self.kept) >= _MOST:
                what = "more of the like"
            known = next((i for i in self.kept if (i.where, i.what) == (where, what)), None)
            if known is None:
                known = Incident(where, what)
                self.kept.append(known)
                _log.warning("%s: %s", where, what)
            known.count += 1


def told(error: BaseException) -> str:
    """An error as a sentence; errors that are not ours are named."""
    from sensebind.errors import SenseBindError

    return str(error) if isinstance(error, SenseBindError) else f"{type(error).__name__}: {error}"
