# SPDX-License-Identifier: Apache-2.0
"""Depth and thermal frames from block or bag to embedding, with what streams say of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from sensebind import Bundle, Pipeline, PipelineConfig, StreamConfig, open_source
from sensebind.errors import InputError
from sensebind.preprocess import depth_features
from sensebind.specs import DepthSpec
from sensebind.types import Embedding, Frame, FrameBlock, Modality
from tests.support import bags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MS = 1_000_000
START_NS = 1_700_000_000 * 10**9


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> Iterator[Bundle]:
    with Bundle.load(bundle_folder) as loaded:
        yield loaded


def depth_of(seed: int) -> NDArray[np.uint16]:
    """Millimetres, a fifth of them holes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:48, 0:64]
    millimetres = 2000 + 800 * np.sin(x / 20 + seed) + 10 * y
    depth: NDArray[np.uint16] = millimetres.astype(np.uint16)
    depth[rng.random(depth.shape) < 0.2] = 0
    return depth


def heat_of(seed: int) -> NDArray[np.uint16]:
    """Centikelvin of about 20 degrees Celsius."""
    pixels: NDArray[np.uint16] = (
        np.random.default_rng(seed).normal(29_300, 300, (40, 50)).astype(np.uint16)
    )
    return pixels


def raw(pixels: NDArray[Any], encoding: str, **told: Any) -> Frame:
    return Frame(pixels.tobytes(), encoding, pixels.shape[1], pixels.shape[0], **told)


