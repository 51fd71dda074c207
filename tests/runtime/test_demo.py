# SPDX-License-Identifier: Apache-2.0
"""Comparing labels with the truth, and the shipped demo's accuracy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

import sensebind as sb
from sensebind.demo import (
    Segment,
    Truth,
    binding_of,
    evaluate_truth,
    read_prompts,
    read_truth,
)
from sensebind.errors import BundleError, InputError
from sensebind.manifest import EdgeSpec
from sensebind.types import Modality
from tests.support.records import record

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.records import Record

LABELS = ("still", "rough", "spin")
IMU = Modality.IMU


def window(start_ns: int, end_ns: int, scores: list[float], modality: Modality = IMU) -> Record:
    made = record(0, scores=scores, labels=LABELS, modality=modality)
    return replace(made, embedding=replace(made.embedding, start_ns=start_ns, end_ns=end_ns))


def segment(start_ns: int, end_ns: int, label: str, modality: Modality = IMU) -> Segment:
    return Segment(start_ns=start_ns, end_ns=end_ns, modality=modality, label=label)


def test_a_segment_gets_the_class_of_highest_mean_score() -> None:
    records = [
        window(0, 10, [0.6, 0.4, 0.0]),
        window(5, 15, [0.6, 0.4, 0.0]),
        window(10, 20, [0.0, 1.0, 0.0]),
    ]
    (result,) = evaluate_truth(records, [segment(0, 20, "rough")], IMU, LABELS)
    assert (result.label, result.windows, result.right) == ("rough", 3, True)
    assert result.score == pytest.approx(0.6)


def test_only_windows_fully_inside_count() -> None:
    inside, before, after = [1.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]
    records = [window(9, 15, before), window(10, 20, inside), window(15, 21, after)]
    (result,) = evaluate_truth(records, [segment(10, 20, "still")], IMU, LABELS)
    assert (result.label, result.windows) == ("still", 1)


def test_a_segment_without_windows_is_not_right() -> None:
    (result,) = evaluate_truth([], [segment(0, 20, "rough")], IMU, LABELS)
    assert (result.label, result.windows, result.right) == (None, 0, False)


def test_modalities_are_apart_and_results_in_order_of_time() -> None:
    records = [
        window(0, 10, [1.0, 0.0, 0.0]),
        window(0, 10, [0.0, 1.0, 0.0], Modality.VISION),
        window(10, 20, [0.0, 0.0, 1.0]),
    ]
    truth = [
        segment(10, 20, "spin"),
        segment(0, 10, "still"),
        segment(0, 10, "rough", Modality.VISION),
    ]
    assert [r.label for r in evaluate_truth(records, truth, IMU, LABELS)] == ["still", "spin"]
    assert [r.right for r in evaluate_truth(records, truth, Modality.VISION, LABELS)] == [True]


def test_binding_is_read_from_the_graph(bundle_folder: Path) -> None:
    with sb.Bundle.load(bundle_folder) as bundle:
        manifest = bundle.manifest

    def bound(*edges: tuple[Modality, Modality, bool]) -> str:
        graph = tuple(
            EdgeSpec(source=source, target=target, loss="infonce", trained=trained)
            for source, target, trained in edges
        )
        return binding_of(msgspec.structs.replace(manifest, binding_graph=graph), IMU)

    assert binding_of(manifest, Modality.VISION) == "anchor"
    assert bound((IMU, Modality.TEXT, True)) == "text-bound"
    assert bound((Modality.TEXT, IMU, True)) == "text-bound"
    assert bound((IMU, Modality.VISION, True), (IMU, Modality.TEXT, False)) == "emergent"
    assert bound((IMU, Modality.TEXT, False)) == "unbound"


def test_a_bad_truth_is_named(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    with pytest.raises(InputError, match=r"cannot read the truth .*truth\.json: .*No such file"):
        read_truth(path)
    path.write_text('{"nature": "real", "segments": [{"start_ns": "soon"}]}')
    with pytest.raises(InputError, match=r"truth\.json: .*start_ns"):
        read_truth(path)


def test_truth_keeps_what_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    row = {"start_ns": 1, "end_ns": 2, "modality": "imu", "label": "still", "extra": 3}
    path.write_bytes(msgspec.json.encode({"nature": "real", "segments": [row], "more": {}}))
    assert read_truth(path) == Truth(nature="real", segments=(segment(1, 2, "still"),))


def test_a_bundle_without_prompts_is_refused(bundle_folder: Path) -> None:
    with (
        sb.Bundle.load(bundle_folder) as bundle,
        pytest.raises(BundleError, match=r"'prompts\.json' is not listed"),
    ):
        read_prompts(bundle)
