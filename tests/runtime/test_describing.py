# SPDX-License-Identifier: Apache-2.0
"""What is said of embeddings, and how it is asked for otherwise while a run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensebind import Bundle, Pipeline, PipelineConfig, StreamConfig
from sensebind.describing import ChangeSettings, Describer, DescribingConfig, LabelSettings
from sensebind.errors import ConfigError, InputError
from sensebind.fusion import FusionConfig
from sensebind.types import Modality
from tests.support.running import imu_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind import Embedding
    from sensebind.changes import ChangeEvent
    from sensebind.records import Record, RunMetadata

STREAMS = {name: StreamConfig(modality=Modality.IMU, hop_s=0.5) for name in ("a", "b")}
PLAIN = DescribingConfig()
JOINED = DescribingConfig(fusion=FusionConfig(wait_s=60.0, min_streams=1))


@pytest.fixture
def bundle(bundle_folder: Path) -> Iterator[Bundle]:
    with Bundle.load(bundle_folder) as loaded:
        yield loaded


def made(bundle: Bundle) -> tuple[RunMetadata, list[Embedding], list[Embedding]]:
    """Metadata of a run, and the embeddings of its two streams."""
    with Pipeline(bundle, PipelineConfig(streams=STREAMS)) as pipeline:
        for name in STREAMS:
            for block in imu_blocks(600, stream=name):
                pipeline.push(block)
        found = pipeline.flush()
        run = pipeline.metadata()
    return run, [e for e in found if e.stream == "a"], [e for e in found if e.stream == "b"]


def streams(records: list[Record]) -> list[str]:
    return [record.embedding.stream for record in records]


def test_what_waits_to_be_joined_is_told_when_it_is_not_asked_for_any_more(bundle: Bundle) -> None:
    run, first, second = made(bundle)
    describer = Describer(JOINED, bundle)
    assert "joint" in describer.begin(run).windows
    records = [r for e in (*first, *second[:1]) for r in describer.add(e)]
    assert streams(records).count("joint") == 1
    left = describer.use(describer.prepare(PLAIN, run))
    assert streams(left) == ["joint"] * (len(first) - 1)
    assert {record.members for record in left} == {("a",)}
    assert "joint" not in describer.metadata(run).windows
    assert streams(list(describer.add(second[1]))) == ["b"]


def test_what_is_asked_as_before_goes_on(bundle: Bundle) -> None:
    run, first, second = made(bundle)
    describer = Describer(JOINED, bundle)
    describer.begin(run)
    for embedding in first:
        list(describer.add(embedding))
    labelled = DescribingConfig(prompts="x,y", fusion=JOINED.fusion)
    assert describer.use(describer.prepare(labelled, run)) == []
    records = [r for e in second for r in describer.add(e)]
    assert streams(records).count("joint") == len(first)
    assert {record.label for record in records} <= {"x", "y"}
    assert describer.joint is not None
    assert describer.joint.fused == len(first)


def test_what_cannot_be_changes_nothing(bundle: Bundle) -> None:
    run, first, _ = made(bundle)
    describer = Describer(DescribingConfig(prompts="x,y"), bundle)
    describer.begin(run)
    for config, message in (
        (DescribingConfig(prompts="x"), "compares classes"),
        (DescribingConfig(fusion=FusionConfig(streams=("c",))), "streams to join: c"),
    ):
        with pytest.raises(InputError, match=message):
            describer.prepare(config, run)
    assert describer.labels == ("x", "y")
    assert next(describer.add(first[0])).label in ("x", "y")


def test_changes_are_told_as_they_happen(bundle: Bundle) -> None:
    run, first, _ = made(bundle)
    told: list[ChangeEvent] = []
    changes = ChangeSettings(file="changes.jsonl", threshold=1e-6, release=1e-6, refractory_s=0.0)
    describer = Describer(DescribingConfig(changes=changes), bundle, told.append)
    describer.begin(run)
    counts = [len(told) for e in first for _ in describer.add(e)]
    assert counts == sorted(counts)
    assert describer.changes == len(told) > 0


def test_labels_without_classes_are_refused() -> None:
    with pytest.raises(ConfigError, match="labels are set, but there are no classes; give prompts"):
        DescribingConfig(labels=LabelSettings(margin=0.1))
