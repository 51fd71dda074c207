# SPDX-License-Identifier: Apache-2.0
"""From block or bag to embedding: identity over formats and chunking, counts, and bad input."""

from __future__ import annotations

import io
from dataclasses import fields
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sensebind import Bundle, Pipeline, PipelineConfig, StreamConfig, open_source
from sensebind.errors import ConfigError, InputError
from sensebind.preprocess import make_preprocessor
from sensebind.specs import EncoderSpec, ImuSpec, TensorSpec, WindowSpec
from sensebind.types import (
    Embedding,
    Frame,
    FrameBlock,
    Modality,
    SampleBlock,
    UniformBlock,
)
from sensebind.windowing.rules import SampleRules, rules_for
from sensebind.windowing.samples import SampleWindower
from tests.support import bags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MS = 1_000_000
START_NS = 1_700_000_000 * 10**9 + 123 * MS


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> Iterator[Bundle]:
    with Bundle.load(bundle_folder) as loaded:
        yield loaded


def jpeg(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


def imu_rows(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    rows = np.random.default_rng(7).normal(0, 1, (count, 6))
    rows[:, 2] += 9.81
    return rows


def drive() -> list[bags.Message]:
    """Four seconds of a drive: IMU at 100 Hz and pictures at 5 Hz, stamped before they arrive."""
    rows = imu_rows(400)
    messages = [
        bags.imu("/imu", START_NS + i * 10 * MS + 2 * MS, row, stamp_ns=START_NS + i * 10 * MS)
        for i, row in enumerate(rows.tolist())
    ]
    messages += [
        bags.compressed_image(
            "/camera/compressed",
            START_NS + i * 200 * MS + 30 * MS,
            jpeg(i),
            "rgb8; jpeg compressed bgr8",
            stamp_ns=START_NS + i * 200 * MS,
        )
        for i in range(20)
    ]
    return sorted(messages, key=lambda m: m.log_ns)


def keys(embeddings: list[Embedding]) -> list[tuple[object, ...]]:
    """Everything of the embeddings, the vectors as bytes."""
    names = [f.name for f in fields(Embedding) if f.name != "vector"]
    return [(*(getattr(e, name) for name in names), e.vector.tobytes()) for e in embeddings]


def replay(bundle: Bundle, path: Path) -> list[tuple[object, ...]]:
    with Pipeline(bundle) as pipeline:
        return keys(list(pipeline.run(open_source(path))))


def test_the_same_messages_give_the_same_bytes_in_every_container(
    bundle: Bundle, tmp_path: Path
) -> None:
    expected = replay(bundle, bags.write_mcap(tmp_path / "a.mcap", drive()))
    assert {row[0] for row in expected} == {"/imu", "/camera/compressed"}
    assert len(expected) > 12
    for path in (
        tmp_path / "a.mcap",
        bags.write_mcap(tmp_path / "z.mcap", drive(), compression="zstd"),
        bags.write_db3(tmp_path / "a.db3", drive()),
        bags.write_folder(tmp_path / "folder", drive()),
        bags.write_ros1(tmp_path / "a.bag", drive()),
    ):
        assert replay(bundle, path) == expected


def test_windows_of_all_streams_end_together_on_the_grid(bundle: Bundle, tmp_path: Path) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", drive())
    with Pipeline(bundle, PipelineConfig(hop_s=0.25)) as pipeline:
        embeddings = list(pipeline.run(open_source(path)))
    grids = {
        stream: {e.grid_ns for e in embeddings if e.stream == stream}
        for stream in ("/imu", "/camera/compressed")
    }
    assert all(grid % (250 * MS) == 0 for grid in grids["/imu"])
    assert len(grids["/imu"]) > 8
    assert grids["/imu"] < grids["/camera/compressed"]
    for report in pipeline.report.streams.values():
        counters = report.counters
        assert counters.pending == 0
        assert counters.emitted == report.embedded


def test_push_form_equals_replay(bundle: Bundle, tmp_path: Path) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", drive())
    config = PipelineConfig(
        streams={
            "/imu": StreamConfig(modality=Modality.IMU),
            "/camera/compressed": StreamConfig(modality=Modality.VISION),
        }
    )
    pushed = []
    with Pipeline(bundle, config) as pipeline, open_source(path) as source:
        for block in source.blocks(config.streams, "stamp"):
            pipeline.push(block)
            pushed += pipeline.poll()
        pushed += pipeline.flush()
    assert keys(pushed) == replay(bundle, path)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=60))
