# SPDX-License-Identifier: Apache-2.0
"""From a microphone's blocks to vectors: any rate, any channels, blocks of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

import sensebind as sb
from sensebind.cutting import cut_blocks
from sensebind.errors import InputError
from sensebind.preprocess import log_mel
from sensebind.types import Embedding, Modality, UniformBlock
from tests.support.bundles import bundle_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["bundle_folder"]

S = 10**9
START_NS = 1_700_000_000 * S + 123_456_789


@pytest.fixture(scope="module")
def bundle(bundle_folder: Path) -> Iterator[sb.Bundle]:
    with sb.Bundle.load(bundle_folder) as loaded:
        yield loaded


def noise(seconds: float, rate_hz: int, channels: int = 1) -> NDArray[np.float32]:
    rng = np.random.default_rng(rate_hz)
    return 0.1 * rng.standard_normal((round(seconds * rate_hz), channels), dtype=np.float32)


def embedded(
    bundle: sb.Bundle, sound: NDArray[np.float32], rate_hz: float, sizes: list[int]
) -> list[Embedding]:
    """Push a sound in blocks of these sizes, over and over."""
    config = sb.PipelineConfig(streams={"mic": sb.StreamConfig(modality=Modality.AUDIO)})
    with sb.Pipeline(bundle, config) as pipeline:
        at = block = 0
        while at < len(sound):
            part = sound[at : at + sizes[block % len(sizes)]]
            stamp_ns = START_NS + round(at * S / rate_hz)
            pipeline.push(UniformBlock("mic", stamp_ns, rate_hz, part))
            at, block = at + len(part), block + 1
        return pipeline.flush()


def content(embeddings: list[Embedding]) -> list[tuple[object, ...]]:
    return [
        (e.grid_ns, e.start_ns, e.end_ns, e.stamp_ns, e.coverage, e.vector.tobytes())
        for e in embeddings
    ]


@settings(max_examples=12, deadline=None)
@given(
    rate_hz=st.sampled_from([8000, 16000, 22050, 44100, 48000]),
    channels=st.integers(1, 2),
    sizes=st.lists(st.integers(30, 9000), min_size=1, max_size=4),
)
def test_blocks_of_any_size_give_the_same_bytes(
    bundle: sb.Bundle, rate_hz: int, channels: int, sizes: list[int]
) -> None:
    sound = noise(3.3, rate_hz, channels)
    whole = embedded(bundle, sound, rate_hz, [len(sound)])
    assert len(whole) >= 3
    assert content(embedded(bundle, sound, rate_hz, sizes)) == content(whole)


def test_a_vector_is_that_of_the_resampled_samples_it_names(bundle: sb.Bundle) -> None:
    sound = noise(4.0, 48000, 2)
    resampled = soxr.resample(sound[:, 0], 48000, 16000)
    for embedding in embedded(bundle, sound, 48000, [480]):
        if embedding.coverage < 1:
            continue
        first = round((embedding.start_ns - START_NS) * 16000 / S)
        features = log_mel(resampled[first : first + 32000])
        expected = bundle.encoder("audio").encode([{"features": features}])[0]
        assert embedding.vector.tobytes() == expected.tobytes()
        assert 0 <= embedding.grid_ns - embedding.end_ns < 10_000_000


def test_another_start_gives_nearly_the_same_vectors(bundle: sb.Bundle) -> None:
    sound = noise(5.0, 44100)
    early = {e.grid_ns: e for e in embedded(bundle, sound, 44100, [1000])}
    config = sb.PipelineConfig(streams={"mic": sb.StreamConfig(modality=Modality.AUDIO)})
    with sb.Pipeline(bundle, config) as pipeline:
        # 441 samples are 160 at the front end's rate: the same lattice.
        pipeline.push(UniformBlock("mic", START_NS + 10**8, 44100.0, sound[4410:]))
        late = [e for e in pipeline.flush() if e.coverage == 1]
    assert len(late) >= 3
    for embedding in late:
        assert embedding.vector @ early[embedding.grid_ns].vector >= 1 - 1e-6


def test_one_preprocessor_for_several_streams_mixes_nothing(bundle: sb.Bundle) -> None:
    encoder = bundle.encoder("audio")
    stream = sb.StreamConfig(modality=Modality.AUDIO)
    shared = encoder.preprocessor(stream)
    for seed_hz in (16000, 22050):
        block = UniformBlock("mic", 0, 16000.0, noise(2.0, seed_hz)[:32000])
        (window, *_) = cut_blocks(encoder.spec, stream, [block], 0).windows
        alone = encoder.preprocessor(stream).prepare(window).features["features"]
        assert shared.prepare(window).features["features"].tobytes() == alone.tobytes()


def test_a_waveform_at_hand_is_the_stream_from_its_first_sample(bundle: sb.Bundle) -> None:
    sound = noise(3.0, 48000)
    vectors = bundle.encode("audio", sound[:, 0], rate_hz=48000)
    assert vectors.shape == (3, bundle.dim)
    first = log_mel(soxr.resample(sound[:, 0], 48000, 16000)[:32000])
    expected = bundle.encoder("audio").encode([{"features": first}])
    assert vectors[:1].tobytes() == expected.tobytes()
    whole = (sound * 32768).round().astype(np.int16)
    as_int16 = bundle.encode("audio", whole, rate_hz=48000)
    as_float = bundle.encode("audio", whole.astype(np.float64) / 32768, rate_hz=48000.0)
    assert as_int16.tobytes() == as_float.tobytes()


@pytest.mark.parametrize(
    ("data", "rate_hz", "message"),
    [
        (np.zeros(32000, np.float32), None, "give rate_hz with audio data"),
        (np.zeros(32000, np.int64), 16000, "audio data is int64, expected a NumPy array of"),
        ([0.0, 1.0], 16000, "audio data is list, expected a NumPy array"),
        (np.zeros((2, 32000), np.float32), 16000, r"shape \(2, 32000\), expected \(n,\) or \(n, c"),
        (np.zeros((4, 2, 2), np.float32), 16000, r"shape \(4, 2, 2\), expected"),
        (np.zeros(20000, np.float32), 16000, "20000 audio samples do not fill the bundle's window"),
        (np.zeros(0, np.float32), 16000, "0 audio samples do not fill"),
        (np.zeros(32000, np.float32), 10, "rate_hz=10.0, expected 1000 to 1000000 samples per"),
        (np.zeros(32000, np.float32), float("nan"), "rate_hz=nan, expected 1000"),
        (np.full(32000, np.inf, np.float32), 16000, r"audio sample 0 is \[inf\], expected finite"),
    ],
)
def test_bad_audio_data_is_named(
    bundle: sb.Bundle, data: object, rate_hz: float | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        bundle.encode("audio", data, rate_hz=rate_hz)