def png(pixels: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def run(
    bundle: Bundle, frames: list[Frame], modality: Modality, **options: Any
) -> tuple[list[Embedding], dict[str, int]]:
    """Push one frame per second; the embeddings, and the causes of what failed."""
    config = StreamConfig(modality=modality, trigger="frame", **options)
    with Pipeline(bundle, PipelineConfig(streams={"cam": config})) as pipeline:
        for i, frame in enumerate(frames):
            pipeline.push(FrameBlock("cam", START_NS + i * 1000 * MS, frame))
        embeddings = pipeline.flush()
    report = pipeline.report.streams["cam"]
    assert report.counters.emitted == report.embedded + sum(report.failed.values())
    return embeddings, report.failed


def vectors(bundle: Bundle, frames: list[Frame], modality: Modality, **options: Any) -> list[bytes]:
    embeddings, failed = run(bundle, frames, modality, **options)
    assert not failed
    return [e.vector.tobytes() for e in embeddings]


def test_a_drive_with_depth_and_thermal_cameras(bundle: Bundle, tmp_path: Path) -> None:
    """Mapped by type, encoding and name; every container gives the same vectors."""
    messages = []
    for i in range(10):
        at = START_NS + i * 200 * MS
        messages.append(bags.image("/camera/depth/image_rect_raw", at, depth_of(i), "16UC1"))
        messages.append(bags.image("/thermal/image_raw", at + MS, heat_of(i), "mono16"))
    found = []
    for path in (
        bags.write_mcap(tmp_path / "a.mcap", messages),
        bags.write_db3(tmp_path / "a.db3", messages),
        bags.write_ros1(tmp_path / "a.bag", messages),
    ):
        with Pipeline(bundle) as pipeline:
            embeddings = list(pipeline.run(open_source(path)))
        assert not any(report.failed for report in pipeline.report.streams.values())
        found.append([(e.stream, e.grid_ns, e.vector.tobytes()) for e in embeddings])
    assert found[0] == found[1] == found[2]
    by_stream = {e.stream: e for e in embeddings}
    assert by_stream["/camera/depth/image_rect_raw"].modality is Modality.DEPTH
    assert by_stream["/thermal/image_raw"].modality is Modality.THERMAL
    assert 0.7 < by_stream["/camera/depth/image_rect_raw"].valid_fraction < 0.9
    assert by_stream["/thermal/image_raw"].valid_fraction == 1.0


def test_a_vector_is_that_of_the_features(bundle: Bundle) -> None:
    encoder = bundle.encoder("depth")
    spec = encoder.spec.preprocess
    assert isinstance(spec, DepthSpec)
    features, valid = depth_features(depth_of(3), spec)
    (embedding,), _ = run(bundle, [raw(depth_of(3), "16UC1")], Modality.DEPTH)
    assert embedding.vector.tobytes() == encoder.encode([{"features": features}])[0].tobytes()
    assert embedding.valid_fraction == valid


def test_every_form_of_depth_gives_the_same_vector(bundle: Bundle) -> None:
    depth = depth_of(1)
    frames = [
        raw(depth, "16UC1"),
        raw(depth, "mono16"),
        raw(depth.astype(">u2"), "16UC1", big_endian=True),
        Frame(png(depth), "png"),
        Frame(png(depth), "png16"),
    ]
    assert len(set(vectors(bundle, frames, Modality.DEPTH))) == 1


def test_streams_say_what_counts_mean(bundle: Bundle) -> None:
    depth = depth_of(2)
    plain = vectors(bundle, [raw(depth, "16UC1")], Modality.DEPTH)
    assert vectors(bundle, [raw(depth, "16UC1")], Modality.DEPTH, scale=0.001) == plain
    assert vectors(bundle, [raw(depth, "16UC1")], Modality.DEPTH, unit="mm") == plain
    # Half the scale and half the focal length: the same disparities.
    told = raw(depth, "16UC1", scale=0.0005, focal_px=262.5)
    assert vectors(bundle, [told], Modality.DEPTH) == plain
    assert vectors(bundle, [told], Modality.DEPTH, scale=0.001, focal_px=525.0) == plain
    assert vectors(bundle, [raw(depth, "16UC1")], Modality.DEPTH, focal_px=900.0) != plain
    heat = raw(heat_of(2), "16UC1")
    by_itself = vectors(bundle, [heat], Modality.THERMAL)
    assert vectors(bundle, [heat], Modality.THERMAL, unit="centikelvin") == by_itself
    assert vectors(bundle, [raw(heat_of(2), "odd")], Modality.THERMAL, format="mono16") == by_itself


def test_bad_frames_are_counted_by_cause_and_cost_no_other(bundle: Bundle) -> None:
    good = raw(depth_of(0), "16UC1")
    frames = [
        good,
        Frame(b"\x89PNG and nothing else", "png"),
        raw(depth_of(0), "rgb8"),
        Frame(bytes(10), "16UC1", 48, 64),
        Frame(bytes(10), "16UC1", 48, 64),
        good,
    ]
    embeddings, failed = run(bundle, frames, Modality.DEPTH)
    assert [e.grid_ns for e in embeddings] == [START_NS, START_NS + 5000 * MS]
    assert sorted(failed.values()) == [1, 1, 2]
    causes = " | ".join(sorted(failed))
    assert "neither JPEG nor PNG" in causes
    assert "'rgb8' does not hold one value per pixel" in causes
    assert "has 10 bytes, expected 6144" in causes


def test_disparity_without_a_focal_length_names_the_option(bundle_copy: Path) -> None:
    manifest = bundle_copy / "bundle.json"
    content = msgspec.json.decode(manifest.read_bytes())
    del content["encoders"]["depth"]["preprocess"]["focal_px"]
    manifest.write_bytes(msgspec.json.encode(content))
    with Bundle.load(bundle_copy) as without:
        _, failed = run(without, [raw(depth_of(0), "16UC1")], Modality.DEPTH)
        (cause,) = failed
        assert "replay --stream TOPIC=depth,focal=PIXELS" in cause
        embeddings, failed = run(
            without, [raw(depth_of(0), "16UC1")], Modality.DEPTH, focal_px=525.0
        )
    assert len(embeddings) == 1
    assert not failed


def test_pictures_at_hand_are_encoded_as_frames_are(bundle: Bundle, tmp_path: Path) -> None:
    depth = depth_of(4)
    path = tmp_path / "depth.png"
    path.write_bytes(png(depth))
    metres = (depth * 0.001).astype(np.float32)
    pictures = [depth, path, path.read_bytes(), Image.fromarray(depth)]
    found = bundle.encode("depth", pictures)
    (expected,) = vectors(bundle, [raw(depth, "16UC1")], Modality.DEPTH)
    assert {vector.tobytes() for vector in found} == {expected}
    np.testing.assert_allclose(bundle.encode("depth", metres)[0], found[0], atol=1e-5)
    np.testing.assert_allclose(
        bundle.encode("depth", Image.fromarray(metres))[0], found[0], atol=1e-5
    )
    heat = heat_of(4)
    (expected,) = vectors(bundle, [raw(heat, "16UC1")], Modality.THERMAL)
    assert bundle.encode("thermal", heat)[0].tobytes() == expected
    grey = (heat >> 8).astype(np.uint8)
    assert np.array_equal(
        bundle.encode("thermal", grey), bundle.encode("thermal", Image.fromarray(grey))
    )


def test_bad_pictures_at_hand_are_named(bundle: Bundle) -> None:
    with pytest.raises(InputError, match=r"is float64 \(3, 3\), expected uint16 or float32 \(h, w"):
        bundle.encode("depth", np.ones((3, 3)))
    with pytest.raises(InputError, match="8-bit pixels, which hold no depth"):
        bundle.encode("depth", np.ones((3, 3), np.uint8))
    with pytest.raises(InputError, match=r"is uint16 \(3, 3\), expected uint8 \(h, w, 3\) RGB"):
        bundle.encode("vision", np.ones((3, 3), np.uint16))


def test_a_real_room_seen_by_depth_alone(bundle: Bundle, test_data: Path) -> None:
    with Pipeline(bundle) as pipeline:
        embeddings = list(pipeline.run(open_source(test_data / "rgbd" / "depth")))
    assert {e.modality for e in embeddings} == {Modality.DEPTH}
    assert len(embeddings) == 5
    assert all(0.5 < e.valid_fraction < 1.0 for e in embeddings)
