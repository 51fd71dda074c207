# SPDX-License-Identifier: Apache-2.0
"""From embeddings to records: with prompts, each gets its scores and a label.

The label of a stream may be smoothed over time, held against small differences, and withheld where
no class fits. All of this depends on the embeddings and their order alone, so a replay of a
recorded run labels as the run did.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from sensebind.errors import ConfigError, InputError
from sensebind.grid import NS_PER_S, nanoseconds
from sensebind.records import UNKNOWN, Record
from sensebind.zero_shot import ZeroShot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.calibration.sections import ScoresSection
    from sensebind.types import Embedding

Smoothing = Literal["none", "exponential", "majority"]


class LabelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a stream's label is given, changed and withheld.

    Attributes:
        min_score: least share of the best class; below, the label is "unknown".
        min_cosine: least cosine of the best class's prototype; below, the label is "unknown". None
            for no limit.
        smoothing: "none" labels each window by itself; "exponential" averages the scores with a
            weight that falls by e per `smoothing_s`; "majority" takes the most frequent label of
            the last `smoothing_s`.
        smoothing_s: time over which `smoothing` averages scores or counts votes; without effect
            where `smoothing` is "none".
        margin: another label takes over when its (smoothed) score, or its share of the votes,
            exceeds the present one's by more than this; "unknown" is left at `min_score` + margin.
    """

    min_score: Annotated[float, Meta(ge=0, le=1)] = 0.0
    min_cosine: Annotated[float, Meta(ge=-1, le=1)] | None = None
    smoothing: Smoothing = "none"
    smoothing_s: Annotated[float, Meta(gt=0, le=3600)] = 2.0
    margin: Annotated[float, Meta(ge=0, le=1)] = 0.0

    @property
    def can_withhold(self) -> bool:
        """Whether windows may be labelled "unknown"."""
        return self.min_score > 0 or self.min_cosine is not None


EACH_BY_ITSELF = LabelConfig()


def labelled(embedding: Embedding, classes: ZeroShot | None) -> Record:
    """The record of one embedding by itself; without `classes` it has no label.

    Raises:
        InputError: if the vector is not of the classes' dimension.
    """
    if classes is None:
        return Record(embedding)
    scores = classes.scores(embedding.vector)
    return Record(embedding, classes.labels[int(scores.argmax())], scores)


