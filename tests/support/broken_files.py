# SPDX-License-Identifier: Apache-2.0
"""Recordings, plain files and files of ours damaged at random, and what readers make of them.

`python -m tests.support.broken_files SEED COUNT FOLDER` reads COUNT of them under a limit on
memory, and exits non-zero at the first that is neither read nor refused with an error of ours.
"""

from __future__ import annotations

import faulthandler
import random
import resource
import struct
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from PIL import Image

from sensebind.calibration import Calibration
from sensebind.errors import SenseBindError
from sensebind.manifest import decode_manifest
from sensebind.robot.reading import read_robot_config
from sensebind.search import search
from sensebind.sinks import open_sink, recover
from sensebind.sinks.base import finishing
from sensebind.sinks.reading import open_records
from sensebind.sources import open_source
from sensebind.storage import data_folder
from sensebind.types import SampleBlock, UniformBlock
from sensebind.zero_shot import parse_prompts
from tests.support import bags, realsense
from tests.support.blocks import all_streams
from tests.support.calibrations import IDENTITY, write_calibration
from tests.support.recorded import IMU, MICROPHONE, Taken
from tests.support.recorded import record as recorded
from tests.support.records import record, run_metadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

START_NS = 1_700_000_000_000_000_000
LONGEST_S = 20.0
MEMORY_BYTES = 1 << 30
"""Beyond what the process has mapped when it begins."""
ROBOT = b"""
bundle = "demo"
hop_s = 0.5
prompts = {alarm = ["an alarm"], quiet = ["silence"]}
[devices.drive]
kind = "recording"
path = "drive.mcap"
factor = 1.0
[streams."/mic"]
modality = "audio"
lateness_s = 0.0
[labels]
smoothing = "majority"
smoothing_s = 2.0
[output]
file = "embeddings.parquet"
rotate_s = 3600.0
keep = 168
"""


def wholes(folder: Path) -> list[tuple[str, bytes]]:
    """Name and bytes of one small file of every kind, undamaged."""
    plain = [(path.name, path.read_bytes()) for path in plain_files(folder)]
    return [("mutated", data) for data in recordings(folder)] + plain + ours(folder)


def ours(folder: Path) -> list[tuple[str, bytes]]:
    """Name and bytes of what we write or are configured by; `OWN_READERS` reads them."""
    with finishing(open_sink(folder / "records.parquet", run_metadata(labels=("a", "b")))) as sink:
        for k in range(20):
            sink.write(record(k, scores=[0.1, 0.9], labels=("a", "b")))
    stamps_ns = START_NS + np.arange(4)
    sound = UniformBlock(MICROPHONE, START_NS, 16_000.0, np.zeros((160, 1), np.float32))
    taken = [
        Taken(START_NS + k, SampleBlock(IMU, stamps_ns + 4 * k, np.ones((4, 6)))) for k in range(9)
    ]
    recorded(folder / "live.mcap", [*taken, Taken(START_NS + 9, sound)])
    bias = {"accel_matrix": IDENTITY, "gyro_matrix": IDENTITY, "accel_bias": [0.0] * 3}
    imu = {"/imu": {**bias, "gyro_bias": [0.0] * 3}}
    depth = {"/d": {"scale": 1.1, "max_range_m": 9.0, "width": 640, "height": 480}}
    calibration = write_calibration(folder, imu=imu, depth=depth).read_bytes()
    return [
        ("bundle.json", (data_folder() / "bundles/demo/bundle.json").read_bytes()),
        ("records.parquet", (folder / "records.parquet").read_bytes()),
        ("live.mcap", (folder / "live.mcap").read_bytes()),
        ("killed.mcap.part", (folder / "live.mcap").read_bytes()),
        ("calibration.toml", calibration),
        ("robot.toml", ROBOT),
        ("prompts.toml", b'alarm = ["an alarm", "a siren"]\ndog = ["a dog"]\n'),
        ("prompts.json", b'{"alarm": ["an alarm", "a siren"], "dog": ["a dog"]}'),
    ]


def plain_files(folder: Path) -> list[Path]:
    """Pictures, sounds and tables."""
    rng = np.random.default_rng(0)
    paths = [folder / f"0.{s}" for s in ("csv", "parquet", "wav", "flac", "ogg", "png", "jpg")]
    csv, parquet, *sounds, png, jpg = paths
    table: dict[str, NDArray[Any]] = {"t_ns": np.arange(40) * 10_000_000 + START_NS}
    table |= {name: rng.normal(size=40) for name in ("ax", "ay", "az", "gx", "gy", "gz")}
    rows = [",".join(map(str, row)) for row in zip(*table.values(), strict=True)]
    csv.write_text("\n".join([",".join(table), *rows]) + "\n")
    pq.write_table(pa.table(table), parquet)
    for sound in sounds:
        soundfile.write(sound, 0.1 * rng.normal(size=1600), 16000)
    Image.fromarray(rng.integers(0, 65536, (6, 8), dtype=np.uint16)).save(png)
    Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(jpg)
    return paths


