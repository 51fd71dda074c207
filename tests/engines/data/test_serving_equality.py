# SPDX-License-Identifier: Apache-2.0
"""Training features are the pipeline's features, byte for byte."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensebind import Pipeline, PipelineConfig, StreamConfig, open_source
from sensebind.preprocess import make_preprocessor
from sensebind.types import Modality
from sensebind_engines.data.config import DataConfig
from sensebind_engines.data.paired import ManifestData
from tests.support import datasets

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind import Bundle
    from sensebind.calibration import StreamCalibration
    from sensebind.preprocess.base import Prepared, Preprocessor
    from sensebind.specs import EncoderSpec
    from sensebind.types import Window

FOCAL_PX = 60.0
STREAMS = {
    Modality.VISION: "/camera",
    Modality.DEPTH: "/depth",
    Modality.THERMAL: "/thermal",
    Modality.AUDIO: "/mic",
    Modality.IMU: "/imu",
}

Seen = dict[Modality, dict[int, bytes]]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Features that encoders are given from now on, by modality and instant."""
    found: Seen = defaultdict(dict)

    class Watching:
        def __init__(self, modality: Modality, inner: Preprocessor) -> None:
            self.modality, self.inner = modality, inner

        def prepare(self, window: Window) -> Prepared:
            prepared = self.inner.prepare(window)
            (features,) = prepared.features.values()
            found[self.modality][window.grid_ns] = features.tobytes()
            return prepared

    def watching(spec: EncoderSpec, stream: StreamConfig, calibration: StreamCalibration) -> Any:
        return Watching(stream.modality, make_preprocessor(spec, stream, calibration))

    monkeypatch.setattr("sensebind.encoder.make_preprocessor", watching)
    return found


def wanted(bundle: Bundle, *modalities: Modality) -> dict[Modality, EncoderSpec]:
    return {m: bundle.manifest.encoders[m] for m in modalities}


def by_instant(data: ManifestData) -> Seen:
    """Features of every item, batched, without augmentation."""
    batch = data.batch(np.arange(len(data)), None)
    found: Seen = defaultdict(dict)
    for modality in data.modalities:
        (features,) = batch.features[modality].values()
        for index in range(len(data)):
            instant_ns = data.item(index).instant_ns
            assert instant_ns is not None
            found[modality][instant_ns] = features[index].numpy().tobytes()
    return found


@pytest.mark.parametrize("cache", [None, "cache"])
def test_features_of_a_recording(
    bundle: Bundle, tmp_path: Path, seen: Seen, cache: str | None
) -> None:
    datasets.recording(tmp_path / "r.mcap")
    focal = {"stream": "/depth", "focal_px": FOCAL_PX}
    datasets.manifest(tmp_path / "m.jsonl", {"recording": "r.mcap", "depth": focal})
    encoders = wanted(bundle, *STREAMS)
    config = DataConfig(manifest="m.jsonl", cache=cache)
    data = ManifestData(config, encoders, folder=tmp_path)
    trained = by_instant(data)
    streams = {
        STREAMS[m]: StreamConfig(modality=m, focal_px=FOCAL_PX if m is Modality.DEPTH else None)
        for m in encoders
    }
    with Pipeline(bundle, PipelineConfig(streams=streams)) as pipeline:
        assert list(pipeline.run(open_source(tmp_path / "r.mcap")))
    common = set.intersection(*(set(seen[m]) for m in encoders))
    assert len(common) >= 4
    for modality in encoders:
        assert trained[modality] == {ns: seen[modality][ns] for ns in common}
    again = ManifestData(config, encoders, folder=tmp_path)  # read back, where there is a cache
    assert by_instant(again) == trained


def test_features_of_files(bundle: Bundle, tmp_path: Path, seen: Seen) -> None:
    """Sound and IMU from 0 are cut where a pipeline cuts them."""
    names = datasets.files(tmp_path, 0)
    encoders = wanted(bundle, Modality.AUDIO, Modality.IMU)
    for modality in encoders:
        datasets.manifest(tmp_path / "m.jsonl", {modality.value: names[modality.value]})
        data = ManifestData(
            DataConfig(manifest="m.jsonl"), {modality: encoders[modality]}, folder=tmp_path
        )
        with Pipeline(bundle) as pipeline:
            assert list(pipeline.run(open_source(tmp_path / names[modality.value])))
        whole = by_instant(data)[modality]
        assert len(whole) >= 3
        assert whole.items() <= seen[modality].items()


def test_features_of_pictures(bundle: Bundle, tmp_path: Path) -> None:
    names = datasets.files(tmp_path, 3)
    datasets.manifest(tmp_path / "m.jsonl", {"vision": names["vision"]})
    encoder = bundle.encoder("vision")
    data = ManifestData(
        DataConfig(manifest="m.jsonl"), {Modality.VISION: encoder.spec}, folder=tmp_path
    )
    features = data.batch(np.array([0]), None).features[Modality.VISION]
    vector = encoder.encode([{name: f[0].numpy() for name, f in features.items()}])
    expected = bundle.encode("vision", tmp_path / names["vision"])
    assert vector.tobytes() == expected.tobytes()


def test_an_imu_file_in_any_format_gives_the_same(bundle: Bundle, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = datasets.imu_rows(250)
    start_ns = datasets.START_NS
    datasets.imu_csv(tmp_path / "a.csv", rows, start_ns)
    stamps_ns = start_ns + np.arange(250) * 10 * datasets.MS
    np.savez(tmp_path / "a.npz", t_ns=stamps_ns, values=rows)
    columns = dict(zip(("ax", "ay", "az", "gx", "gy", "gz"), rows.T, strict=True))
    pq.write_table(pa.table({"t_ns": stamps_ns, **columns}), tmp_path / "a.parquet")
    expected = bundle.encode("imu", rows, stamps_ns=stamps_ns)
    encoder = bundle.encoder("imu")
    for name in ("a.csv", "a.npz", "a.parquet"):
        datasets.manifest(tmp_path / "m.jsonl", {"imu": name})
        data = ManifestData(
            DataConfig(manifest="m.jsonl"), {Modality.IMU: encoder.spec}, folder=tmp_path
        )
        batch = data.batch(np.arange(len(data)), None).features[Modality.IMU]["features"].numpy()
        vectors = np.concatenate([encoder.encode([{"features": f}]) for f in batch])
        assert vectors.tobytes() == expected.tobytes()
        instants_ns = [data.item(i).instant_ns for i in range(len(data))]
        assert instants_ns[:2] == [1_000_000_000, 1_500_000_000]


def test_units_of_an_imu_file_apply_in_any_format(bundle: Bundle, tmp_path: Path) -> None:
    rows = datasets.imu_rows(250)
    datasets.imu_csv(tmp_path / "a.csv", rows)
    np.savez(tmp_path / "a.npz", t_ns=np.arange(250) * 10 * datasets.MS, values=rows)
    spec = {Modality.IMU: bundle.manifest.encoders[Modality.IMU]}
    found = []
    for name in ("a.csv", "a.npz"):
        table = {"file": name, "unit": "g;deg/s"}
        datasets.manifest(tmp_path / "m.jsonl", {"imu": table})
        data = ManifestData(DataConfig(manifest="m.jsonl"), spec, folder=tmp_path)
        found.append(data.batch(np.array([0]), None).features[Modality.IMU]["features"].numpy())
    assert found[0].tobytes() == found[1].tobytes()
    assert found[0][0, 2].mean() > 50  # 9.81 g
