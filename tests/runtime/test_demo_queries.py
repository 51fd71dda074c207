# SPDX-License-Identifier: Apache-2.0
"""What one sense finds in another, and arithmetic: counted over all queries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sensebind.demo import ModalityRun, Segment, SegmentResult
from sensebind.demo_queries import carry_over, find_in
from sensebind.records import Record
from sensebind.types import Modality
from tests.support.records import record, run_metadata
from tests.support.spaces import classes

AXES = np.eye(8, dtype=np.float32)
LABELS = ("cat", "dog")


def window(start_ns: int, vector: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Record:
    made = record()
    unit = vector / np.linalg.norm(vector)
    embedding = replace(made.embedding, start_ns=start_ns, end_ns=start_ns + 10, vector=unit)
    return Record(embedding)


def run(
    modality: Modality, *vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> ModalityRun:
    """Windows of 10 ns, one after the other: the first shows a cat, the second a dog."""
    segments = [
        Segment(start_ns=20 * k, end_ns=20 * k + 10, modality=modality, label=label)
        for k, label in enumerate(LABELS)
    ]
    return ModalityRun(
        modality.value,
        modality,
        "simulated",
        "emergent",
        classes(*LABELS),
        run_metadata(),
        [window(20 * k, vector) for k, vector in enumerate(vectors)],
        [SegmentResult(segment, 1, segment.label, 1.0) for segment in segments],
    )


def test_each_segment_asks_and_the_nearest_known_window_answers() -> None:
    seen = run(Modality.VISION, AXES[0], AXES[1], AXES[2] + AXES[3])
    warm = run(Modality.THERMAL, AXES[0] + 0.5 * AXES[1], AXES[0] + 0.4 * AXES[1])
    found = find_in(warm, seen)
    assert (found.name, found.query, found.target) == ("thermal finds vision", "thermal", "vision")
    assert [(a.wanted, a.found) for a in found.answers] == [("cat", "cat"), ("dog", "cat")]
    assert found.answers[0].score == pytest.approx(1 / np.sqrt(1.25))
    assert found.answers[0].at_ns == 5
    assert (found.right, found.chance) == (1, 0.5)


def test_windows_without_a_truth_are_no_answers() -> None:
    seen = run(Modality.VISION, AXES[0], AXES[1], AXES[5])  # the third is in no segment
    warm = run(Modality.THERMAL, AXES[5] + 0.1 * AXES[0], AXES[5] + 0.1 * AXES[1])
    assert find_in(warm, seen).right == 2


def test_arithmetic_carries_a_thing_over_to_another_name() -> None:
    place = AXES[4]
    seen = run(Modality.VISION, AXES[0] + 0.3 * place, AXES[1] + 0.3 * place)
    names = {"cat": AXES[0], "dog": AXES[1]}
    found = carry_over(seen, names)
    assert [(a.asked.label, a.found) for a in found.answers] == [("cat", "dog"), ("dog", "cat")]
    assert found.right == 2
    swapped = carry_over(seen, {"cat": AXES[1], "dog": AXES[0]})
    assert swapped.right == 0


def test_a_thing_without_a_name_is_passed_over() -> None:
    seen = run(Modality.VISION, AXES[0], AXES[1])
    assert carry_over(seen, {"cat": AXES[0]}).answers == ()
