# SPDX-License-Identifier: Apache-2.0
"""From right and wrong answers to a `Measurement` with its intervals.

Windows of one object, clip or episode are not independent, so whole groups are drawn; so are the
training seeds. A baseline answers the same queries, so its difference is drawn in pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensebind_engines.recipes.figures import ClassRow, ClassTable, Interval, Measurement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.95
_SEED = 0


def measured(
    credit: NDArray[Any],
    groups: NDArray[Any],
    truth: NDArray[Any] | None = None,
    baseline_credit: NDArray[Any] | None = None,
    **told: Any,  # noqa: ANN401 -- the other fields of Measurement, which checks nothing here
) -> Measurement:
    """A measurement from what each seed's encoder got right.

    Args:
        credit: (seeds, n) 1 where right, 0 where wrong, or any share of it.
        groups: (n,) which queries belong together: any comparable values.
        truth: (n,) classes; with them the figure is balanced: the mean over the classes.
        baseline_credit: (n,) of the baseline on the same queries; gives `difference`.
        told: `name`, `measure`, `split`, `nature`, `seen`, `group_kind`, `classes`, `chance`,
            `seeds` and, where there are such, `baseline`, `ceiling`, `note`.
    """
    rows = np.atleast_2d(np.asarray(credit, dtype=np.float64))
    names, group = np.unique(groups, return_inverse=True)
    classes = np.zeros(len(group), dtype=np.int64)
    if truth is not None:
        classes = np.unique(truth, return_inverse=True)[1].astype(np.int64)
    values = [balanced(row, classes) for row in rows]
    interval, difference = _intervals(rows, group, classes, baseline_credit)
    return Measurement(
        n=len(group),
        groups=len(names),
        values=tuple(values),
        mean=float(np.mean(values)),
        interval=interval,
        difference=difference,
        **told,
    )


def balanced(credit: NDArray[Any], classes: NDArray[np.int64]) -> float:
    """Mean over the classes (numbered from 0, each there) of the mean credit (n,) of theirs."""
    return float(np.mean(np.bincount(classes, credit) / np.bincount(classes)))


def class_table(
    split: str,
    truth: Sequence[str] | NDArray[Any],
    said: Sequence[NDArray[Any]],
    groups: NDArray[Any],
    baseline_said: NDArray[Any] | None = None,
) -> ClassTable:
    """Recall per class.

    Args:
        split: which data.
        truth: (n,) labels.
        said: (n,) labels per seed, the shipped encoder's first.
        groups: (n,) which queries belong together.
        baseline_said: (n,) labels of the baseline.
    """
    names = np.asarray(truth)
    rows = []
    for label in sorted(set(names.tolist())):
        own = names == label
        wrong = [str(x) for x in np.asarray(said[0])[own] if x != label]
        # The most frequent one; of equally frequent ones the first by name.
        mistaken = max(sorted(set(wrong)), key=wrong.count, default="")
        baseline = None
        if baseline_said is not None:
            baseline = float((np.asarray(baseline_said)[own] == label).mean())
        rows.append(
            ClassRow(
                label=label,
                n=int(own.sum()),
                groups=len(np.unique(np.asarray(groups)[own])),
                recall=float(np.mean([(np.asarray(one)[own] == label).mean() for one in said])),
                mistaken_for=mistaken,
                baseline=baseline,
            )
        )
    return ClassTable(split=split, rows=tuple(rows))


def _intervals(
    rows: Floats,
    group: NDArray[np.int64],
    classes: NDArray[np.int64],
    baseline: NDArray[Any] | None,
) -> tuple[Interval | None, Interval | None]:
    """Intervals of the mean over the seeds and of its difference to the baseline."""
    count, kinds = int(group.max()) + 1, int(classes.max()) + 1
    if count < 2:
        return None, None
    place = group * kinds + classes
    sizes = np.bincount(place, minlength=count * kinds).reshape(count, kinds).astype(np.float64)
    sums = np.stack([_sums(row, place, count, kinds) for row in rows])
    own = None if baseline is None else _sums(np.asarray(baseline, float), place, count, kinds)
    rng = np.random.default_rng(_SEED)
    means, differences = [], []
    for _ in range(RESAMPLES):
        weights = rng.multinomial(count, np.full(count, 1 / count)).astype(np.float64)
        drawn = rng.integers(len(rows), size=len(rows))
        there = weights @ sizes
        mean = float(np.mean([_ratio(weights @ sums[seed], there) for seed in drawn]))
        means.append(mean)
        if own is not None:
            differences.append(mean - _ratio(weights @ own, there))
    return _interval(means), _interval(differences) if differences else None


def _sums(credit: Floats, place: NDArray[np.int64], count: int, kinds: int) -> Floats:
    sums: Floats = np.bincount(place, credit, count * kinds).astype(np.float64)
    return sums.reshape(count, kinds)


def _ratio(sums: Floats, sizes: Floats) -> float:
    """Mean over the classes of which the draw holds something."""
    there = sizes > 0
    return float(np.mean(sums[there] / sizes[there]))


def _interval(values: list[float]) -> Interval:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return Interval(low=float(low), high=float(high))
