# SPDX-License-Identifier: Apache-2.0
"""Clocks: the one a run is told in, and how the stamps of devices are mapped into it."""

from sensebind.clock.mapping import StampMapper as StampMapper
from sensebind.clock.model import ClockCalibration as ClockCalibration
from sensebind.clock.model import ClockFit as ClockFit
from sensebind.clock.model import ClockModel as ClockModel
from sensebind.clock.model import ClockQuality as ClockQuality
from sensebind.clock.models import ClockModels as ClockModels
from sensebind.clock.models import StampStatus as StampStatus
from sensebind.clock.reference import REFERENCE_CLOCK as REFERENCE_CLOCK
from sensebind.clock.reference import ReferenceClock as ReferenceClock
from sensebind.clock.reference import SystemClock as SystemClock
