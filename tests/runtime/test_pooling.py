# SPDX-License-Identifier: Apache-2.0
"""Clips by an encoder of frames: each alone, then the mean, normalised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.bundle import Bundle
from sensebind.config import StreamConfig
from sensebind.errors import ConfigError
from sensebind.one_shot import frame_of_picture
from sensebind.pooling import pooled
from sensebind.types import FrameBlock, Modality, Window
from sensebind.windowing import make_windower, rules_for
from sensebind.windowing.frames import FrameWindower

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sensebind.encoder import Encoder

PICTURES = np.random.default_rng(0).integers(0, 255, (12, 24, 32, 3), dtype=np.uint8)
S = 10**9


@pytest.fixture
def vision(bundle_folder: Path) -> Iterator[Encoder]:
    with Bundle.load(bundle_folder) as bundle:
        yield bundle.encoder("vision")


def windows(encoder: Encoder) -> list[Window]:
    """Of pictures at 2 Hz, cut each second."""
    config = StreamConfig(modality=Modality.VISION, hop_s=1.0)
    windower = make_windower("/camera", rules_for(encoder.spec, config))
    assert isinstance(windower, FrameWindower)
    found = []
    for index, picture in enumerate(PICTURES):
        found += windower.push(FrameBlock("/camera", index * S // 2, frame_of_picture(picture)))
    return found + windower.flush()


def test_a_clip_is_the_normalised_mean_of_its_first_and_last_frame(
    vision: Encoder, bundle_folder: Path
) -> None:
    clips = pooled(vision, 2.0)
    preprocessor = clips.preprocessor(StreamConfig(modality=Modality.VISION))
    found = [clips.embed(w, preprocessor.prepare(w)) for w in windows(clips)]
    assert len(found) >= 3
    with Bundle.load(bundle_folder) as bundle:
        for embedding in found:
            frames = [embedding.start_ns * 2 // S, embedding.end_ns * 2 // S]
            assert embedding.end_ns - embedding.start_ns in (2 * S, 3 * S // 2)  # the last is short
            mean = bundle.encode("vision", [PICTURES[i] for i in frames]).mean(axis=0)
            expected = mean / np.linalg.norm(mean)
            np.testing.assert_allclose(embedding.vector, expected, atol=1e-6)


def test_a_clip_has_an_identity_of_its_own_in_the_same_space(vision: Encoder) -> None:
    ids = [pooled(vision, length_s).encoder_id for length_s in (2.0, 1.0, 2.0)]
    assert ids[0] == ids[2]
    assert len({*ids, vision.encoder_id, pooled(vision, 2.0, (0.5, 1.0)).encoder_id}) == 4
    assert pooled(vision, 2.0).dim == vision.dim


def test_a_batch_gives_the_bytes_of_single_clips(vision: Encoder) -> None:
    clips = pooled(vision, 2.0)
    preprocessor = clips.preprocessor()
    features = [preprocessor.prepare(w).features for w in windows(clips)]
    alone = np.concatenate([clips.encode([one]) for one in features])
    assert clips.encode(features).tobytes() == alone.tobytes()


def test_the_engine_stays_that_of_the_frames(vision: Encoder) -> None:
    clips = pooled(vision, 2.0)
    clips.close()
    assert len(vision.encode([vision.preprocessor().prepare(windows(vision)[0]).features])) == 1


def test_other_senses_are_refused(bundle_folder: Path, vision: Encoder) -> None:
    with (
        Bundle.load(bundle_folder) as bundle,
        pytest.raises(ConfigError, match="frame_pooling does not apply to the bundle's imu"),
    ):
        pooled(bundle.encoder("imu"), 2.0)
    with pytest.raises(ConfigError, match="encoders of single frames"):
        pooled(pooled(vision, 2.0), 2.0)
