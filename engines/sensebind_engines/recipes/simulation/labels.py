# SPDX-License-Identifier: Apache-2.0
"""Which class a window of a run belongs to: the script's intent, confirmed by measurement.

Every rule reads the simulation's truth (no sensor errors, no drive vibration) inside the window:

* still: no faster than 2 cm/s anywhere.
* smooth, rough: at least 15 cm/s on average and turning by less than 0.8 rad/s on average; which
  of the two is the RMS of the vertical specific force about its mean. At most 0.315 m/s^2 is
  smooth, at least 0.63 m/s^2 is rough: the bounds of ISO 2631-1's "not uncomfortable" and of its
  band "a little uncomfortable" (unweighted here). Between them lies `BORDERLINE`.
* spin: turning by at least 0.8 rad/s on average while moving less than 30 cm.
* bump: an impact of the chassis between 0.3 s after the start and 0.2 s before the end.
* fallen: tilted by more than 60 degrees at the end.
* carried, shaken: touching nothing for at least 90 % of the window.

The thresholds were fixed before any model was trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind_engines.recipes.simulation.mjcf import PHYSICS_HZ

if TYPE_CHECKING:
    from sensebind_engines.recipes.simulation.log import SimLog

CLASSES = ("still", "smooth", "rough", "spin", "bump", "fallen", "carried")
UNSEEN_CLASS = "shaken"
BORDERLINE = "borderline"
DRIVE = "drive"
"""Intent of driving behaviours: the measured ride decides between smooth, rough, BORDERLINE."""

SMOOTH_MAX_M_S2 = 0.315
ROUGH_MIN_M_S2 = 0.63
_STILL_MAX_M_S = 0.02
_DRIVE_MIN_M_S = 0.15
_TURN_RAD_S = 0.8
_SPIN_MAX_TRAVEL_M = 0.3
_IMPACT_MARGINS_S = (0.3, 0.2)
_FALLEN_MAX_UP = 0.5
_AIRBORNE_MIN = 0.9


def vertical_vibration_m_s2(log: SimLog, start_s: float, end_s: float) -> float:
    """RMS of the specific force along the body's z axis about its mean, m/s^2."""
    return float(log.motion[_rows(start_s, end_s), 2].std())


def window_label(log: SimLog, intent: str, start_s: float, end_s: float) -> str:
    """Class of the window [start_s, end_s) of a behaviour meant as `intent`.

    Args:
        log: the run.
        intent: a class, or `DRIVE`.
        start_s: start of the window in the run.
        end_s: its end.

    Returns:
        The class, `BORDERLINE`, or '' if the measurement does not confirm the intent.
    """
    if intent == DRIVE:
        return _ride(log, start_s, end_s)
    confirmed = _CONFIRM[intent](log, start_s, end_s)
    return intent if confirmed else ""


def _rows(start_s: float, end_s: float) -> slice:
    return slice(round(start_s * PHYSICS_HZ), round(end_s * PHYSICS_HZ))


def _ride(log: SimLog, start_s: float, end_s: float) -> str:
    rows = _rows(start_s, end_s)
    speed_m_s = np.linalg.norm(log.velocity_m_s[rows, :2], axis=1).mean()
    turn_rad_s = abs(log.motion[rows, 5].mean())
    if speed_m_s < _DRIVE_MIN_M_S or turn_rad_s > _TURN_RAD_S:
        return ""
    vibration = vertical_vibration_m_s2(log, start_s, end_s)
    if vibration <= SMOOTH_MAX_M_S2:
        return "smooth"
    return "rough" if vibration >= ROUGH_MIN_M_S2 else BORDERLINE


def _is_still(log: SimLog, start_s: float, end_s: float) -> bool:
    velocity = log.velocity_m_s[_rows(start_s, end_s)]
    return bool(np.linalg.norm(velocity, axis=1).max() < _STILL_MAX_M_S)


def _is_spin(log: SimLog, start_s: float, end_s: float) -> bool:
    rows = _rows(start_s, end_s)
    travel = log.position_m[rows][-1, :2] - log.position_m[rows][0, :2]
    turning = abs(log.motion[rows, 5].mean()) >= _TURN_RAD_S
    return bool(turning and np.linalg.norm(travel) < _SPIN_MAX_TRAVEL_M)


def _is_bump(log: SimLog, start_s: float, end_s: float) -> bool:
    begin_s, stop_s = start_s + _IMPACT_MARGINS_S[0], end_s - _IMPACT_MARGINS_S[1]
    return any(begin_s <= impact.time_s < stop_s for impact in log.impacts)


def _is_fallen(log: SimLog, start_s: float, end_s: float) -> bool:
    return bool(log.up[_rows(start_s, end_s)][-1, 2] < _FALLEN_MAX_UP)


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