class Labeller:
    """Labels the embeddings of a run by the prompts in use, which may change at any time.

    One thread labels; any may call `add` and `use`. A change is complete with the next record: its
    scores and label are of one set, and it says of which.

    Attributes:
        config: when labels are given, changed and withheld.
        calibrated: what scores are worth, by stream.
    """

    def __init__(
        self,
        prompts: ZeroShot | Mapping[str, ZeroShot] | None,
        config: LabelConfig = EACH_BY_ITSELF,
        calibrated: Mapping[str, ScoresSection] | None = None,
    ) -> None:
        """Begin with one set of prompts, or several by name of which the first is in use, or none.

        Args:
            prompts: see above.
            config: when labels are given.
            calibrated: what scores are worth, by stream; it applies to the prompts that it was
                found with, and its temperature and cosines go before those of others.

        Raises:
            ConfigError: if a class is called "unknown" and labels may be withheld.
        """
        self.config = config
        self.calibrated = dict(calibrated or {})
        self._sets: dict[str, ZeroShot] = {}
        self._in_use: tuple[str, ZeroShot] | None = None
        self._streams: dict[str, _Evidence] = {}
        for name, classes in prompts.items() if isinstance(prompts, Mapping) else ():
            self.add(name, classes)
        if isinstance(prompts, ZeroShot):
            self.add("", prompts)
        if self._sets:
            self.use(next(iter(self._sets)))

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes of all sets, each once: the order of records' scores."""
        return tuple(dict.fromkeys(label for s in self._sets.values() for label in s.labels))

    @property
    def prompt_sets(self) -> dict[str, tuple[str, ...]]:
        """Labels of each set by its name, for the metadata of a run; empty if there is one only."""
        if set(self._sets) <= {""}:
            return {}
        return {name: classes.labels for name, classes in self._sets.items()}

    @property
    def in_use(self) -> str:
        """Name of the set in use."""
        return self._in_use[0] if self._in_use else ""

    def add(self, name: str, classes: ZeroShot) -> None:
        """Give another set of prompts, or replace one; it is not used before `use`.

        A file takes records of those sets only that were there when it was begun.

        Raises:
            ConfigError: if a class is called "unknown" and labels may be withheld.
        """
        withheld = self.config.can_withhold or any(
            known.thresholds or known.unknown_threshold for known in self.calibrated.values()
        )
        if withheld and UNKNOWN in classes.labels:
            raise ConfigError(
                f"a class is called {UNKNOWN!r}, which is the label of what no class fits; give "
                "the class another name, or leave out min_score, min_cosine and thresholds"
            )
        self._sets = {**self._sets, name: classes}

    def use(self, name: str) -> None:
        """Label by this set from the next record on.

        Raises:
            InputError: if there is none of this name, naming those there are.
        """
        classes = self._sets.get(name)
        if classes is None:
            known = ", ".join(map(repr, self._sets)) or "none"
            raise InputError(f"no prompt set {name!r}; there are: {known}")
        self._in_use = name, classes

    def record(self, embedding: Embedding, members: tuple[str, ...] = ()) -> Record:
        """The record of the run's next embedding; `members` are those of a joint one.

        Raises:
            InputError: if the vector is not of the prompts' dimension.
        """
        in_use = self._in_use
        if in_use is None:
            return Record(embedding, members=members)
        name, classes = in_use
        cosines = classes.cosines(embedding.vector)
        known = self.calibrated.get(embedding.stream)
        if known is not None and known.prompts_sha256 != classes.prompts_sha256:
            known = None
        scores = classes.shares(cosines, None if known is None else known.temperature)
        evidence = self._streams.get(embedding.stream)
        if evidence is None or evidence.does_not_go_on(classes, embedding.grid_ns):
            least = _least_cosines(classes, self.config, known)
            evidence = _Evidence(classes, embedding.grid_ns, least)
            self._streams[embedding.stream] = evidence
        shown = evidence.add(embedding.grid_ns, cosines, scores, self.config)
        label = UNKNOWN if shown == _NO_CLASS else classes.labels[shown]
        return Record(embedding, label, self._spread(classes, scores), name, members)

    def _spread(self, classes: ZeroShot, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores in the order of `labels`, NaN for other sets' classes."""
        labels = self.labels
        if labels == classes.labels:
            return scores
        known = dict(zip(classes.labels, scores, strict=True))
        return np.array([known.get(label, np.nan) for label in labels], np.float32)


_NO_CLASS = -1


class _Evidence:
    """What speaks for the classes in one stream so far."""

    def __init__(self, classes: ZeroShot, grid_ns: int, least_cosines: NDArray[np.float64]) -> None:
        self._classes = classes
        self._least_cosines = least_cosines
        self._newest_ns = grid_ns
        self._shown: int | None = None
        self._scores: NDArray[np.float64] | None = None
        self._cosines: NDArray[np.float64] | None = None
        self._votes: deque[tuple[int, int]] = deque()

    def does_not_go_on(self, classes: ZeroShot, grid_ns: int) -> bool:
        """Whether other prompts are in use now, or the stream's clock was set back."""
        return classes is not self._classes or grid_ns < self._newest_ns

    def add(
        self,
        grid_ns: int,
        cosines: NDArray[np.float64],
        scores: NDArray[np.float32],
        config: LabelConfig,
    ) -> int:
        """Take a window's cosines and scores (classes,); the class to show, or _NO_CLASS."""
        since_s = (grid_ns - self._newest_ns) / NS_PER_S
        self._newest_ns = grid_ns
        if config.smoothing == "majority":
            best = int(scores.argmax())
            sure = self._is_sure(best, scores, cosines, config.min_score)
            self._shown = self._elected(grid_ns, best if sure else _NO_CLASS, config)
            return self._shown
        weight = 1.0
        if config.smoothing == "exponential" and self._scores is not None:
            weight = -math.expm1(-since_s / config.smoothing_s)
        self._scores = _moved(self._scores, scores, weight)
        self._cosines = _moved(self._cosines, cosines, weight)
        self._shown = self._strongest(self._scores, self._cosines, config)
        return self._shown

    def _strongest(
        self, scores: NDArray[np.float64], cosines: NDArray[np.float64], config: LabelConfig
    ) -> int:
        """The class shown so far, if none is stronger by the margin; else the strongest."""
        shown, best = self._shown, int(scores.argmax())
        if shown is None or shown == _NO_CLASS:
            least = config.min_score + (config.margin if shown == _NO_CLASS else 0.0)
            return best if self._is_sure(best, scores, cosines, least) else _NO_CLASS
        holds = scores[best] <= scores[shown] + config.margin
        for candidate in (shown, best) if holds else (best,):
            if self._is_sure(candidate, scores, cosines, config.min_score):
                return candidate
        return _NO_CLASS

    def _is_sure(
        self,
        candidate: int,
        scores: NDArray[np.floating],
        cosines: NDArray[np.float64],
        least: float,
    ) -> bool:
        near = bool(cosines[candidate] >= self._least_cosines[candidate])
        return near and bool(scores[candidate] >= min(least, 1.0))

    def _elected(self, grid_ns: int, vote: int, config: LabelConfig) -> int:
        """The label with most votes of late; the one shown so far stays while the margin holds."""
        votes, shown = self._votes, self._shown
        votes.append((grid_ns, vote))
        while votes[0][0] <= grid_ns - nanoseconds(config.smoothing_s):
            votes.popleft()
        counts = Counter(vote for _, vote in reversed(votes))  # of equals, the newest comes first
        best, count = counts.most_common(1)[0]
        if shown is not None and count <= counts[shown] + config.margin * len(votes):
            return shown
        return best


def _moved(
    mean: NDArray[np.float64] | None, values: NDArray[np.floating], weight: float
) -> NDArray[np.float64]:
    if mean is None:
        return values.astype(np.float64)
    return mean + weight * (values.astype(np.float64) - mean)


def _least_cosines(
    classes: ZeroShot, config: LabelConfig, known: ScoresSection | None
) -> NDArray[np.float64]:
    """Least cosine (classes,) at which each class is told."""
    least = np.full(
        len(classes.labels), -np.inf if config.min_cosine is None else config.min_cosine
    )
    if known is not None and known.unknown_threshold is not None:
        least[:] = known.unknown_threshold.cosine
    for label, threshold in known.thresholds.items() if known is not None else ():
        place = classes.labels.index(label)
        least[place] = max(least[place], threshold.cosine)
    return least
