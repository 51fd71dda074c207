# SPDX-License-Identifier: Apache-2.0
"""Real motion, for evaluation alone: people with a watch, and a sensor that lies still."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from sensebind_engines.recipes.imu_motion.answers import say
from sensebind_engines.recipes.imu_motion.dataset import MANIFEST, load_prompts
from sensebind_engines.recipes.imu_motion.watch import EXERCISES
from sensebind_engines.recipes.imu_motion.windows import read_windows
from sensebind_engines.recipes.measuring import measured
from sensebind_engines.recipes.simulation.labels import CLASSES

if TYPE_CHECKING:
    from sensebind_engines.recipes.figures import Measurement
    from sensebind_engines.recipes.imu_motion.answers import Prompts, Trained

REST_S = 1000
"""Of the recording at rest that is measured on."""
_FRAME = "frd"
"""The sensor lay with its z axis down."""


def exercises(trained: Trained, watch: Path) -> Measurement:
    """Exercises of people with a watch at the wrist, which no training showed.

    Args:
        trained: the encoders.
        watch: folder of the recipe `imu-watch`.

    Raises:
        InputError: naming the row and file that cannot be used.
    """
    prompts: Prompts = dict(EXERCISES.values())
    windows = read_windows(watch / MANIFEST, "test", trained.spec)
    said = say(trained.vectors(windows), trained.prototypes(prompts), tuple(prompts))
    return measured(
        said.credit(windows),
        windows.groups,
        windows.labels,
        name="shoulder exercises of people with a watch, named by text",
        measure="balanced accuracy",
        split="seglearn's watch data, evaluation only",
        nature="real",
        seen="unseen classes, subjects and sensor",
        group_kind="subjects",
        classes=len(prompts),
        chance=1 / len(prompts),
        seeds=trained.seeds,
        note="motion of arms, not of robots: this encoder has no reason to know it.",
    )


def at_rest(trained: Trained, path: Path) -> Measurement:
    """How often a real sensor that lies still is called still.

    Args:
        trained: the encoders.
        path: .npz of `accel_g` and `gyro_deg_s` (n, 3) and `rate_hz`: SMAC-Group's recording of an
            ADIS16405, z axis down.

    Raises:
        InputError: it cannot be used.
    """
    with tempfile.TemporaryDirectory() as folder:
        windows = read_windows(_manifest(path, Path(folder)), "test", trained.spec)
    said = say(trained.vectors(windows), trained.prototypes(load_prompts().test), CLASSES)
    return measured(
        said.credit(windows),
        windows.groups,
        name="a real sensor at rest, called still",
        measure="recall",
        split=f"ADIS16405, {REST_S} s of one recording",
        nature="real",
        seen="seen class, unseen sensor",
        group_kind="recordings",
        classes=len(CLASSES),
        chance=1 / len(CLASSES),
        seeds=trained.seeds,
        note="one recording, so there is no interval.",
    )


def _manifest(path: Path, folder: Path) -> Path:
    """The recording as an IMU file with one row."""
    with np.load(path) as arrays:
        rate_hz = float(arrays["rate_hz"])
        count = round(REST_S * rate_hz)
        values = np.hstack([arrays["accel_g"][:count], arrays["gyro_deg_s"][:count]])
    t_ns = np.round(np.arange(len(values)) / rate_hz * 1e9).astype(np.int64)
    np.savez(folder / "rest.npz", t_ns=t_ns, values=values)
    imu = {"file": "rest.npz", "unit": "g;deg/s", "frame": _FRAME}
    row = {"imu": imu, "label": "still", "group": path.stem, "split": "test"}
    (folder / MANIFEST).write_bytes(msgspec.json.encode(row) + b"\n")
    return folder / MANIFEST