def test_blocks_of_any_size_give_the_same_vectors(bundle: Bundle, sizes: list[int]) -> None:
    rows = imu_rows(500)
    stamps = START_NS + np.arange(500) * 10 * MS
    config = PipelineConfig(streams={"imu": StreamConfig(modality=Modality.IMU)})

    def run(bounds: list[int]) -> list[tuple[object, ...]]:
        with Pipeline(bundle, config) as pipeline:
            for a, b in zip(bounds, [*bounds[1:], 500], strict=True):
                pipeline.push(SampleBlock("imu", stamps[a:b], rows[a:b]))
            return keys(pipeline.flush())

    bounds = [0, *[s for s in np.cumsum(sizes).tolist() if s < 500]]
    assert run(bounds) == run([0])


def test_frames_through_a_bag_score_as_encoded_directly(bundle: Bundle, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (40, 50, 3), np.uint8)
    at = [START_NS // (500 * MS) * 500 * MS + i * 500 * MS for i in range(2)]
    messages = [
        bags.image("/a/raw", at[0], pixels, "rgb8"),
        bags.compressed_image("/b/jpeg", at[0], jpeg(3), "jpeg"),
        bags.image("/a/raw", at[1], pixels[..., ::-1], "bgr8"),
    ]
    path = bags.write_mcap(tmp_path / "a.mcap", messages)
    streams = {name: StreamConfig(modality=Modality.VISION) for name in ("/a/raw", "/b/jpeg")}
    with Pipeline(bundle, PipelineConfig(streams=streams)) as pipeline:
        found = list(pipeline.run(open_source(path)))
    direct = {
        "/a/raw": bundle.encode("vision", pixels)[0],
        "/b/jpeg": bundle.encode("vision", jpeg(3))[0],
    }
    assert [e.stream for e in found].count("/a/raw") == 2
    for embedding in found:
        assert embedding.vector.tobytes() == direct[embedding.stream].tobytes()


def test_a_bad_frame_is_counted_and_costs_no_other(bundle: Bundle) -> None:
    config = PipelineConfig(
        streams={"cam": StreamConfig(modality=Modality.VISION, trigger="frame")}
    )
    with Pipeline(bundle, config) as pipeline:
        for i, data in enumerate([jpeg(0), b"\xff\xd8\xffno picture", jpeg(1)]):
            pipeline.push(FrameBlock("cam", START_NS + i * 10**9, Frame(data, "jpeg")))
        embeddings = pipeline.flush()
    report = pipeline.report.streams["cam"]
    assert [e.grid_ns for e in embeddings] == [START_NS, START_NS + 2 * 10**9]
    assert report.embedded == 2
    assert report.counters.emitted == 3
    assert sum(report.failed.values()) == 1


def test_metadata_says_how_every_stream_was_windowed(bundle: Bundle, tmp_path: Path) -> None:
    source = open_source(bags.write_mcap(tmp_path / "a.mcap", drive()))
    with Pipeline(bundle) as pipeline:
        list(pipeline.run(source))
        metadata = pipeline.metadata(source, labels=("a", "b"))
    assert metadata.space_id == bundle.space_id
    assert metadata.labels == ("a", "b")
    assert len(metadata.source_sha256) == 64
    windows = metadata.windows["/imu"]
    assert windows.encoder_id == metadata.encoder_ids["imu"] == bundle.encoder("imu").encoder_id
    assert (windows.modality, windows.trigger, windows.lateness_s) == ("imu", "grid", 0.0)


def test_an_unknown_stream_names_the_configured_ones(bundle: Bundle) -> None:
    config = PipelineConfig(streams={"cam": StreamConfig(modality=Modality.VISION)})
    with (
        Pipeline(bundle, config) as pipeline,
        pytest.raises(ConfigError, match=r"no stream 'imu' is configured \(configured: 'cam'\)"),
    ):
        pipeline.push(SampleBlock("imu", np.zeros(1, np.int64), np.zeros((1, 6))))


def test_a_block_of_the_wrong_kind_is_refused(bundle: Bundle) -> None:
    config = PipelineConfig(streams={"cam": StreamConfig(modality=Modality.VISION)})
    with (
        Pipeline(bundle, config) as pipeline,
        pytest.raises(ConfigError, match=r"encoded as vision and cannot take a UniformBlock"),
    ):
        pipeline.push(UniformBlock("cam", 0, 16000.0, np.zeros((1, 1), np.float32)))


def test_a_recording_without_senses_is_bad_input(bundle: Bundle, tmp_path: Path) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", [bags.text("/chatter", START_NS, "hello")])
    with (
        Pipeline(bundle) as pipeline,
        pytest.raises(InputError, match=r"no stream maps(.|\n)*/chatter"),
    ):
        list(pipeline.run(open_source(path)))


def test_a_pipeline_shares_the_bundle_s_engines_unless_another_backend_is_asked_for(
    bundle: Bundle,
) -> None:
    for backend in (None, "auto", bundle.backend):
        with Pipeline(bundle, backend=backend) as pipeline:
            assert pipeline.bundle is bundle
    assert bundle.encoder("imu").backend == bundle.backend
    with pytest.raises(InputError, match="no backend 'tpu'"):
        Pipeline(bundle, backend="tpu")


def test_text_is_no_stream(bundle: Bundle) -> None:
    config = PipelineConfig(streams={"prompts": StreamConfig(modality=Modality.TEXT)})
    with pytest.raises(ConfigError, match="modality 'text' is not windowed; encode it directly"):
        Pipeline(bundle, config)


def test_real_d435_recording(bundle: Bundle, test_data: Path) -> None:
    with Pipeline(bundle) as pipeline:
        source = open_source(test_data / "bags" / "realsense_d435_depth_color.bag")
        embeddings = list(pipeline.run(source))
    assert {(e.modality, e.stream) for e in embeddings} == {
        (Modality.VISION, "/device_0/sensor_1/Color_0/image/data"),
        (Modality.DEPTH, "/device_0/sensor_0/Depth_0/image/data"),
    }
    depth = next(e for e in embeddings if e.modality is Modality.DEPTH)
    assert 0.5 < depth.valid_fraction < 1.0


def test_real_imu_recording_with_a_gap(bundle: Bundle, test_data: Path) -> None:
    with Pipeline(bundle) as pipeline:
        source = open_source(test_data / "bags" / "ardrone_imu.bag")
        embeddings = list(pipeline.run(source))
    counters = pipeline.report.streams["/ardrone/imu"].counters
    assert counters.pushed == 4308
    assert counters.gaps == 1
    assert counters.pending == 0
    assert len(embeddings) == counters.emitted > 120
    assert all(e.grid_ns % (500 * MS) == 0 for e in embeddings)


def test_real_pictures_in_a_folder(bundle: Bundle, test_data: Path) -> None:
    with Pipeline(bundle) as pipeline:
        embeddings = list(pipeline.run(open_source(test_data / "rgbd" / "color")))
    assert [(e.stream, e.grid_ns) for e in embeddings] == [("color", i * 10**9) for i in range(5)]
    assert pipeline.report.streams["color"].counters.used == 5


@pytest.mark.parametrize("rate_hz", [60.0, 100.0, 333.0, 1000.0])
def test_overlapping_windows_share_their_points(rate_hz: float) -> None:
    spec = EncoderSpec(
        onnx="imu.onnx",
        inputs=(TensorSpec(name="features", dtype="float32", shape=("batch", 6, 100)),),
        output=TensorSpec(name="embedding", dtype="float32", shape=("batch", 4)),
        preprocess=ImuSpec(rate_hz=100.0),
        window=WindowSpec(length_s=1.0, hop_s=0.5),
    )
    config = StreamConfig(modality=Modality.IMU)
    rules = rules_for(spec, config)
    assert isinstance(rules, SampleRules)
    windower = SampleWindower("imu", rules)
    count = round(6 * rate_hz)
    stamps = START_NS + np.round(np.arange(count) * 1e9 / rate_hz).astype(np.int64)
    windows = windower.push(SampleBlock("imu", stamps, imu_rows(count)))
    preprocessor = make_preprocessor(spec, config)
    features = [preprocessor.prepare(window).features["features"] for window in windows]
    assert len(features) > 6
    for earlier, later in pairwise(features):
        assert earlier[:, 50:].tobytes() == later[:, :50].tobytes()
