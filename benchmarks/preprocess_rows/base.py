# SPDX-License-Identifier: Apache-2.0
"""What a row of the preprocessing benchmark is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Row:
    """One piece of work done by SenseBind and by a peer.

    Both must do the same work on the same input, on one thread, and be ready to run: compiled,
    warm, with nothing left to set up that a program does once.

    Attributes:
        name: what is measured, with the peer, such as "imu linear vs np.interp".
        goal: the ratio to reach; 0 where no ratio is demanded.
        better: "higher": the ratio is the peer's time over ours (how many times faster we are),
            at least `goal`; "lower": ours over the peer's (what part of its time), at most `goal`.
        ours: does the work once; what it returns is not looked at.
        peer: the same for the peer.
        note: what a reader must know to judge the row.
    """

    name: str
    goal: float
    better: Literal["higher", "lower"]
    ours: Callable[[], object]
    peer: Callable[[], object]
    note: str = ""
