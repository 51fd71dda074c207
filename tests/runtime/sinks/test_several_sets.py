# SPDX-License-Identifier: Apache-2.0
"""Files of runs whose prompts were switched and whose senses were joined."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from mcap.reader import make_reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from sensebind.errors import InputError
from sensebind.fusion import Fusion, FusionConfig
from sensebind.labelling import Labeller
from sensebind.sinks import open_sink
from sensebind.sinks.base import finishing
from sensebind.sinks.reading import open_records
from sensebind.storage import data_folder
from sensebind.types import Fused, Modality
from tests.runtime.test_fusion import streams
from tests.support.records import run_metadata
from tests.support.spaces import DIM, classes, embedding

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.records import Record, RunMetadata


def made() -> tuple[list[Record], RunMetadata]:
    """A run of a camera and an IMU with joint vectors, in which the prompts were switched."""
    labeller = Labeller({"pets": classes("cat", "dog"), "birds": classes("bird", "cat")})
    replace = msgspec.structs.replace
    windows = {k: replace(w, encoder_id="e" * 64) for k, w in streams("camera", "imu").items()}
    fusion = Fusion(windows, FusionConfig())
    records = []
    for k in range(1, 6):
        if k == 3:
            labeller.use("birds")
        for stream, modality in (("camera", Modality.VISION), ("imu", Modality.IMU)):
            e = embedding(k / 2, 1.0, k / 4, k / 9, stream=stream, modality=modality)
            records.append(labeller.record(e))
            records += [labeller.record(j.embedding, j.members) for j in fusion.add(e)]
    run = replace(
        run_metadata(dim=DIM, labels=labeller.labels),
        prompt_sets=labeller.prompt_sets,
        encoder_ids={"vision": "e" * 64, "imu": "e" * 64},
        windows=windows,
    )
    return records, fusion.metadata(run)


def write(path: Path, records: list[Record], metadata: RunMetadata) -> None:
    with finishing(open_sink(path, metadata)) as sink:
        for record in records:
            sink.write(record)


def test_parquet_gives_back_what_was_written(tmp_path: Path) -> None:
    records, metadata = made()
    write(tmp_path / "a.parquet", records, metadata)
    file = open_records(tmp_path / "a.parquet")
    assert file.metadata == metadata
    back = list(file.records())
    assert len(back) == len(records) == 15
    for got, expected in zip(back, records, strict=True):
        assert (got.label, got.prompt_set, got.members) == (
            expected.label, expected.prompt_set, expected.members,
        )  # fmt: skip
        assert got.embedding.modality is expected.embedding.modality
        assert got.embedding.encoder_id == expected.embedding.encoder_id
        assert got.embedding.vector.tobytes() == expected.embedding.vector.tobytes()
        assert got.scores is not None
        np.testing.assert_array_equal(got.scores, expected.scores)
    assert [r.members for r in back if r.embedding.modality is Fused.JOINT] == [
        ("camera", "imu")
    ] * 5


def test_json_lines_tell_set_and_members(tmp_path: Path) -> None:
    records, metadata = made()
    write(tmp_path / "a.jsonl", records, metadata)
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()][1:]
    assert [row["prompt_set"] for row in rows] == ["pets"] * 6 + ["birds"] * 9
    assert [i for i, value in enumerate(rows[0]["scores"]) if value is None] == [2]
    assert [row.get("members") for row in rows[:3]] == [None, None, ["camera", "imu"]]
    assert rows[2]["modality"] == rows[2]["stream"] == "joint"


def test_mcap_messages_hold_the_labels_of_their_set(tmp_path: Path) -> None:
    records, metadata = made()
    write(tmp_path / "a.mcap", records, metadata)
    store = get_typestore(Stores.ROS2_HUMBLE)
    for name in ("Embedding", "ZeroShot"):
        text = (data_folder() / "msgs" / f"{name}.msg").read_text()
        store.register(get_types_from_msg(text, f"sensebind_msgs/msg/{name}"))
    messages: list[tuple[str, Any]] = []
    with (tmp_path / "a.mcap").open("rb") as stream:
        for schema, channel, message in make_reader(stream).iter_messages():
            assert schema is not None
            messages.append((channel.topic, store.deserialize_cdr(message.data, schema.name)))
    said = [m for topic, m in messages if topic == "/sensebind/zero_shot/joint"]
    assert [m.prompt_set for m in said] == ["pets"] * 2 + ["birds"] * 3
    assert [m.labels for m in said] == [["cat", "dog"]] * 2 + [["bird", "cat"]] * 3
    assert all(np.sum(m.scores) == pytest.approx(1) for m in said)
    joint = [m for topic, m in messages if topic == "/sensebind/embedding/joint"]
    assert [m.members for m in joint] == [["camera", "imu"]] * 5


def test_a_set_that_was_not_declared_is_refused(tmp_path: Path) -> None:
    records, metadata = made()
    fewer = {"pets": ("cat", "dog"), "night": ("bird",)}
    declared = msgspec.structs.replace(metadata, prompt_sets=fewer)
    with pytest.raises(InputError, match=r"prompt set 'birds', .* \(declared: 'pets', 'night'\)"):
        write(tmp_path / "a.parquet", records, declared)
    assert not (tmp_path / "a.parquet").exists()
