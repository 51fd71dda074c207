# SPDX-License-Identifier: Apache-2.0
"""Items, batches, keys, towers, hashes and bad data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from sensebind.config import StreamConfig
from sensebind.errors import BundleError, InputError, SinkError
from sensebind.types import Modality
from sensebind_engines.data import library, manifest
from sensebind_engines.data.augment.config import (
    AudioAugment,
    Augmentation,
    ImuAugment,
    SpatialAugment,
)
from sensebind_engines.data.config import DataConfig
from sensebind_engines.data.manifest import Row
from sensebind_engines.data.paired import ManifestData
from tests.support import datasets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind import Bundle
    from sensebind_engines.data.base import Batch

VISION, AUDIO, IMU, TEXT = Modality.VISION, Modality.AUDIO, Modality.IMU, Modality.TEXT


def opened(
    bundle: Bundle, folder: Path, modalities: Sequence[Modality], **config: Any
) -> ManifestData:
    towers = config.pop("towers", None)
    encoders = {m: bundle.manifest.encoders[m] for m in modalities}
    tokenizer = bundle.folder.path / "tokenizer.json"
    return ManifestData(
        DataConfig(manifest="m.jsonl", **config),
        encoders,
        folder=folder,
        tokenizer=tokenizer,
        towers=towers,
    )


def arrays(batch: Batch) -> dict[str, NDArray[Any]]:
    return {
        f"{m}/{name}": tensor.numpy()
        for m, features in batch.features.items()
        for name, tensor in features.items()
    }


def equal(a: Batch, b: Batch) -> bool:
    one, other = arrays(a), arrays(b)
    return one.keys() == other.keys() and all(
        one[name].tobytes() == other[name].tobytes() for name in one
    )


@pytest.fixture
def three_rows(tmp_path: Path) -> Path:
    rows = [{**datasets.files(tmp_path, i), "text": ["a cat", f"cat {i}"]} for i in range(3)]
    rows[2]["text"] = ["a dog", "one dog"]
    rows[2]["split"] = "test"
    datasets.manifest(tmp_path / "m.jsonl", *rows)
    return tmp_path


def test_items_are_the_instants_that_all_modalities_have(bundle: Bundle, three_rows: Path) -> None:
    data = opened(bundle, three_rows, (VISION, AUDIO, IMU, TEXT))
    # Sound of 3 s gives windows of 2 s at 2, 2.5 and 3 s; the picture and the text are of each.
    instants_ns = [data.item(i).instant_ns for i in range(len(data))]
    assert instants_ns == [2_000_000_000, 2_500_000_000, 3_000_000_000] * 3
    batch = data.batch(np.arange(9), None)
    assert arrays(batch)["vision/features"].shape == (9, 3, 32, 32)
    assert arrays(batch)["audio/features"].dtype == np.float32
    assert arrays(batch)["text/input_ids"].dtype == np.int64
    assert data.modalities == (VISION, AUDIO, IMU, TEXT)


def test_rows_that_lack_a_modality_are_counted_and_left_out(
    bundle: Bundle, three_rows: Path
) -> None:
    with (three_rows / "m.jsonl").open("a") as stream:
        stream.write(json.dumps({"vision": "item0.jpg"}) + "\n")
    data = opened(bundle, three_rows, (VISION, IMU), windows="one")
    assert (len(data), data.left_out) == (3, 1)
    assert len(opened(bundle, three_rows, (VISION,))) == 4
    (three_rows / "m.jsonl").write_text('{"imu": "item0.csv", "split": "test"}\n')
    with pytest.raises(InputError, match="none of its 1 rows of split 'test' has depth, text"):
        opened(bundle, three_rows, (Modality.DEPTH, TEXT), split="test")


def test_items_are_found_by_row_file_and_instant(bundle: Bundle, three_rows: Path) -> None:
    data = opened(bundle, three_rows, (VISION, AUDIO, TEXT))
    assert data.describe(4) == "row 2 (item1.jpg, item1.wav) at 2.500 s"
    assert opened(bundle, three_rows, (VISION, TEXT)).describe(1) == "row 2 (item1.jpg)"
    assert opened(bundle, three_rows, (IMU,), windows="one").describe(2) == "row 3 (item2.csv)"
    datasets.recording(three_rows / "a.mcap")
    datasets.manifest(three_rows / "m.jsonl", {"recording": "a.mcap", "text": "it stands"})
    assert opened(bundle, three_rows, (IMU,)).describe(0) == "row 1 (a.mcap) at 1700000001.500 s"
    assert opened(bundle, three_rows, (TEXT,)).describe(0).startswith("row 1 (a.mcap)")


def test_one_window_per_row_is_drawn_or_the_middle_one(bundle: Bundle, three_rows: Path) -> None:
    data = opened(bundle, three_rows, (AUDIO, IMU), windows="one")
    assert [data.item(i).instant_ns for i in range(3)] == [2_500_000_000] * 3
    assert {data.item(0, seed).instant_ns for seed in range(40)} == {
        2_000_000_000,
        2_500_000_000,
        3_000_000_000,
    }


def test_keys_say_what_is_the_same(bundle: Bundle, three_rows: Path) -> None:
    def keys(*modalities: Modality) -> list[int]:
        found = opened(bundle, three_rows, modalities).batch(np.arange(9), None).keys
        assert found is not None
        return list(found.tolist())

    assert keys(AUDIO, IMU) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    rows = [json.loads(line) for line in (three_rows / "m.jsonl").read_text().splitlines()]
    rows[1]["text"] = rows[0]["text"]
    datasets.manifest(three_rows / "m.jsonl", *rows)
    assert keys(AUDIO, TEXT) == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    assert keys(AUDIO, IMU) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    rows[0]["key"] = rows[2]["key"] = "one"
    datasets.manifest(three_rows / "m.jsonl", *rows)
    assert keys(AUDIO, IMU) == [0, 0, 0, 1, 1, 1, 0, 0, 0]


def test_moments_of_a_recording_that_overlap_share_a_key(bundle: Bundle, tmp_path: Path) -> None:
    datasets.recording(tmp_path / "r.mcap")
    datasets.manifest(tmp_path / "m.jsonl", {"recording": "r.mcap", "imu": "/imu"})
    data = opened(bundle, tmp_path, (VISION, IMU))
    keys = data.batch(np.arange(len(data)), None).keys
    assert keys is not None
    assert len(set(keys.tolist())) == 4  # IMU windows of 1 s in 4 s
    assert len(data) == 6


def test_ranges_and_instants_of_a_recording(bundle: Bundle, tmp_path: Path) -> None:
    datasets.recording(tmp_path / "r.mcap")
    second = 1_000_000_000
    start_ns = datasets.START_NS // second * second + second
    row = {
        "recording": "r.mcap",
        "imu": "/imu",
        "start_ns": start_ns,
        "end_ns": start_ns + 2 * second,
    }
    datasets.manifest(tmp_path / "m.jsonl", row)
    data = opened(bundle, tmp_path, (IMU,))
    ends_ns = [data.item(i).instant_ns for i in range(len(data))]
    assert ends_ns == [start_ns + second, start_ns + 3 * second // 2, start_ns + 2 * second]
    datasets.manifest(tmp_path / "m.jsonl", {"recording": "r.mcap", "grid_ns": start_ns + second})
    assert len(opened(bundle, tmp_path, (IMU,))) == 1
    datasets.manifest(tmp_path / "m.jsonl", {"recording": "r.mcap", "grid_ns": start_ns + 7})
    with pytest.raises(InputError, match=f"row 1: no window ends at grid_ns {start_ns + 7}; the n"):
        opened(bundle, tmp_path, (IMU,))


def test_a_batch_depends_on_the_generator_alone(bundle: Bundle, three_rows: Path) -> None:
    augment = Augmentation(
        imu=ImuAugment(turn_rad=0.5, accel_noise_m_s2=0.1),
        audio=AudioAugment(gain_db=6, time_masks=2, time_mask_s=0.2),
        spatial=SpatialAugment(smallest_area=0.5, flip=0.5),
    )
    data = opened(bundle, three_rows, (VISION, AUDIO, IMU, TEXT), augment=augment)
    indices = np.array([4, 0, 4])

    def drawn(seed: int) -> Batch:
        return data.batch(indices, np.random.default_rng(seed))

    assert equal(drawn(1), drawn(1))
    assert not equal(drawn(1), drawn(2))
    plain, changed = arrays(data.batch(indices, None)), arrays(drawn(1))
    for name in ("vision/features", "audio/features", "imu/features"):
        assert changed[name].shape == plain[name].shape
        assert changed[name].dtype == plain[name].dtype
        assert not np.array_equal(changed[name], plain[name])
        assert not np.array_equal(changed[name][0], changed[name][2])  # each row draws its own


def test_without_strength_nothing_changes(bundle: Bundle, three_rows: Path) -> None:
    data = opened(bundle, three_rows, (VISION, AUDIO, IMU))
    indices = np.arange(9)
    assert equal(data.batch(indices, None), data.batch(indices, np.random.default_rng(0)))


def test_jitter_moves_whole_hops_within_the_row(bundle: Bundle, tmp_path: Path) -> None:
    datasets.recording(tmp_path / "r.mcap")
    datasets.manifest(tmp_path / "m.jsonl", {"recording": "r.mcap", "imu": "/imu"})
    still = opened(bundle, tmp_path, (IMU,))
    plain = {f.tobytes() for f in arrays(still.batch(np.arange(6), None))["imu/features"]}
    data = opened(bundle, tmp_path, (IMU,), jitter_s=0.5)
    drawn = arrays(data.batch(np.full(60, 3), np.random.default_rng(0)))["imu/features"]
    found = {f.tobytes() for f in drawn}
    assert len(found) == 3
    assert found < plain


def test_towers_and_vectors_stand_for_features(bundle: Bundle, three_rows: Path) -> None:
    class Tower:
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def vectors(self, contents: Sequence[Any]) -> NDArray[np.float32]:
            self.seen += contents
            return np.eye(4, dtype=np.float32)[: len(contents)]

    vision, text = Tower(), Tower()
    data = opened(bundle, three_rows, (VISION, TEXT), towers={VISION: vision, TEXT: text})
    batch = data.batch(np.array([2, 0]), None)
    assert arrays(batch).keys() == {"vision/vector", "text/vector"}
    assert text.seen == ["a dog", "a cat"]
    assert vision.seen[0]["features"].shape == (3, 32, 32)
    vectors = np.eye(5, dtype=np.float32)
    np.save(three_rows / "v.npy", vectors)
    row = {"imu": "item0.csv", "text": {"vector": "v.npy", "index": 3}}
    datasets.manifest(three_rows / "m.jsonl", row)
    given = arrays(opened(bundle, three_rows, (IMU, TEXT)).batch(np.array([0, 1]), None))
    assert np.array_equal(given["text/vector"], vectors[[3, 3]])


@pytest.mark.parametrize("of_things", [False, True])
def test_views_change_beside_vectors_of_things_alone(
    bundle: Bundle, tmp_path: Path, *, of_things: bool
) -> None:
    Image.fromarray(np.arange(500, 1700, dtype=np.uint16).reshape(30, 40)).save(tmp_path / "d.png")
    np.save(tmp_path / "v.npy", np.eye(5, dtype=np.float32))
    row = {"vision": {"vector": "v.npy", "index": 3}, "depth": {"file": "d.png", "focal_px": 30}}
    datasets.manifest(tmp_path / "m.jsonl", row)
    spatial = SpatialAugment(smallest_area=0.2, vectors_of_things=of_things)
    augment = Augmentation(spatial=spatial)
    data = opened(bundle, tmp_path, (VISION, Modality.DEPTH), augment=augment)
    plain = data.batch(np.zeros(1, np.int64), None)
    assert equal(plain, data.batch(np.zeros(1, np.int64), np.random.default_rng(0))) != of_things


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (np.ones((5, 4), np.float32), "vector 3 of .*v.npy has the norm 2, expected 1"),
        (np.eye(3, dtype=np.float32), "has 3 vectors, there is no index 3"),
        (np.eye(5), "expected float32"),
    ],
)
def test_bad_vectors(bundle: Bundle, three_rows: Path, content: NDArray[Any], problem: str) -> None:
    np.save(three_rows / "v.npy", content)
    row = {"imu": "item0.csv", "text": {"vector": "v.npy", "index": 3}}
    datasets.manifest(three_rows / "m.jsonl", row)
    data = opened(bundle, three_rows, (IMU, TEXT))
    with pytest.raises(InputError, match=f"m.jsonl, row 1: text: .*{problem}"):
        data.batch(np.array([0]), None)


def test_the_hash_tells_whether_anything_changed(bundle: Bundle, three_rows: Path) -> None:
    def identity(**config: Any) -> str:
        return opened(bundle, three_rows, (VISION, IMU), **config).content_sha256

    first = identity()
    assert identity(cache="cache") == first
    assert identity(augment=Augmentation(imu=ImuAugment(scale=0.1))) == first
    assert len({first, identity(split="test"), identity(hop_s=0.25), identity(windows="one")}) == 4

    datasets.imu_csv(three_rows / "item0.csv", datasets.imu_rows(300, 99))
    assert identity() != first


class LaterConfig(StreamConfig, frozen=True, kw_only=True):
    """A stream's configuration as a later version may have it."""

    later: int = 0