def recordings(folder: Path) -> list[bytes]:
    """One small recording of every format, as bytes."""
    rng = np.random.default_rng(0)
    messages: list[bags.Message] = [bags.audio_info("/audio_info", START_NS)]
    for k in range(40):
        log_ns = START_NS + k * 10_000_000
        messages.append(bags.imu("/imu", log_ns, rng.normal(size=6).tolist()))
        if k % 8 == 0:
            pixels = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            messages.append(bags.image("/camera", log_ns, pixels, "rgb8"))
            messages.append(bags.audio("/audio", log_ns, np.zeros(160, np.int16)))
    paths = [
        bags.write_mcap(folder / "a.mcap", messages),
        bags.write_mcap(folder / "z.mcap", messages, compression="zstd"),
        bags.write_mcap(folder / "l.mcap", messages, compression="lz4"),
        bags.write_mcap(folder / "n.mcap", messages, indexed=False),
        bags.write_mcap(folder / "u.mcap", messages, chunked=False),
        bags.write_db3(folder / "a.db3", messages),
        realsense.write_db3(folder / "r.db3", 10),
        bags.write_ros1(folder / "a.bag", messages, chunk_bytes=4096),
        bags.write_ros1(folder / "b.bag", messages, "bz2", chunk_bytes=4096),
        bags.write_ros1(folder / "l.bag", messages, "lz4", chunk_bytes=4096),
        realsense.write_bag(folder / "r.bag"),
        bags.packed(bags.write_mcap(folder / "p.mcap", messages)),
        bags.packed(bags.write_db3(folder / "p.db3", messages)),
    ]
    return [path.read_bytes() for path in paths]


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 2, 8, 64))):
        data[rng.randrange(len(data))] = rng.randrange(256)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _splice(data: bytearray, rng: random.Random) -> None:
    begin, end = sorted(rng.randrange(len(data)) for _ in range(2))
    place = rng.randrange(len(data))
    if rng.random() < 0.5:
        data[place:place] = data[begin : min(end, begin + 5000)]
    else:
        del data[begin : min(end, begin + 5000)]


def _lie(data: bytearray, rng: random.Random) -> None:
    """Overwrite what may be a length with one that cannot be."""
    value = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1, len(data)))
    layout = rng.choice(("<I", "<Q", ">I"))
    packed = struct.pack(layout, value % 2 ** (8 * struct.calcsize(layout)))
    place = rng.randrange(len(data))
    data[place : place + len(packed)] = packed


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (_flip, _cut, _splice, _lie)


def mutated(whole: bytes, rng: random.Random) -> bytes:
    """The recording with one to three kinds of damage."""
    data = bytearray(whole)
    for _ in range(rng.randint(1, 3)):
        if data:
            rng.choice(MUTATIONS)(data, rng)
    return bytes(data)


def read_records(path: Path) -> None:
    """Read records in both ways there are."""
    file = open_records(path)
    for _ in file.records():
        pass
    with np.errstate(all="ignore"):  # damaged vectors are of any length
        search([file], np.ones(file.metadata.dim), 3)


OWN_READERS: dict[str, Callable[[Path], object]] = {
    "bundle.json": lambda path: decode_manifest(path.read_bytes()),
    "records.parquet": read_records,
    "killed.mcap.part": lambda path: recover(path.with_suffix("")),
    "calibration.toml": Calibration.load,
    "robot.toml": read_robot_config,
    "prompts.toml": lambda path: parse_prompts(str(path)),
    "prompts.json": lambda path: parse_prompts(str(path)),
}


def read(path: Path) -> None:
    """Read whatever can be read of a file; an error of ours refuses it."""
    if path.name in OWN_READERS:
        OWN_READERS[path.name](path)
        return
    source = open_source(path)
    for order in ("stamp", "log"):
        with source:
            for _ in source.blocks(all_streams(source), order):
                pass


def main(seed: int, count: int, folder: Path) -> int:
    """Read damaged files; returns the exit code."""
    faulthandler.enable()
    kinds = wholes(folder)
    _limit_memory()
    rng = random.Random(seed)
    refused = 0
    for number in range(count):
        name, whole = kinds[number % len(kinds)]
        data = mutated(whole, rng)
        path = folder / "damaged" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        begin_s = time.process_time()
        try:
            read(path)
        except SenseBindError:
            refused += 1
        except BaseException:  # noqa: BLE001 - any other end of reading is a find
            traceback.print_exc()
            return _failed(data, seed, number, folder)
        if time.process_time() - begin_s > LONGEST_S:
            return _failed(data, seed, number, folder)
    print(f"{count} files, {refused} refused")
    return 0


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _failed(data: bytes, seed: int, number: int, folder: Path) -> int:
    (folder / "failed").write_bytes(data)
    print(f"file {number} of seed {seed}: neither read nor refused in time; kept as failed")
    return 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
