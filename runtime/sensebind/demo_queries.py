# SPDX-License-Identifier: Apache-2.0
"""What the senses of a demo find in each other: all questions of a kind, counted, none chosen.

A truth segment stands for a query by the mean of its windows' vectors; an answer is the window of
the largest cosine among those whose truth is known, right if that is the class looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from sensebind.demo import ModalityRun, Segment
    from sensebind.types import Embedding

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found.

    Attributes:
        asked: the segment that the query is about.
        wanted: the class that must be found.
        at_ns: middle of the window that was found.
        found: the class that is true there.
        score: cosine of the query and the window.
    """

    asked: Segment
    wanted: str
    at_ns: int
    found: str
    score: float

    @property
    def right(self) -> bool:
        """Whether the class looked for was found."""
        return self.found == self.wanted


@dataclass(frozen=True, slots=True)
class Question:
    """All queries of one kind.

    Attributes:
        name: what is asked, in words.
        query: name of the run that asks.
        target: name of the run that is searched.
        answers: one per query.
        chance: share of the queries that a window drawn at random answers rightly.
    """

    name: str
    query: str
    target: str
    answers: tuple[Answer, ...]
    chance: float

    @property
    def right(self) -> int:
        """Number of right answers."""
        return sum(answer.right for answer in self.answers)


def find_in(query: ModalityRun, target: ModalityRun) -> Question:
    """Search one sense with another: each segment of `query` among the windows of `target`.

    The two senses were never compared with each other's windows when they were trained, if they
    are not an edge of the binding graph.
    """
    shelf = _Shelf(target)
    asked = [(segment, segment.label, vector) for segment, vector in _segment_vectors(query)]
    return shelf.ask(f"{query.name} finds {target.name}", query.name, asked)


def carry_over(run: ModalityRun, texts: Mapping[str, NDArray[np.float32]]) -> Question:
    """Arithmetic: a thing's vector, less its name, plus another thing's name, finds the other.

    Args:
        run: of a sense; fewer than two classes in its truth leave nothing to ask.
        texts: the vector of each class's name; what has none is passed over.
    """
    segments = [(segment, v) for segment, v in _segment_vectors(run) if segment.label in texts]
    asked = [
        (segment, label, _unit(vector - _unit(texts[segment.label]) + _unit(texts[label])))
        for segment, vector in segments
        for label in dict.fromkeys(other.label for other, _ in segments)
        if label != segment.label
    ]
    name = f"{run.name} - its name + another name finds the other"
    return _Shelf(run).ask(name, run.name, asked)


class _Shelf:
    """The windows of a run of which something is true."""

    def __init__(self, run: ModalityRun) -> None:
        self._name = run.name
        segments = [result.segment for result in run.results]
        known = [(r.embedding, _true_label(r.embedding, segments)) for r in run.records]
        self._windows = [(window, label) for window, label in known if label is not None]
        self._vectors = [window.vector.astype(np.float64) for window, _ in self._windows]

    def ask(self, name: str, query: str, asked: Sequence[tuple[Segment, str, Floats]]) -> Question:
        answers = tuple(self._answer(*one) for one in asked)
        true = [label for _, label in self._windows]
        hits = [true.count(answer.wanted) / len(true) for answer in answers]
        chance = float(np.mean(hits)) if hits else 0.0
        return Question(name, query, self._name, answers, chance)

    def _answer(self, segment: Segment, wanted: str, query: Floats) -> Answer:
        cosines = np.stack(self._vectors) @ query
        best = int(cosines.argmax())
        window, label = self._windows[best]
        at_ns = (window.start_ns + window.end_ns) // 2
        return Answer(segment, wanted, at_ns, label, float(cosines[best]))


def _true_label(window: Embedding, segments: Sequence[Segment]) -> str | None:
    inside = (s for s in segments if s.start_ns <= window.start_ns and window.end_ns <= s.end_ns)
    return next((segment.label for segment in inside), None)


def _segment_vectors(run: ModalityRun) -> list[tuple[Segment, Floats]]:
    """Each truth segment with the mean direction of the windows inside; none without windows."""

    def found() -> Iterator[tuple[Segment, Floats]]:
        for result in run.results:
            inside = [
                record.embedding.vector
                for record in run.records
                if _true_label(record.embedding, [result.segment])
            ]
            if inside:
                yield result.segment, _unit(np.stack(inside).astype(np.float64).mean(axis=0))

    return list(found())


def _unit(vector: NDArray[np.float32] | Floats) -> Floats:
    unit: Floats = np.asarray(vector, np.float64) / np.linalg.norm(vector)
    return unit
