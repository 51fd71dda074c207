# SPDX-License-Identifier: Apache-2.0
"""Least cosines by the false alarms that are borne, from windows that are none of the class.

Of n such windows the j-th largest cosine is exceeded by another one with a probability of j / (n +
1) on average, however they are distributed; from calibration to calibration it follows a beta
distribution (Vovk, Gammerman, Shafer: "Algorithmic learning in a random world", 2005, for windows
that do not depend on each other).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta

from sensebind_calibration.score_fit import CONFIDENCE, share_interval
from sensebind_calibration.sense_sections import Threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]
    Times = NDArray[np.int64]

_NEVER = -2.0  # below every cosine


def fewest_negatives(false_alarms: float) -> int:
    """Windows that are needed to tell a threshold for a share of false alarms."""
    return math.ceil(1 / false_alarms - 1 - 1e-9)


def unknown_threshold(cosines: Values, classes: Times, false_alarms: float) -> Threshold | None:
    """Least cosine of the best class, from windows of no class; None if there are too few.

    Args:
        cosines: float64 (n, classes).
        classes: int64 (n,), below 0 for windows of no class.
        false_alarms: share of windows of no class that may be told to be of one.
    """
    best = cosines.max(axis=1)
    return _threshold(best[classes < 0], best[classes >= 0], false_alarms)


def class_threshold(
    cosines: Values, classes: Times, place: int, false_alarms: float
) -> Threshold | None:
    """Least cosine of a class, from the windows that are not of it.

    Args:
        cosines: float64 (n, classes).
        classes: int64 (n,), below 0 for windows of no class.
        place: of the class.
        false_alarms: share of the windows without the class that may be told to be of it.

    Returns:
        None if there are too few windows without it, or it need not be limited: the class is the
        best one in no more of them than may be.
    """
    told = np.where(cosines.argmax(axis=1) == place, cosines[:, place], _NEVER)
    found = _threshold(told[classes != place], told[classes == place], false_alarms)
    return None if found is None or found.cosine <= -1 else found


def _threshold(negatives: Values, positives: Values, false_alarms: float) -> Threshold | None:
    count = len(negatives)
    place = math.floor(false_alarms * (count + 1) + 1e-9)
    if place < 1:
        return None
    # Just above the place-th largest, which is then no alarm itself.
    cosine = float(np.nextafter(np.sort(negatives)[-place], 2.0))
    tail = (1 - CONFIDENCE) / 2
    low, high = beta.ppf([tail, 1 - tail], place, count + 1 - place)
    reached = int((positives >= cosine).sum())
    return Threshold(
        cosine=min(max(cosine, -1.0), 1.0),
        false_alarms=place / (count + 1),
        false_alarms_interval=(float(low), float(high)),
        negatives=count,
        found=reached / len(positives) if len(positives) else None,
        found_interval=share_interval(reached, len(positives)) if len(positives) else None,
    )
