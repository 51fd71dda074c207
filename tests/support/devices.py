# SPDX-License-Identifier: Apache-2.0
"""Devices with clocks of their own, whose messages arrive late, in simulated time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

S = 1_000_000_000
MS = 1_000_000
BEGIN_NS = 1_700_000_000 * S


@dataclass(frozen=True, slots=True)
class Message:
    """One message: when it was measured, stamped and received."""

    true_ns: int
    device_ns: int
    receive_ns: int


@dataclass(frozen=True, slots=True)
class Device:
    """Sends a message every `period_ns` and stamps it with a clock of its own.

    Attributes:
        period_ns: distance of messages by the true clock.
        drift: share by which its clock runs fast.
        epoch_ns: what its clock shows at the begin.
        latency_ns: least time to arrival.
        jitter_ns: mean of what comes on top, exponentially spread.
        loss: share of messages that never arrive.
        jump_at_s: when its clock is set.
        jump_ns: by how much.
    """

    period_ns: int = 20 * MS
    drift: float = 0.0
    epoch_ns: int = 5 * S
    latency_ns: int = 0
    jitter_ns: float = 1e6
    loss: float = 0.0
    jump_at_s: float = float("inf")
    jump_ns: int = 0

    def messages(self, seconds: float, seed: int = 0, begin_s: float = 0.0) -> Iterator[Message]:
        """What arrives, in order."""
        rng = np.random.default_rng(seed)
        received_ns = 0
        for i in range(int(begin_s * S) // self.period_ns, int(seconds * S) // self.period_ns):
            at_ns = i * self.period_ns
            delay_ns = self.latency_ns + round(rng.exponential(self.jitter_ns))
            lost = rng.random() < self.loss
            received_ns = max(received_ns, BEGIN_NS + at_ns + delay_ns)
            device_ns = self.epoch_ns + at_ns + round(self.drift * at_ns)
            if at_ns >= self.jump_at_s * S:
                device_ns += self.jump_ns
            if not lost:
                yield Message(BEGIN_NS + at_ns, device_ns, received_ns)
