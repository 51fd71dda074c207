# SPDX-License-Identifier: Apache-2.0
"""Build `sample.mcap`, `truth.json` and `contact_sheet.png` from the seed alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.errors import MissingExtraError
from sensebind_engines.recipes.sample_recording.library import find_package, open_libraries
from sensebind_engines.recipes.sample_recording.render import use_headless_gl
from sensebind_engines.recipes.sample_recording.scene import PLACES

if TYPE_CHECKING:
    from pathlib import Path

RECORDING_NAME = "sample.mcap"
TRUTH_NAME = "truth.json"
SHEET_NAME = "contact_sheet.png"


def build(out: Path, cache: Path, *, seed: int = 0) -> Path:
    """Simulate, render and write the sample recording; identical bytes for identical versions.

    Args:
        out: folder for the three files, made if absent.
        cache: folder that holds the recordings of ESC-10 ("esc10") and holds, or receives, the
            Debian packages of the 3-D models and the soundfont.
        seed: draws textures, gravel, the IMU's errors and all noise.

    Returns:
        The folder `out`.

    Raises:
        SourceError: a package or the recordings are missing or damaged.
        MissingExtraError: mujoco or scipy is not installed.
    """
    use_headless_gl()
    try:
        from sensebind_engines.recipes.sample_recording.produce import Files, produce
        from sensebind_engines.recipes.sample_recording.sounds import sounds_of_the_hall
    except ImportError as error:
        raise MissingExtraError("Building the sample recording", "recipes") from error
    out.mkdir(parents=True, exist_ok=True)
    files = Files(out / RECORDING_NAME, out / TRUTH_NAME, out / SHEET_NAME)
    libraries = open_libraries(find_package(cache), sorted({p.library for p in PLACES}))
    produce(files, libraries, sounds_of_the_hall(cache), seed)
    return out
