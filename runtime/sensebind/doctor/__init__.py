# SPDX-License-Identifier: Apache-2.0
"""What of this computer SenseBind works with, what it lacks, and how that is mended.

Every examination may find nothing of what it looks for: a laptop has no JetPack, a robot no sound
card. Nothing needs root, and nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.bundle_folder import open_bundle
from sensebind.doctor import board, clocks, gpu, python, ros, sensors
from sensebind.doctor.finding import Finding
from sensebind.errors import SenseBindError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_EXAMINATIONS: dict[str, Callable[[], Iterable[Finding]]] = {
    "python": python.interpreter,
    "packages": python.packages,
    "board": board.clock_rates,
    "cache": board.caches,
    "jetson": gpu.jetson,
    "gpu": gpu.driver,
    "tensorrt": gpu.tensorrt,
    "plans": gpu.plans,
    "ros": ros.ros,
    "sound": sensors.sound,
    "realsense": sensors.realsense,
    "clock": clocks.system_clock,
}
"""By topic; see their docstrings."""


def examine(bundle: str = "demo") -> Iterator[Finding]:
    """Look at everything, one thing after the other.

    Args:
        bundle: name or folder of the bundle whose engines are to run here.

    Yields:
        what was found. An examination that fails is a finding itself.
    """
    for topic, examination in _EXAMINATIONS.items():
        yield from _survived(topic, examination)
    yield from _survived("bundle", lambda: _bundle(bundle))


def _bundle(name: str) -> Iterator[Finding]:
    """Whether the bundle is whole, and its engines fit into memory."""
    try:
        folder = open_bundle(name)
        folder.verify()
    except SenseBindError as error:
        yield Finding("bundle", "failure", str(error))  # which names the fix
        return
    senses = ", ".join(modality.value for modality in folder.manifest.encoders)
    yield Finding("bundle", "ok", f"{folder.argument} is whole: {senses}")
    yield from board.memory(folder)


def _survived(topic: str, examination: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from examination()
    except Exception as error:  # noqa: BLE001 - a computer in any state is to be examined
        kind = "" if isinstance(error, SenseBindError) else f"{type(error).__name__}: "
        yield Finding(topic, "warning", f"could not be examined: {kind}{error}")
