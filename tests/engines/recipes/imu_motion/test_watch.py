# SPDX-License-Identifier: Apache-2.0
"""Real motion: another file is refused before it is unpickled; units are told, not converted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sensebind.errors import SourceError
from sensebind.storage import sha256_of_file
from sensebind_engines.data.manifest import read_manifest
from sensebind_engines.recipes.imu_motion import watch

if TYPE_CHECKING:
    from pathlib import Path


def write_series(out: Path, seconds: float) -> Path:
    """The recipe's folder, of one series of noise per exercise and two subjects."""
    rng = np.random.default_rng(0)
    count = round(seconds * watch.RATE_HZ)
    content = {
        "X": [rng.normal(size=(count, 6)) for _ in watch.EXERCISES],
        "y": np.arange(len(watch.EXERCISES)),
        "subject": np.arange(len(watch.EXERCISES)) % 2,
        "y_labels": list(watch.EXERCISES),
    }
    out.mkdir()
    path = out / "watch.npy"
    np.save(path, np.array(content, dtype=object))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(watch, "SHA256", sha256_of_file(path))
        return watch.build_from(path, out)


def test_series_are_read_in_si_units(tmp_path: Path) -> None:
    out = write_series(tmp_path / "watch", 3.0)
    entries = read_manifest(out / "manifest.jsonl")
    assert [entry.row.label for entry in entries] == [name for name, _ in watch.EXERCISES.values()]
    assert {entry.row.group for entry in entries} == {"subject 0", "subject 1"}
    assert entries[0].row.imu == {"file": "series/000.npz", "unit": "g"}
    with np.load(out / "series" / "000.npz") as series:
        assert np.diff(series["t_ns"]).tolist() == [20_000_000] * 149
        assert series["values"].shape == (150, 6)


def test_another_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "watch.npy"
    path.write_bytes(b"no pickle at all")
    with pytest.raises(SourceError, match=r"has the SHA-256 .*, expected eb122f23.*seglearn==1"):
        watch.build_from(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(SourceError, match=r"pip install --no-deps seglearn==1\.2\.5"):
        watch.build(tmp_path / "out", tmp_path)
