# SPDX-License-Identifier: Apache-2.0
"""A clock's line held still: what stamps are mapped by until it is off by too much."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind.grid import NS_PER_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.clock.model import ClockFit

    Stamps = NDArray[np.int64]


class _Piece(NamedTuple):
    """A line from a device stamp on, bent so that it begins no lower than what was mapped before.

    Where the line lies below `floor_ns`, stamps advance at half their pace until it has caught up.
    """

    fit: ClockFit
    from_ns: int
    floor_ns: int

    def is_straight_from(self, device_ns: int) -> bool:
        """Whether this stamp and all later ones lie on the line."""
        floor_ns = self.floor_ns + (device_ns - self.from_ns) // 2
        return device_ns >= self.from_ns and self.fit.reference_ns(device_ns) >= floor_ns

    def bent(self, device_ns: Stamps, straight_ns: Stamps) -> Stamps:
        """Stamps on the line, lifted behind `from_ns` and held down before it."""
        floor_ns = self.floor_ns + (device_ns - self.from_ns) // 2
        before_ns = np.minimum(straight_ns, self.floor_ns)
        return np.where(device_ns < self.from_ns, before_ns, np.maximum(straight_ns, floor_ns))


class FrozenLine:
    """Maps stamps by a fit that changes seldom; what it maps never runs backwards because of that.

    Attributes:
        changes: how often another fit was taken.
    """

    def __init__(self, tolerance_ns: int) -> None:
        """Begin without a fit; a better one is taken when it differs by over `tolerance_ns`."""
        self.changes = 0
        self._tolerance_ns = tolerance_ns
        self._piece: _Piece | None = None
        self._newest = 0, 0

    def update(self, fit: ClockFit, device_ns: int, newest_ns: int) -> None:
        """Look at what is known of the clock now, before a stamp is mapped.

        Args:
            fit: the line.
            device_ns: the stamp.
            newest_ns: the newest stamp that the stream was given so far, by the reference clock.
        """
        piece, mapped_ns = self._piece, fit.reference_ns(device_ns)
        if piece is None:
            self._begin(fit, device_ns, mapped_ns)
        elif fit.epoch != piece.fit.epoch:
            follows = mapped_ns <= newest_ns < mapped_ns + NS_PER_S
            self._begin(fit, device_ns, newest_ns + 1 if follows else mapped_ns)
            self.changes += 1
        elif abs(mapped_ns - piece.fit.reference_ns(device_ns)) > self._tolerance_ns:
            self._piece = _Piece(fit, *self._newest)
            self.changes += 1

    def reference_stamps_ns(self, device_ns: Stamps) -> Stamps:
        """Stamps, int64 (n,), n > 0, by the reference clock; call `update` before."""
        piece = self._piece
        assert piece is not None
        mapped_ns = piece.fit.reference_stamps_ns(device_ns)
        if not piece.is_straight_from(int(device_ns.min())):
            mapped_ns = piece.bent(device_ns, mapped_ns)
        last = int(device_ns.argmax())
        if device_ns[last] > self._newest[0]:
            self._newest = int(device_ns[last]), int(mapped_ns[last])
        return mapped_ns

    def _begin(self, fit: ClockFit, device_ns: int, floor_ns: int) -> None:
        self._piece = _Piece(fit, device_ns, floor_ns)
        self._newest = device_ns, floor_ns
