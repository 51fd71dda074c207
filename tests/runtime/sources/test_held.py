# SPDX-License-Identifier: Apache-2.0
"""Blocks in memory as a recording: read as they are, again and again, and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind import StreamConfig
from sensebind.sources.base import StreamInfo, StreamKind
from sensebind.sources.held import HeldSource
from sensebind.types import Break, Modality
from tests.support.running import imu, picture

if TYPE_CHECKING:
    from sensebind.types import Delivery

INFOS = [StreamInfo("imu", StreamKind.SAMPLES, "imu"), StreamInfo("cam", StreamKind.FRAMES, "cam")]
DELIVERIES: list[Delivery] = [imu(0, 5), picture(0), Break("imu"), imu(9, 5)]


def test_the_selected_blocks_come_as_they_were_given_every_time() -> None:
    with HeldSource("drive", INFOS, DELIVERIES, ["a note"]) as source:
        assert source.streams() == INFOS
        for order in ("log", "stamp"):
            found = list(source.blocks({"imu": StreamConfig(modality=Modality.IMU)}, order))
            assert found == [DELIVERIES[0], *DELIVERIES[2:]]
            assert source.report.read == {"imu": 10}
        assert source.report.notes == ["a note"]
        assert (source.name, source.sha256()) == ("drive", "")


def test_progress_tells_how_much_was_passed() -> None:
    source = HeldSource("drive", INFOS, DELIVERIES)
    blocks = source.blocks({"cam": StreamConfig(modality=Modality.VISION)}, "stamp")
    assert source.progress() == 0
    next(blocks)
    assert source.progress() == 0.5
    assert list(blocks) == []
    assert source.progress() == 1
    assert HeldSource("nothing", [], []).progress() == 0
