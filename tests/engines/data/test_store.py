# SPDX-License-Identifier: Apache-2.0
"""What is kept comes back as it was, is made once, and is whole or not there."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.errors import SinkError
from sensebind.types import Frame, Window
from sensebind_engines.data.records import (
    Record,
    RecordFolder,
    window_of,
    window_record,
    write_records,
)
from sensebind_engines.data.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def record(number: int, size: int = 10) -> Record:
    return Record({"number": number}, {"values": np.arange(number, number + size, dtype=float)})


def test_windows_come_back_as_they_were(tmp_path: Path) -> None:
    stamps_ns = np.array([1, 2, 2**62 - 1])
    frames = (Frame(b"\0\1\2", "rgb8", 1, 1, 3, scale=0.25), Frame(b"", "jpeg", focal_px=1e-3))
    samples = Window("/imu", 4, -1, 4, 3, 1 / 3, stamps_ns, np.eye(3, 6))
    pictures = Window("/camera", 0, 0, 0, 0, 1.0, stamps_ns[:0], np.empty((0, 0)), frames)
    sound = Window("m", 1, 0, 1, 1, 1.0, stamps_ns[:0], np.ones((2, 1), np.float32))
    windows = [samples, pictures, sound]
    write_records(tmp_path / "w", map(window_record, windows))
    folder = RecordFolder(tmp_path / "w")
    assert len(folder) == 3
    for index, window in enumerate(windows):
        back = window_of(folder[index])
        for field in fields(Window):
            one, other = getattr(back, field.name), getattr(window, field.name)
            if isinstance(other, np.ndarray):
                assert (one.dtype, one.shape, one.tobytes()) == (
                    other.dtype,
                    other.shape,
                    other.tobytes(),
                )
            else:
                assert one == other


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    def broken() -> Iterator[Record]:
        yield record(0)
        raise OSError(28, "No space left on device")

    with pytest.raises(SinkError, match="No space left on device; free some space"):
        write_records(tmp_path / "w", broken())
    assert list(tmp_path.iterdir()) == []
    write_records(tmp_path / "w", [record(1)])
    write_records(tmp_path / "w", [record(1)])  # another process was faster
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


@pytest.mark.parametrize("lasting", [False, True])
def test_a_key_is_made_once(tmp_path: Path, lasting: bool) -> None:
    made = []

    def make() -> list[Record]:
        made.append(1)
        return [record(1), record(2)]

    store = Store(tmp_path / "cache" if lasting else None)
    for _ in range(3):
        records = store.get(["a", {"x": 1, "y": None}], make)
        assert [scalars["number"] for scalars in records.scalars] == [1, 2]
        assert records[1].arrays["values"].tolist() == list(range(2, 12))
    assert made == [1]
    store.get(["b"], make)
    assert made == [1, 1]
    Store(tmp_path / "cache" if lasting else None).get(["a", {"y": None, "x": 1}], make)
    assert len(made) == (2 if lasting else 3)


def test_memory_is_bounded() -> None:
    made: list[int] = []

    def get(number: int) -> None:
        def make() -> list[Record]:
            made.append(number)
            return [record(number)]

        store.get(number, make)

    store = Store(memory_bytes=200)  # two records of 80 bytes
    for number in (0, 1, 0, 2, 0, 1):
        get(number)
    assert made == [0, 1, 2, 1]
