# SPDX-License-Identifier: Apache-2.0
"""The same content in every format gives the same vectors, byte for byte."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

import sensebind as sb
from tests.runtime.sources.test_bags import FORMATS
from tests.support import bags

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.types import Embedding

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000


@cache
def drive() -> tuple[bags.Message, ...]:
    """Four seconds of IMU and camera, received late and in bursts, some overtaking others."""
    rng = np.random.default_rng(5)
    messages = []
    for k in range(400):
        stamp_ns = START_NS + 10 * MS * k
        log_ns = stamp_ns // (100 * MS) * (100 * MS) + int(rng.integers(0, 180)) * MS
        values = rng.normal(0, 1, 6)
        messages.append(bags.imu("/imu", log_ns, values.tolist(), stamp_ns=stamp_ns))
    for k in range(12):
        stamp_ns = START_NS + 330 * MS * k
        pixels = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        log_ns = stamp_ns + int(rng.integers(0, 90)) * MS
        messages.append(bags.image("/camera", log_ns, pixels, "rgb8", stamp_ns=stamp_ns))
    return tuple(sorted(messages, key=lambda message: message.log_ns))


def encode(path: Path, bundle_folder: Path) -> list[Embedding]:
    with sb.Bundle.load(bundle_folder) as bundle, sb.Pipeline(bundle) as pipeline:
        return list(pipeline.run(sb.open_source(path)))


def plain(embeddings: list[Embedding]) -> list[tuple[object, ...]]:
    return [
        (e.stream, e.grid_ns, e.start_ns, e.end_ns, e.stamp_ns, e.coverage, e.vector.tobytes())
        for e in embeddings
    ]


@pytest.fixture(scope="module")
def expected(
    tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path
) -> list[tuple[object, ...]]:
    path = bags.write_mcap(tmp_path_factory.mktemp("reference") / "drive.mcap", drive())
    rows = plain(encode(path, bundle_folder))
    assert {row[0] for row in rows} == {"/imu", "/camera"}
    assert len(rows) > 10
    return rows


@pytest.mark.parametrize("layout", FORMATS)
def test_every_format_gives_the_same_bytes(
    tmp_path: Path, layout: str, bundle_folder: Path, expected: list[tuple[object, ...]]
) -> None:
    assert plain(encode(FORMATS[layout](tmp_path, drive()), bundle_folder)) == expected


@pytest.mark.parametrize("chunk_bytes", [500, 50_000])
def test_chunks_of_any_size_give_the_same_bytes(
    tmp_path: Path, chunk_bytes: int, bundle_folder: Path, expected: list[tuple[object, ...]]
) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", drive(), chunk_bytes=chunk_bytes)
    assert plain(encode(path, bundle_folder)) == expected


def test_a_recording_in_parts_gives_the_same_bytes(
    tmp_path: Path, bundle_folder: Path, expected: list[tuple[object, ...]]
) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    for part in range(3):
        bags.write_mcap(folder / f"split_{part}.mcap", drive()[part * 150 : (part + 1) * 150])
    assert plain(encode(folder, bundle_folder)) == expected