class LaterRow(Row, frozen=True, kw_only=True):
    """A row as a later version may have it."""

    later: int = 0


def test_what_later_versions_add_changes_the_hash_only_where_it_is_used(
    bundle: Bundle, three_rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def identity() -> str:
        return opened(bundle, three_rows, (VISION, IMU)).content_sha256

    first = identity()
    for module in (library, manifest):
        monkeypatch.setattr(module, "StreamConfig", LaterConfig)
    monkeypatch.setattr(manifest, "Row", LaterRow)
    assert identity() == first
    rows = [json.loads(line) for line in (three_rows / "m.jsonl").read_text().splitlines()]
    datasets.manifest(three_rows / "m.jsonl", {**rows[0], "later": 1}, *rows[1:])
    of_row = identity()
    imu = {"file": rows[0]["imu"], "later": 1}
    datasets.manifest(three_rows / "m.jsonl", {**rows[0], "imu": imu}, *rows[1:])
    assert len({first, of_row, identity()}) == 3


def test_missing_and_damaged_files_are_named(bundle: Bundle, three_rows: Path) -> None:
    (three_rows / "item1.jpg").unlink()
    with pytest.raises(InputError, match=r"m.jsonl, row 2: there is no file .*item1.jpg"):
        opened(bundle, three_rows, (VISION,))
    (three_rows / "item1.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"m.jsonl, row 2: vision: .*item1.jpg is empty"):
        opened(bundle, three_rows, (VISION,))
    whole = (three_rows / "item0.jpg").read_bytes()
    (three_rows / "item1.jpg").write_bytes(whole[: len(whole) // 2])

    for cache in (None, "cache"):
        data = opened(bundle, three_rows, (VISION,), cache=cache)
        with pytest.raises(InputError, match=r"m.jsonl, row 2: vision: .*item1.jpg: .*damaged"):
            data.batch(np.array([1]), None)
        assert data.batch(np.array([0, 2]), None).features


@pytest.mark.parametrize("content", [b"no sound", b"RIFF", b"t_ns,ax\n1,2\n"])
def test_damaged_sound_and_tables_are_named(
    bundle: Bundle, three_rows: Path, content: bytes
) -> None:
    for modality, name in ((AUDIO, "item1.wav"), (IMU, "item1.csv")):
        (three_rows / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"m.jsonl, row 2: {modality}: .*{name}"):
            opened(bundle, three_rows, (modality,))


def test_files_of_a_row_that_do_not_go_together(bundle: Bundle, three_rows: Path) -> None:
    datasets.imu_csv(three_rows / "item2.csv", datasets.imu_rows(130))  # 1.3 s beside 3 s
    with pytest.raises(
        InputError,
        match=r"row 3: its modalities have no window in common; .*audio 2 to 3 s \(.*"
        r"imu 1 s",
    ):
        opened(bundle, three_rows, (AUDIO, IMU))


def test_a_row_of_one_modality_whose_file_is_of_another(bundle: Bundle, tmp_path: Path) -> None:
    datasets.files(tmp_path, 0)
    datasets.manifest(tmp_path / "m.jsonl", {"audio": "item0.csv"})
    with pytest.raises(InputError, match=r"item0.csv has samples, expected uniform for audio"):
        opened(bundle, tmp_path, (AUDIO,))


def test_streams_that_are_not_there(bundle: Bundle, tmp_path: Path) -> None:
    datasets.recording(tmp_path / "r.mcap")
    datasets.manifest(tmp_path / "m.jsonl", {"recording": "r.mcap", "imu": "/imo"})
    with pytest.raises(InputError, match=r"m.jsonl, row 1: no stream '/imo' .* did you mean '/imu"):
        opened(bundle, tmp_path, (IMU,))


def test_texts_need_a_tokenizer(bundle: Bundle, three_rows: Path) -> None:
    encoders = {TEXT: bundle.manifest.encoders[TEXT]}
    with pytest.raises(BundleError, match="no tokenizer file was given"):
        ManifestData(DataConfig(manifest="m.jsonl"), encoders, folder=three_rows)


def test_a_cache_that_cannot_be_written(bundle: Bundle, three_rows: Path) -> None:
    (three_rows / "cache").write_text("a file is in the way")
    with pytest.raises(SinkError, match=r"cannot write the cache .*choose another folder"):
        opened(bundle, three_rows, (IMU,), cache="cache")
