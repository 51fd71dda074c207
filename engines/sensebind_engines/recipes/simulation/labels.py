# SPDX-License-Identifier: Apache-2.0
"""Which class a window of a run belongs to: the script's intent, confirmed by measurement.

Every rule reads the simulation's truth (no sensor errors, no drive vibration) inside the window:

* still: on the ground, moving by less than 2 cm and turning by less than 2 degrees.
* smooth, rough: at least 15 cm/s on average, on a path of at least 20 cm radius; which of the two
  is the RMS of the vertical specific force about its mean, below 40 Hz: from 0.5 m/s^2 on it is
  rough. That is where ISO 2631-1's "fairly uncomfortable" begins (without its weighting, which
  falls from 12 Hz on); 40 Hz is what the slowest IMU passes.
* spin: turning by at least 0.4 rad/s on average, on a path of less than 20 cm radius.
* bump: the chassis is pushed with at least 20 N, between 0.3 s after the start and 0.2 s before
  the end.
* fallen: on the ground, tilted by more than 60 degrees at the end.
* carried, shaken: touching nothing for at least 90 % of the window.

No window is left out for lying near a threshold; what is left out does not do what its script
says, such as a collision without a push. All of it was fixed before any model was trained.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import butter, sosfiltfilt

from sensebind_engines.recipes.simulation.mjcf import PHYSICS_HZ

if TYPE_CHECKING:
    from sensebind_engines.recipes.simulation.log import SimLog

CLASSES = ("still", "smooth", "rough", "spin", "bump", "fallen", "carried")
UNSEEN_CLASS = "shaken"
DRIVE = "drive"
"""Intent of driving behaviours: the measured ride decides between smooth and rough."""

ROUGH_MIN_M_S2 = 0.5
RIDE_BAND_HZ = 40.0
_RIDE_FILTER = butter(2, RIDE_BAND_HZ, fs=PHYSICS_HZ, output="sos")
_STILL_MAX_M = 0.02
_STILL_MAX_RAD = math.radians(2.0)
_DRIVE_MIN_M_S = 0.15
_TURN_MIN_RAD_S = 0.4
_SPIN_MAX_RADIUS_M = 0.2
BUMP_MIN_N = 20.0
_IMPACT_MARGINS_S = (0.3, 0.2)
_FALLEN_MAX_UP = 0.5
_AIRBORNE_MIN = 0.9


def vertical_vibration_m_s2(log: SimLog, start_s: float, end_s: float) -> float:
    """RMS of the specific force along the body's z axis about its mean, below 40 Hz, m/s^2."""
    force = log.motion[_rows(start_s, end_s), 2]
    return float(sosfiltfilt(_RIDE_FILTER, force).std())


def window_label(log: SimLog, intent: str, start_s: float, end_s: float) -> str:
    """Class of the window [start_s, end_s) of a behaviour meant as `intent`.

    Args:
        log: the run.
        intent: a class, or `DRIVE`.
        start_s: start of the window in the run.
        end_s: its end.

    Returns:
        The class, or '' if the measurement does not confirm the intent.
    """
    if intent == DRIVE:
        return _ride(log, start_s, end_s)
    confirmed = _CONFIRM[intent](log, start_s, end_s)
    return intent if confirmed else ""


def _rows(start_s: float, end_s: float) -> slice:
    return slice(round(start_s * PHYSICS_HZ), round(end_s * PHYSICS_HZ))


def _ride(log: SimLog, start_s: float, end_s: float) -> str:
    speed_m_s, turn_rad_s = _pace(log, start_s, end_s)
    if speed_m_s < max(_DRIVE_MIN_M_S, _SPIN_MAX_RADIUS_M * turn_rad_s):
        return ""
    is_rough = vertical_vibration_m_s2(log, start_s, end_s) >= ROUGH_MIN_M_S2
    return "rough" if is_rough else "smooth"


def _pace(log: SimLog, start_s: float, end_s: float) -> tuple[float, float]:
    """Mean speed over ground, m/s, and mean turning rate, rad/s without its sign."""
    rows = _rows(start_s, end_s)
    speed_m_s = np.linalg.norm(log.velocity_m_s[rows, :2], axis=1).mean()
    return float(speed_m_s), float(abs(log.motion[rows, 5].mean()))


def _is_still(log: SimLog, start_s: float, end_s: float) -> bool:
    rows = _rows(start_s, end_s)
    moved_m = np.ptp(log.position_m[rows], axis=0).max()
    turned_rad = np.abs(np.cumsum(log.motion[rows, 3:], axis=0)).max() / PHYSICS_HZ
    rests = moved_m < _STILL_MAX_M and turned_rad < _STILL_MAX_RAD
    return bool(rests and not log.airborne[rows].any())


def _is_spin(log: SimLog, start_s: float, end_s: float) -> bool:
    speed_m_s, turn_rad_s = _pace(log, start_s, end_s)
    return turn_rad_s >= _TURN_MIN_RAD_S and speed_m_s < _SPIN_MAX_RADIUS_M * turn_rad_s


def _is_bump(log: SimLog, start_s: float, end_s: float) -> bool:
    rows = _rows(start_s + _IMPACT_MARGINS_S[0], end_s - _IMPACT_MARGINS_S[1])
    return bool(log.contact_n[rows, 0].max() >= BUMP_MIN_N)


def _is_fallen(log: SimLog, start_s: float, end_s: float) -> bool:
    rows = _rows(start_s, end_s)
    return bool(log.up[rows][-1, 2] < _FALLEN_MAX_UP and not log.airborne[rows][-1])


def _is_in_the_air(log: SimLog, start_s: float, end_s: float) -> bool:
    return bool(log.airborne[_rows(start_s, end_s)].mean() >= _AIRBORNE_MIN)


_CONFIRM = {
    "still": _is_still,
    "spin": _is_spin,
    "bump": _is_bump,
    "fallen": _is_fallen,
    "carried": _is_in_the_air,
    UNSEEN_CLASS: _is_in_the_air,
}
