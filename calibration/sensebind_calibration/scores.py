# SPDX-License-Identifier: Apache-2.0
"""From windows of known classes to the section of zero-shot scores.

Windows with labels of two classes and more tell the temperature; windows of no class tell from
which cosine on anything is told at all; all together tell from which on each class is. Windows
without labels tell no temperature: their vectors are as likely under any, and the best class is the
same under all, so nothing can be fitted to them (what is called unsupervised calibration takes its
labels from somewhere else).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensebind.errors import InputError
from sensebind.zero_shot import DEFAULT_TEMPERATURE
from sensebind_calibration.score_fit import (
    Calibratedness,
    TemperatureFit,
    calibratedness,
    cross_fitted,
    fit_temperature,
    reliability,
    share_interval,
    shares,
)
from sensebind_calibration.sense_sections import ReliabilityBin, ScoresSection, Threshold
from sensebind_calibration.thresholds import class_threshold, fewest_negatives, unknown_threshold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from sensebind.calibration.sections import Provenance
    from sensebind_calibration.score_windows import Windows

    Values = NDArray[np.float64]
    Times = NDArray[np.int64]

FEWEST_LABELLED = 20
_FEWEST_CLASSES = 2


def calibrate_scores(
    windows: Windows,
    cosines: Values,
    labels: Sequence[str],
    prompts_sha256: str,
    provenance: Provenance,
    *,
    false_alarms: float = 0.05,
) -> ScoresSection:
    """Temperature and thresholds.

    Args:
        windows: of known classes.
        cosines: float64 (n, classes), of their vectors and the classes' prototypes.
        labels: the classes.
        prompts_sha256: of their prompts.
        provenance: of the windows.
        false_alarms: share of windows without a class that may be told to be of it.

    Raises:
        InputError: if the windows tell nothing, or contradict the scores.
    """
    classes = windows.classes
    known = classes >= 0
    limits = _class_limits(cosines, classes, labels, false_alarms)
    unknown = unknown_threshold(cosines, classes, false_alarms)
    fitted: dict[str, Any] = {"temperature": DEFAULT_TEMPERATURE}
    told = []
    if _tell_a_temperature(classes[known]):
        fitted = _fitted(cosines[known], classes[known])
        told += ["temperature"] if "temperature_interval" in fitted else []
    told += [
        name for name, there in (("thresholds", limits), ("unknown_threshold", unknown)) if there
    ]
    if not told:
        _refuse(classes, false_alarms)
    return ScoresSection(
        provenance=provenance,
        space_id=windows.space_id,
        encoder_id=windows.encoder_id,
        prompts_sha256=prompts_sha256,
        labels=tuple(labels),
        determined=tuple(told),
        thresholds=limits,
        unknown_threshold=unknown,
        windows=len(classes),
        background=int((~known).sum()),
        temperature_before=DEFAULT_TEMPERATURE,
        **fitted,
    )


def doubts(section: ScoresSection, windows: Windows, false_alarms: float) -> Iterator[str]:
    """Sentences on what the windows did not tell."""
    if windows.overlapping:
        yield (
            f"{windows.overlapping} windows overlap others or follow them within --apart, and were "
            "left out: they say the same twice"
        )
    if windows.unlabelled:
        yield f"{windows.unlabelled} windows were left out, for nothing tells their class"
    labelled = section.windows - section.background
    if "temperature" not in section.determined and section.accuracy == 1:
        yield (
            f"all {labelled} windows are labelled right: the temperature is known to be small, but "
            f"not how small, and stays {section.temperature:g}; harder recordings tell it"
        )
    elif "temperature" not in section.determined:
        yield (
            f"{labelled} windows with labels tell no temperature, which stays "
            f"{section.temperature:g}; give at least {FEWEST_LABELLED} that do not overlap, of "
            f"{_FEWEST_CLASSES} classes"
        )
    interval = section.temperature_interval
    if interval is not None and interval[0] < section.temperature_before < interval[1]:
        yield (
            f"the temperature of before, {section.temperature_before:g}, fits the windows as well: "
            "they show no difference from it; more windows may"
        )
    if "unknown_threshold" not in section.determined:
        yield (
            f'{section.background} windows of no class tell no threshold of "unknown" at '
            f"{false_alarms:.1%} false alarms; give at least {fewest_negatives(false_alarms)} "
            "(unknown=FILE.parquet: what is usual where the robot works)"
        )


def _class_limits(
    cosines: Values, classes: Times, labels: Sequence[str], false_alarms: float
) -> dict[str, Threshold]:
    found = {
        label: class_threshold(cosines, classes, place, false_alarms)
        for place, label in enumerate(labels)
    }
    return {label: limit for label, limit in found.items() if limit is not None}


def _tell_a_temperature(classes: Times) -> bool:
    return len(classes) >= FEWEST_LABELLED and len(np.unique(classes)) >= _FEWEST_CLASSES


def _fitted(cosines: Values, classes: Times) -> dict[str, Any]:
    """Fields of the section that windows with labels tell."""
    fit = fit_temperature(cosines, classes)
    right = int((cosines.argmax(axis=1) == classes).sum())
    _check_sense(fit, cosines, classes, right)
    usable = fit.bounded_below and fit.bounded_above
    temperature = fit.value if usable else DEFAULT_TEMPERATURE
    before = shares(cosines, DEFAULT_TEMPERATURE)
    after = cross_fitted(cosines, classes) if usable else before
    errors: tuple[Calibratedness, ...] = tuple(
        calibratedness(scores, classes) for scores in (before, after)
    )
    bins: tuple[ReliabilityBin, ...] = reliability(after, before, classes)
    found: dict[str, Any] = {
        "temperature": temperature,
        "accuracy": right / len(classes),
        "accuracy_interval": share_interval(right, len(classes)),
        "ece_before": errors[0].error,
        "ece_before_interval": errors[0].interval,
        "ece": errors[1].error,
        "ece_interval": errors[1].interval,
        "ece_perfect": errors[1].perfect,
        "reliability": bins,
    }
    return found | ({"temperature_interval": (fit.low, fit.high)} if usable else {})


def _check_sense(fit: TemperatureFit, cosines: Values, classes: Times, right: int) -> None:
    """Refuse scores that have nothing to do with the labels."""
    if not fit.bounded_above:
        raise InputError(
            f"the scores tell nothing of the labels: {right} of {len(classes)} windows are "
            f"labelled right, by chance {len(classes) / cosines.shape[1]:.0f} would be; are the "
            "labels those of these recordings, and do the prompts describe what is heard or seen?"
        )


def _refuse(classes: Times, false_alarms: float) -> None:
    labelled, present = int((classes >= 0).sum()), len(np.unique(classes[classes >= 0]))
    raise InputError(
        f"{labelled} windows with labels of {present} classes and {len(classes) - labelled} of no "
        f"class were given, too few to tell anything: a temperature takes {FEWEST_LABELLED} of "
        f"{_FEWEST_CLASSES} classes, a threshold at {false_alarms:.1%} false alarms takes "
        f"{fewest_negatives(false_alarms)} without the class; all of them must not overlap"
    )
