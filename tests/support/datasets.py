# SPDX-License-Identifier: Apache-2.0
"""Small data sets on disk for tests: files of every sense, a recording, and their manifest."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from PIL import Image

from tests.support import bags

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

MS = 1_000_000
START_NS = 1_700_000_000 * 10**9 + 123 * MS


def manifest(path: Path, *rows: Mapping[str, object]) -> Path:
    """Write rows as JSON lines, or as Parquet by the suffix."""
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = dict.fromkeys(name for row in rows for name in row)
        pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def picture(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A smooth colour picture."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def depth_mm(seed: int, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint16]:
    """A slope of depths in millimetres, with a hole."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    depth = np.asarray(1000 + 20 * rows + (5 + seed) * columns, np.uint16)
    depth[5:9, 7:20] = 0
    return depth


def imu_rows(count: int, seed: int = 7) -> NDArray[np.float64]:
    """Readings (n, 6) of something that stands on the floor and shakes."""
    rows = np.random.default_rng(seed).normal(0, 1, (count, 6))
    rows[:, 2] += 9.81
    return rows


def files(folder: Path, number: int) -> dict[str, str]:
    """Write one file of each sense; returns names by modality."""
    stem = f"item{number}"
    picture(number).save(folder / f"{stem}.jpg", quality=90)
    Image.fromarray(depth_mm(number)).save(folder / f"{stem}-depth.png")
    grey = np.asarray(picture(number + 100).convert("L"))
    Image.fromarray(grey).save(folder / f"{stem}-thermal.png")
    sound = 0.3 * np.random.default_rng(number).standard_normal(48_000)
    soundfile.write(folder / f"{stem}.wav", sound.clip(-1, 1), 16_000)
    imu_csv(folder / f"{stem}.csv", imu_rows(300, number))
    return {
        "vision": f"{stem}.jpg",
        "depth": f"{stem}-depth.png",
        "thermal": f"{stem}-thermal.png",
        "audio": f"{stem}.wav",
        "imu": f"{stem}.csv",
    }


def imu_csv(path: Path, rows: NDArray[np.float64], start_ns: int = 0) -> Path:
    """A table at 100 Hz."""
    lines = ["t_ns,ax,ay,az,gx,gy,gz"]
    for index, row in enumerate(rows):
        cells = ",".join(repr(float(value)) for value in row)
        lines.append(f"{start_ns + index * 10 * MS},{cells}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def recording(path: Path, seconds: int = 4, seed: int = 0) -> Path:
    """An .mcap of camera, depth and thermal (10 Hz), microphone (16 kHz) and IMU (100 Hz)."""
    messages: list[Any] = [bags.audio_info("/mic/info", START_NS)]
    rng = np.random.default_rng(seed)
    for index, row in enumerate(imu_rows(100 * seconds, seed)):
        messages.append(bags.imu("/imu", START_NS + index * 10 * MS, row))
    for index in range(10 * seconds):
        stamp_ns = START_NS + index * 100 * MS
        content = io.BytesIO()
        picture(seed * 1000 + index).save(content, "JPEG", quality=90)
        messages.append(bags.compressed_image("/camera", stamp_ns, content.getvalue(), "jpeg"))
        messages.append(bags.image("/depth", stamp_ns, depth_mm(index), "16UC1"))
        grey = np.asarray(picture(seed + index + 500).convert("L"))
        messages.append(bags.image("/thermal", stamp_ns, grey, "mono8"))
        samples = rng.integers(-8000, 8000, 1600).astype(np.int16)
        messages.append(bags.audio("/mic", stamp_ns, samples))
    messages.sort(key=lambda message: message.log_ns)
    return bags.write_mcap(path, messages)
