# SPDX-License-Identifier: Apache-2.0
"""Streams of clips beside streams of frames, by one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind import Bundle, Pipeline, PipelineConfig, StreamConfig
from sensebind.errors import ConfigError
from sensebind.flow.backoff import Backoff
from sensebind.records import Record
from sensebind.sinks import open_sink
from sensebind.sinks.reading import open_records
from sensebind.types import FrameBlock, Modality
from tests.support.playing import BlockSource
from tests.support.running import (
    CAMERA,
    ScriptedEngine,
    ScriptedSource,
    check_balance,
    deliver_all,
    failing,
    picture,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind import Embedding
    from sensebind.types import Block

S = 10**9


def camera(**options: object) -> StreamConfig:
    values = {"hop_s": 0.2, "trigger": "frame", "policy": "block", **options}
    return StreamConfig(modality=Modality.VISION, **values)  # type: ignore[arg-type]


STREAMS = {
    "frames": camera(),
    "second": camera(frame_pooling_s=1.0),
    "two": camera(frame_pooling_s=2.0),
}
CONFIG = PipelineConfig(streams=STREAMS, max_batch=4, batch_wait_s=0.01, ring_s=60)


@pytest.fixture
def bundle(bundle_folder: Path) -> Iterator[Bundle]:
    with Bundle.load(bundle_folder) as loaded:
        yield loaded


def pictures(count: int = 20) -> list[Block]:
    return [picture(index, stream=name) for index in range(count) for name in STREAMS]


def by_stream(embeddings: list[Embedding]) -> dict[str, list[Embedding]]:
    return {name: [e for e in embeddings if e.stream == name] for name in STREAMS}


def test_a_clips_vector_is_the_mean_of_those_of_its_frames(bundle: Bundle) -> None:
    with Pipeline(bundle, CONFIG) as pipeline:
        found = by_stream(list(pipeline.run(BlockSource(pictures()))))
    frames = {e.grid_ns: e.vector for e in found["frames"]}
    assert len(frames) == 20
    for name, length_s in (("second", 1), ("two", 2)):
        assert len(found[name]) == 20 - 5 * length_s
        for clip in found[name]:
            first, last = frames[clip.grid_ns - length_s * S], frames[clip.grid_ns]
            assert (clip.start_ns, clip.end_ns) == (clip.grid_ns - length_s * S, clip.grid_ns)
            mean = (first.astype(np.float64) + last) / 2
            np.testing.assert_allclose(clip.vector, mean / np.linalg.norm(mean), atol=1e-6)
    check_balance(pipeline)


def test_each_stream_has_its_encoders_identity(bundle: Bundle, tmp_path: Path) -> None:
    with Pipeline(bundle, CONFIG) as pipeline:
        found = list(pipeline.run(BlockSource(pictures())))
        metadata = pipeline.metadata()
    ids = {name: {e.encoder_id for e in each} for name, each in by_stream(found).items()}
    assert ids == {name: {w.encoder_id} for name, w in metadata.windows.items()}
    assert len(set.union(*ids.values())) == 3
    assert ids["frames"] == {bundle.encoder("vision").encoder_id}
    assert metadata.encoder_ids == {"vision": bundle.encoder("vision").encoder_id}
    sink = open_sink(tmp_path / "a.parquet", metadata)
    for embedding in found:
        sink.write(Record(embedding))
    sink.close()
    back = [record.embedding for record in open_records(tmp_path / "a.parquet").records()]
    assert [(e.stream, e.encoder_id) for e in back] == [(e.stream, e.encoder_id) for e in found]


def test_a_run_of_clips_alone_tells_their_identity(bundle: Bundle) -> None:
    config = PipelineConfig(streams={"two": STREAMS["two"]})
    with Pipeline(bundle, config) as pipeline:
        metadata = pipeline.metadata()
    assert metadata.encoder_ids == {"vision": metadata.windows["two"].encoder_id}
    assert metadata.encoder_ids["vision"] != bundle.encoder("vision").encoder_id


def test_pushed_clips_equal_those_of_a_run(bundle: Bundle) -> None:
    with Pipeline(bundle, CONFIG) as pipeline:
        expected = by_stream(list(pipeline.run(BlockSource(pictures()))))["two"]
    with Pipeline(bundle, PipelineConfig(streams={"two": STREAMS["two"]})) as pipeline:
        for index in range(20):
            pipeline.push(picture(index, stream="two"))
        found = pipeline.flush()
    assert [e.vector.tobytes() for e in found] == [e.vector.tobytes() for e in expected]


def test_clips_go_on_when_the_engine_was_opened_anew(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backoff, "next_s", lambda _self: 0.0)
    encoder = bundle.encoder("vision")
    encoder._engine = ScriptedEngine(encoder._engine, failing(*range(8, 100)))
    config = PipelineConfig(streams={"cam": STREAMS["two"]}, ring_s=60)
    with Pipeline(bundle, config) as pipeline:
        live = ScriptedSource("dev", [CAMERA], deliver_all([picture(i) for i in range(20)]))
        found = list(pipeline.run(live))
    assert bundle.encoder("vision") is not encoder
    assert len(found) == 10 - 3  # three failures in a row take an engine down
    assert sum(pipeline.report.streams["cam"].failed.values()) == 3
    check_balance(pipeline)


def test_only_cameras_have_clips(bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match=r"frame_pooling=2 does not apply to imu; .* of vision"):
        StreamConfig(modality=Modality.IMU, frame_pooling_s=2.0)
    with Pipeline(bundle, CONFIG) as pipeline, pytest.raises(ConfigError, match="no stream 'cam'"):
        pipeline.push(FrameBlock("cam", 0, picture(0).frame))
