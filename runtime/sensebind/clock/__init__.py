# SPDX-License-Identifier: Apache-2.0
"""Clocks: the one a run is told in, and how the stamps of devices are mapped into it."""

from sensebind.clock.reference import ReferenceClock as ReferenceClock
from sensebind.clock.reference import SystemClock as SystemClock
