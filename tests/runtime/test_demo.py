# SPDX-License-Identifier: Apache-2.0
"""Comparing labels with the truth, and the shipped demo's accuracy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np
import pytest

import sensebind as sb
from sensebind.demo import (
    RECORDING_NAME,
    TRUTH_NAME,
    ModalityRun,
    Segment,
    Truth,
    binding_of,
    evaluate_truth,
    read_prompts,
    read_truth,
    run_clips,
    run_demo,
    stream_configs,
)
from sensebind.demo_queries import find_in
from sensebind.errors import BundleError, InputError
from sensebind.labelling import labelled
from sensebind.manifest import EdgeSpec
from sensebind.sources.base import without_breaks
from sensebind.storage import data_folder
from sensebind.types import Block, Modality, SampleBlock
from sensebind.zero_shot import ZeroShot
from tests.support.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    path.write_bytes(b'{"nature": "\xff"}')
    with pytest.raises(InputError, match=r"truth\.json: 'utf-8' codec can't decode"):
        read_truth(path)


def test_truth_keeps_what_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    row = {"start_ns": 1, "end_ns": 2, "modality": "imu", "label": "still", "extra": 3}
    path.write_bytes(msgspec.json.encode({"nature": "real", "segments": [row], "more": {}}))
    assert read_truth(path) == Truth(nature="real", segments=(segment(1, 2, "still"),))


def test_truth_tells_how_streams_are_read_and_what_is_real(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    streams = {"/heat": {"modality": "thermal", "unit": "centikelvin"}}
    told = {"nature": "simulated", "natures": {"audio": "real"}, "segments": [], "streams": streams}
    path.write_bytes(msgspec.json.encode(told))
    truth = read_truth(path)
    assert stream_configs(truth) == {
        "/heat": sb.StreamConfig(modality=Modality.THERMAL, unit="centikelvin")
    }
    assert truth.nature_of(Modality.AUDIO) == "real"
    assert truth.nature_of(Modality.IMU) == "simulated"


def test_a_bundle_without_prompts_is_refused(bundle_folder: Path) -> None:
    with (
        sb.Bundle.load(bundle_folder) as bundle,
        pytest.raises(BundleError, match=r"'prompts\.json' is not listed"),
    ):
        read_prompts(bundle)


# --- the shipped bundle on the shipped sample ---

PERMUTATIONS = 20
# A window of each second is enough here, and half the work of the bundle's own hop.
HOP_S = 1.0


class Shipped(NamedTuple):
    """The demo, run once."""

    bundle: sb.Bundle
    truth: Truth
    runs: dict[Modality, ModalityRun]


@pytest.fixture(scope="module")
def shipped() -> Iterator[Shipped]:
    folder = data_folder() / "sample"
    truth = read_truth(folder / TRUTH_NAME)
    with sb.Bundle.load("demo", threads=2) as bundle:
        runs = run_demo(bundle, folder / RECORDING_NAME, truth, lambda _share: None)
        yield Shipped(bundle, truth, {run.modality: run for run in runs})


@pytest.mark.parametrize(
    ("modality", "segments", "right"),
    [
        (Modality.VISION, 6, 5),
        (Modality.DEPTH, 6, 5),
        (Modality.THERMAL, 6, 2),
        (Modality.AUDIO, 11, 3),
        (Modality.IMU, 16, 12),
    ],
)
def test_what_the_readme_tells_holds_but_for_one_or_two(
    shipped: Shipped, modality: Modality, segments: int, right: int
) -> None:
    run = shipped.runs[modality]
    wrong = [(r.segment.label, r.label) for r in run.results if not r.right]
    assert len(run.results) == segments
    assert all(result.windows > 0 for result in run.results)
    assert run.right >= right, f"{modality}: {wrong} (truth, label)"


def test_senses_that_never_met_text_find_pictures(shipped: Shipped) -> None:
    for modality, right in ((Modality.DEPTH, 3), (Modality.THERMAL, 3)):
        found = find_in(shipped.runs[modality], shipped.runs[Modality.VISION])
        assert len(found.answers) == 6
        assert found.right >= right > 6 * found.chance


def test_clips_are_labelled_like_frames_and_have_an_identity_of_their_own(shipped: Shipped) -> None:
    frames = shipped.runs[Modality.VISION]
    recording = data_folder() / "sample" / RECORDING_NAME
    clips = run_clips(shipped.bundle, recording, shipped.truth, frames)
    assert clips is not None
    assert clips.name == "vision clips"
    assert clips.right >= frames.right - 1
    assert clips.metadata.encoder_ids != frames.metadata.encoder_ids
    lengths_ns = [r.embedding.end_ns - r.embedding.start_ns for r in clips.records]
    assert max(lengths_ns) == pytest.approx(2 * 10**9, abs=250_000_000)


def test_the_sample_is_simulated_and_its_bindings_are_told(shipped: Shipped) -> None:
    assert shipped.truth.nature == "simulated"
    assert {m: run.binding for m, run in shipped.runs.items()} == {
        Modality.VISION: "anchor",
        Modality.DEPTH: "emergent",
        Modality.THERMAL: "emergent",
        Modality.AUDIO: "text-bound",
        Modality.IMU: "text-bound",
    }


@pytest.mark.parametrize(
    "modality", [Modality.IMU, pytest.param(Modality.VISION, marks=pytest.mark.slow)]
)
def test_with_the_stream_permuted_only_chance_remains(shipped: Shipped, modality: Modality) -> None:
    run = shipped.runs[modality]
    ((stream, _),) = run.metadata.windows.items()
    blocks = read_stream(data_folder() / "sample" / RECORDING_NAME, stream, modality)
    classes = ZeroShot(shipped.bundle, read_prompts(shipped.bundle)[modality])
    segments = [result.segment for result in run.results]
    rng = np.random.default_rng(0)
    accuracies = []
    for _ in range(PERMUTATIONS):
        moved = permuted(blocks, segments, rng)
        records = encode(shipped.bundle, stream, modality, moved, classes)
        results = evaluate_truth(records, segments, modality, classes.labels)
        accuracies.append(np.mean([result.right for result in results]))
    # What a label drawn from the run's own labels, whenever they were given, would get right.
    given = [record.label for record in run.records]
    chance = np.mean([given.count(segment.label) / len(given) for segment in segments])
    assert run.right / len(segments) > chance + 0.3
    assert np.mean(accuracies) == pytest.approx(chance, abs=0.1)


def read_stream(recording: Path, stream: str, modality: Modality) -> list[Block]:
    with sb.open_source(recording) as source:
        selected = {stream: sb.StreamConfig(modality=modality)}
        return list(without_breaks(source.blocks(selected, "stamp")))


def permuted(blocks: list[Block], segments: list[Segment], rng: np.random.Generator) -> list[Block]:
    """The stream cut where the truth changes and put together again in random order."""
    begin_ns, end_ns = stamps_of(blocks[0])[0], stamps_of(blocks[-1])[-1] + 1
    inner = {ns for s in segments for ns in (s.start_ns, s.end_ns) if begin_ns < ns < end_ns}
    cuts_ns = [begin_ns, *sorted(inner), end_ns]
    now_ns = begin_ns
    moved: list[Block] = []
    for index in rng.permutation(len(cuts_ns) - 1):
        first_ns, last_ns = cuts_ns[index], cuts_ns[index + 1]
        parts = (between(block, first_ns, last_ns) for block in blocks)
        moved += [shifted(part, now_ns - first_ns) for part in parts if part is not None]
        now_ns += last_ns - first_ns
    return moved


def stamps_of(block: Block) -> list[int]:
    if isinstance(block, SampleBlock):
        return [int(stamp_ns) for stamp_ns in block.stamps_ns]
    return [block.stamp_ns]


def between(block: Block, first_ns: int, last_ns: int) -> Block | None:
    """The part of a block in [first_ns, last_ns); None if there is none."""
    if not isinstance(block, SampleBlock):
        return block if first_ns <= block.stamp_ns < last_ns else None
    kept = (block.stamps_ns >= first_ns) & (block.stamps_ns < last_ns)
    if not kept.any():
        return None
    return replace(block, stamps_ns=block.stamps_ns[kept], values=block.values[kept])


def shifted(block: Block, by_ns: int) -> Block:
    if isinstance(block, SampleBlock):
        return replace(block, stamps_ns=block.stamps_ns + by_ns)
    return replace(block, stamp_ns=block.stamp_ns + by_ns)


def encode(
    bundle: sb.Bundle, stream: str, modality: Modality, blocks: list[Block], classes: ZeroShot
) -> list[Record]:
    config = sb.PipelineConfig(streams={stream: sb.StreamConfig(modality=modality, hop_s=HOP_S)})
    with sb.Pipeline(bundle, config) as pipeline:
        for block in blocks:
            pipeline.push(block)
        return [labelled(embedding, classes) for embedding in pipeline.flush()]
