# SPDX-License-Identifier: Apache-2.0
"""Encoders give unit vectors, the same bytes alone and in a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind.bundle import Bundle
from sensebind.encoder import Encoder
from sensebind.errors import BackendError, InputError
from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

DENSE = [m for m in Modality if m is not Modality.TEXT]


@pytest.fixture
def bundle(bundle_folder: Path) -> Iterator[Bundle]:
    with Bundle.load(bundle_folder) as loaded:
        yield loaded


def random_features(encoder: Encoder, count: int) -> list[dict[str, NDArray[Any]]]:
    rng = np.random.default_rng(5)
    shape = [axis for axis in encoder.spec.inputs[0].shape[1:] if isinstance(axis, int)]
    return [{"features": rng.standard_normal(shape, dtype=np.float32)} for _ in range(count)]


@pytest.mark.parametrize("modality", DENSE)
def test_a_batch_gives_the_bytes_of_single_runs(bundle: Bundle, modality: Modality) -> None:
    encoder = bundle.encoder(modality)
    features = random_features(encoder, 5)
    together = encoder.encode(features)
    alone = [encoder.encode([f])[0] for f in features]
    assert together.dtype == np.float32
    assert together.shape == (5, bundle.dim)
    assert together.tobytes() == np.stack(alone).tobytes()


@pytest.mark.parametrize("modality", DENSE)
def test_vectors_have_norm_one(bundle: Bundle, modality: Modality) -> None:
    encoder = bundle.encoder(modality)
    norms = np.linalg.norm(encoder.encode(random_features(encoder, 3)).astype(np.float64), axis=1)
    np.testing.assert_allclose(norms, 1.0, atol=2e-7)


def test_golden_outputs_are_reproduced(bundle: Bundle) -> None:
    golden = np.load(bundle.folder.file("golden.npz"))
    for modality in bundle.modalities:
        encoder = bundle.encoder(modality)
        names = [spec.name for spec in encoder.spec.inputs]
        count = len(golden[f"{modality}/embedding"])
        batch = [{n: golden[f"{modality}/{n}"][i] for n in names} for i in range(count)]
        np.testing.assert_allclose(
            encoder.encode(batch), golden[f"{modality}/embedding"], atol=1e-6
        )


def test_nothing_gives_nothing(bundle: Bundle) -> None:
    assert bundle.encoder("imu").encode([]).shape == (0, bundle.dim)


def test_identity_and_window_come_from_the_manifest(bundle: Bundle) -> None:
    encoder = bundle.encoder("imu")
    assert encoder.encoder_id == bundle.manifest.encoder_id(Modality.IMU)
    assert encoder.window is not None
    assert encoder.window.length_s == 1.0
    assert (encoder.backend, encoder.precision) == ("onnxruntime", "fp32")
    assert bundle.encoder("text").window is None


class FixedEngine:
    """Gives the same rows whatever comes in."""

    backend, precision = "fixed", "fp32"

    def __init__(self, rows: list[list[float]]) -> None:
        self.rows = np.array(rows, dtype=np.float32)

    def run(self, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        assert "features" in inputs
        return self.rows

    def close(self) -> None:
        self.rows = self.rows[:0]


@pytest.mark.parametrize("bad", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 0.0]])
def test_vectors_without_direction_are_refused(bundle: Bundle, bad: list[float]) -> None:
    spec = bundle.encoder("imu").spec
    encoder = Encoder(Modality.IMU, spec, "id", 2, FixedEngine([[3.0, 4.0], bad]))
    features = {"features": np.zeros((6, 100), np.float32)}
    with pytest.raises(BackendError, match=r"imu encoder gave a vector of norm \S+ for row 1"):
        encoder.encode([features, features])


def test_vectors_are_normalised_once(bundle: Bundle) -> None:
    encoder = Encoder(Modality.IMU, bundle.encoder("imu").spec, "id", 2, FixedEngine([[3.0, 4.0]]))
    vector = encoder.encode([{"features": np.zeros((6, 100), np.float32)}])
    assert vector.tolist() == [[np.float32(0.6), np.float32(0.8)]]


def test_unequal_features_are_refused(bundle: Bundle) -> None:
    a, b = (np.zeros(shape, np.float32) for shape in ((6, 100), (6, 99)))
    encoder = bundle.encoder("imu")
    with pytest.raises(InputError, match="equal names and shapes"):
        encoder.encode([{"features": a}, {"features": b}])
    with pytest.raises(InputError, match="equal names and shapes"):
        encoder.encode([{"features": a}, {"values": a}])
    with pytest.raises(InputError, match=r"'features' is float32 \[1, 6, 99\], expected"):
        encoder.encode([{"features": b}])
