# SPDX-License-Identifier: Apache-2.0
"""Messages of embeddings and scores become files that the rest of SenseBind reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.errors import InputError
from sensebind.sinks.reading import open_records
from sensebind.types import Modality
from sensebind_ros.keeping import WAITING, Keeper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DIM = 4
ENCODER, OTHER = "1" * 64, "2" * 64
T0 = 1_700_000_000_000_000_000


def bundle(*labels: str) -> Any:
    """A BundleInfo."""
    return SimpleNamespace(
        name="demo", bundle_id="b" * 64, space_id="5" * 64, dim=DIM, version="1.2",
        modalities=["imu", "audio"], encoder_ids=[ENCODER, OTHER], backend="onnxruntime",
        precision="float32", labels=list(labels),
    )  # fmt: skip


def embedding(number: int, stream: str = "imu") -> Any:
    """An Embedding; its vector tells its number."""
    grid_ns = T0 + number * 500_000_000
    vector = np.zeros(DIM, np.float32)
    vector[number % DIM] = 1
    stamp = SimpleNamespace(sec=(grid_ns - 3) // 10**9, nanosec=(grid_ns - 3) % 10**9)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=stamp), stream=stream, modality="imu", grid_ns=grid_ns,
        start_ns=grid_ns - 2_000_000_000, end_ns=grid_ns, coverage=0.75, valid_fraction=1.0,
        encoder_id=ENCODER, vector=vector, members=[],
    )  # fmt: skip


def scores(number: int, labels: tuple[str, ...] = ("bump", "still"), stream: str = "imu") -> Any:
    """The ZeroShot of an embedding."""
    shares = np.linspace(1, 2, len(labels), dtype=np.float32)
    return SimpleNamespace(
        stream=stream, encoder_id=ENCODER, grid_ns=T0 + number * 500_000_000,
        label=labels[-1], labels=list(labels), scores=shares / shares.sum(), prompt_set="",
    )  # fmt: skip


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".mcap"])
def test_embeddings_without_prompts_are_kept_at_once(tmp_path: Path, suffix: str) -> None:
    keeper = Keeper(tmp_path / f"e{suffix}", "/robot/sensebind")
    keeper.take_bundle(bundle())
    for number in range(5):
        keeper.take_embedding(embedding(number))
    keeper.close()
    assert (keeper.kept, keeper.unmatched) == (5, 0)
    assert keeper.files == [tmp_path / f"e{suffix}"]
    if suffix == ".parquet":
        file = open_records(keeper.files[0])
        assert file.metadata.source == "ROS node /robot/sensebind"
        assert file.metadata.encoder_ids == {"imu": ENCODER, "audio": OTHER}
        for number, record in enumerate(file.records()):
            e = record.embedding
            assert (e.stream, e.modality, e.coverage) == ("imu", Modality.IMU, 0.75)
            assert e.grid_ns == T0 + number * 500_000_000
            assert (e.end_ns - e.start_ns, e.grid_ns - e.stamp_ns) == (2_000_000_000, 3)
            assert e.vector[number % DIM] == 1
            assert record.label is None


@pytest.mark.parametrize("scores_first", [False, True])
def test_scores_join_their_embedding_whichever_comes_first(
    tmp_path: Path, *, scores_first: bool
) -> None:
    keeper = Keeper(tmp_path / "e.parquet", "/sensebind")
    keeper.take_bundle(bundle("bump", "still"))
    order: list[tuple[Callable[[Any], None], Callable[[int], Any]]]
    order = [(keeper.take_embedding, embedding), (keeper.take_scores, scores)]
    for take, make in order[::-1] if scores_first else order:
        for number in (1, 0, 2):
            take(make(number))
    keeper.take_embedding(embedding(3))
    keeper.take_scores(scores(4))
    keeper.close()
    assert (keeper.kept, keeper.unmatched) == (3, 2)
    file = open_records(keeper.files[0])
    assert file.metadata.labels == ("bump", "still")
    for record in file.records():
        assert record.label == "still"
        assert record.scores is not None
        assert record.scores.tolist() == pytest.approx([1 / 3, 2 / 3], rel=1e-6)


def test_other_labels_begin_another_file(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "e.parquet", "/sensebind")
    keeper.take_bundle(bundle("bump", "still"))
    for number, labels in enumerate((("bump", "still"), ("a", "b", "c"), ("a", "b", "c"))):
        keeper.take_embedding(embedding(number))
        keeper.take_scores(scores(number, labels))
    keeper.close()
    assert [path.name for path in keeper.files] == ["e.parquet", "e-2.parquet"]
    first, second = (open_records(path) for path in keeper.files)
    assert (first.metadata.labels, second.metadata.labels) == (("bump", "still"), ("a", "b", "c"))
    assert (len(list(first.records())), len(list(second.records()))) == (1, 2)


@pytest.mark.parametrize("labels", [(), ("bump", "still")])
def test_embeddings_may_come_before_their_bundle_is_known(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    keeper = Keeper(tmp_path / "e.parquet", "/sensebind")
    for number in range(3):
        keeper.take_embedding(embedding(number))
        if labels:
            keeper.take_scores(scores(number))
    assert keeper.kept == 0
    keeper.take_bundle(bundle(*labels))
    assert keeper.kept == 3
    keeper.close()
    assert keeper.unmatched == 0


def test_without_a_bundle_nothing_can_be_kept(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "e.parquet", "/sensebind")
    for number in range(WAITING + 7):
        keeper.take_embedding(embedding(number))
    assert keeper.unmatched == 7
    keeper.close()
    assert (keeper.kept, keeper.unmatched, keeper.files) == (0, WAITING + 7, [])


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "e.parquet", "/sensebind")
    keeper.take_bundle(bundle("bump", "still"))
    for number in range(WAITING + 7):
        keeper.take_embedding(embedding(number))
    assert keeper.unmatched == 7
    keeper.take_scores(scores(7))
    assert keeper.kept == 1
    keeper.close()


def test_nothing_is_written_where_nothing_came(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "e.parquet", "/sensebind")
    keeper.close()
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"suffix '\.npz' is not a format we write"):
        Keeper(tmp_path / "e.npz", "/sensebind")
