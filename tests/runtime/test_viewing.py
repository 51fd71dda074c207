# SPDX-License-Identifier: Apache-2.0
"""Files for Rerun's viewer, read back with its own reader."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.errors import MissingExtraError, SinkError
from sensebind.preprocess.base import Prepared
from sensebind.records import Record
from sensebind.types import Frame, Modality, Window
from sensebind.viewing import RerunView
from tests.support.timing import embedding, window_times

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

S = 1_000_000_000
MS = 1_000_000
RATE_HZ = 16_000


def imu_window(end_ns: int) -> Window:
    stamps = np.arange(end_ns - 2 * S - 5 * MS, end_ns + 10 * MS, 10 * MS)
    values = np.tile(stamps[:, np.newaxis] / S, (1, 6))
    return window("/imu/data", end_ns, stamps_ns=stamps, values=values)


def audio_window(end_ns: int) -> Window:
    values = np.zeros((2 * RATE_HZ, 1), np.float32)
    values[8 :: RATE_HZ // 1_000] = -0.5
    return window("/mic", end_ns, values=values)


def frame_window(encoding: str, data: bytes, end_ns: int = 2 * S) -> Window:
    return window("/camera", end_ns, frames=(Frame(data, encoding, 4, 2),))


def window(stream: str, end_ns: int, **more: Any) -> Window:
    nothing = {"stamps_ns": np.empty(0, np.int64), "values": np.empty((0, 0), np.float32)}
    return Window(stream, end_ns, end_ns - 2 * S, end_ns, end_ns - MS, 1.0, **{**nothing, **more})


def columns(path: Path) -> dict[str, dict[str, list[Any]]]:
    """By entity, the values of each of its columns."""
    from rerun.chunk import RrdReader

    found: dict[str, dict[str, list[Any]]] = {}
    for chunk in RrdReader(path).stream().to_chunks():
        entity = found.setdefault(chunk.entity_path, {})
        batch = chunk.to_record_batch()
        for name in batch.schema.names:
            column = batch[name]
            if str(column.type).startswith("timestamp"):
                column = column.cast("int64")
            entity.setdefault(name, []).extend(column.to_pylist())
    return found


@pytest.fixture
def view(tmp_path: Path) -> Iterator[RerunView]:
    pytest.importorskip("rerun", reason="rerun-sdk is not installed: it is large")
    with RerunView(tmp_path / "run.rrd", ("a cat", "a dog")) as view:
        yield view


def test_without_the_sdk_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(
        MissingExtraError, match=r"for Rerun needs .*pip install 'sensebind\[viz\]'"
    ):
        RerunView(tmp_path / "run.rrd")


def test_samples_of_overlapping_windows_are_shown_once(view: RerunView, tmp_path: Path) -> None:
    for end_ns in (10 * S, 10 * S + 500 * MS, 11 * S):
        view.show_window(Modality.IMU, imu_window(end_ns), Prepared({}))
    view.close()
    found = columns(tmp_path / "run.rrd")
    for what in ("acceleration", "angular_velocity"):
        column = found[f"/imu/data/{what}"]
        stamps = np.array(column["stamp"])
        assert np.array_equal(stamps, np.arange(8 * S + 5 * MS, 11 * S, 10 * MS))
        assert column["Scalars:scalars"] == [[stamp / S] * 3 for stamp in stamps]
        assert ["x", "y", "z"] in column["SeriesLines:names"]


def test_sound_is_shown_by_its_peaks_and_its_features(view: RerunView, tmp_path: Path) -> None:
    features = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    for end_ns in (10 * S, 11 * S):
        view.show_window(Modality.AUDIO, audio_window(end_ns), Prepared({"features": features}))
    view.close()
    found = columns(tmp_path / "run.rrd")
    waveform = found["/mic/waveform"]
    assert waveform["Scalars:scalars"] == [[-0.5]] * 3_000
    stamps = np.array(waveform["stamp"])
    assert np.array_equal(stamps, np.arange(8 * S, 11 * S, MS))
    pixels = np.array(found["/mic/log_mel"]["DepthImage:buffer"][0][0], np.uint8).view(np.float32)
    assert pixels.tolist() == [3, 4, 5, 0, 1, 2]  # low tones at the bottom


@pytest.mark.parametrize(
    ("modality", "encoding", "entity"),
    [(Modality.VISION, "bgr8", "picture"), (Modality.DEPTH, "16UC1", "depth")],
)
def test_pictures_are_shown_as_they_are(
    view: RerunView, tmp_path: Path, modality: Modality, encoding: str, entity: str
) -> None:
    pixels = np.arange(8, dtype=np.uint16).reshape(2, 4)
    data = pixels.tobytes() if encoding == "16UC1" else bytes([1, 2, 3] * 8)
    view.show_window(modality, frame_window(encoding, data), Prepared({}))
    view.close()
    archetype = "DepthImage" if encoding == "16UC1" else "Image"
    (shown,) = columns(tmp_path / "run.rrd")[f"/camera/{entity}"][f"{archetype}:buffer"]
    expected = data if encoding == "16UC1" else bytes([3, 2, 1] * 8)
    assert bytes(shown[0]) == expected


def test_a_broken_picture_shows_nothing(view: RerunView, tmp_path: Path) -> None:
    view.show_window(Modality.VISION, frame_window("jpeg", b"no jpeg"), Prepared({}))
    view.close()
    assert "/camera/picture" not in columns(tmp_path / "run.rrd")


def test_scores_are_named_and_stand_at_their_instants(view: RerunView, tmp_path: Path) -> None:
    vector = embedding(window_times(grid_ns=3 * S))
    view.show_record(Record(vector, "a dog", np.array([0.25, 0.75], np.float32)))
    view.close()
    column = columns(tmp_path / "run.rrd")["/imu/scores"]
    assert [0.25, 0.75] in column["Scalars:scalars"]
    assert ["a cat", "a dog"] in column["SeriesLines:names"]


def test_without_prompts_the_coverage_is_shown(view: RerunView, tmp_path: Path) -> None:
    view.show_record(Record(embedding(window_times())))
    view.close()
    assert [0.97] in columns(tmp_path / "run.rrd")["/imu/coverage"]["Scalars:scalars"]


def test_a_place_that_cannot_be_written_is_named(view: RerunView, tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot write '.*none/a.rrd': No such file"):
        RerunView(tmp_path / "none" / "a.rrd")
