# SPDX-License-Identifier: Apache-2.0
"""The kinds of sections that a calibration file can have: their fields, and how they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sensebind_calibration.cards import allan_card, imu_card
from sensebind_calibration.clock_card import clock_card
from sensebind_calibration.sections import AllanSection, ClockSection, ImuSection
from sensebind_calibration.sense_cards import (
    depth_card,
    microphone_card,
    scores_card,
    thermal_card,
)
from sensebind_calibration.sense_sections import (
    DepthSection,
    MicrophoneSection,
    ScoresSection,
    ThermalSection,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec


class Kind(NamedTuple):
    """A kind of section.

    Attributes:
        section: its fields.
        card: makes text of a stream's name and its section.
    """

    section: type[msgspec.Struct]
    card: Callable[[str, Any], str]


KINDS: dict[str, Kind] = {
    "allan": Kind(AllanSection, allan_card),
    "imu": Kind(ImuSection, imu_card),
    "microphone": Kind(MicrophoneSection, microphone_card),
    "depth": Kind(DepthSection, depth_card),
    "thermal": Kind(ThermalSection, thermal_card),
    "clock": Kind(ClockSection, clock_card),
    "scores": Kind(ScoresSection, scores_card),
}
"""By the table's name in the file, in the order they are shown."""
