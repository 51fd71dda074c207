# SPDX-License-Identifier: Apache-2.0
"""Reading recordings, against the libraries that decode them.

The same messages in every format, from the first byte of the file to arrays: a block of ours in
order of stamps, a message of the peer with its numbers or pixels as an array, touched once. The
peers are rosbags' `AnyReader.deserialize` and, for .mcap, mcap-ros2-support. Beside them stands
what no reader can do without: reading the file and, for .db3, plain sqlite3. Workloads:

* imu: 100 s of a 400 Hz IMU;
* mixed: IMU at 400 Hz, sound at 50 Hz, depth frames of 640 x 480 at 30 Hz.

CPU times of one process, files in the page cache. Apart from that, the peak resident memory of a
process that reads a recording of 1 GB and does nothing else.
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks._machine import describe
from sensebind.sources import open_source
from tests.support import bags
from tests.support.blocks import all_streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.bags import Message

    Read = Callable[[Path], int]

START_NS = 1_700_000_000_000_000_000
MIXED_S, LARGE_S = 12, 56
SAMPLES = {"/imu", "/audio", "/depth"}
FORMATS: dict[str, Callable[[Path, Sequence[Message]], Path]] = {
    "mcap": lambda folder, m: bags.write_mcap(folder / "a.mcap", m, chunk_bytes=4 << 20),
    "mcap zstd": lambda folder, m: bags.write_mcap(
        folder / "z.mcap", m, compression="zstd", chunk_bytes=4 << 20
    ),
    "db3": lambda folder, m: bags.write_db3(folder / "a.db3", m),
    "ros1": lambda folder, m: bags.write_ros1(folder / "a.bag", m),
}
TARGET_RATIO = {"mcap": 3.0, "mcap zstd": 1.0, "db3": 3.0, "ros1": 1.0}
TARGET_MB = 250
PIECE_BYTES = 1 << 20
FILE_ALONE, ROWS_ALONE = "reading the file alone", "plain sqlite3 without decoding"
ROWS = """
    SELECT data FROM messages
    WHERE topic_id IN (SELECT id FROM topics WHERE name IN ('/imu', '/audio', '/depth'))
    ORDER BY timestamp
"""


def messages(seconds: float, *, frames: bool) -> Iterator[Message]:
    """A recording's messages in order of receipt."""
    rng = np.random.default_rng(0)
    pictures = rng.normal(1500, 6, (4, 480, 640)).astype(np.uint16)
    sound = rng.integers(-3000, 3000, 320).astype(np.int16)
    due = [(k * 2_500_000, "/imu", k) for k in range(int(400 * seconds))]
    if frames:
        yield bags.audio_info("/audio_info", START_NS)
        due += [(k * 20_000_000, "/audio", k) for k in range(int(50 * seconds))]
        due += [(k * 1_000_000_000 // 30, "/depth", k) for k in range(int(30 * seconds))]
    for offset_ns, topic, k in sorted(due):
        if topic == "/imu":
            yield bags.imu(topic, START_NS + offset_ns, [k, 0.0, 9.8, 0.1, 0.2, 0.3])
        elif topic == "/audio":
            yield bags.audio(topic, START_NS + offset_ns, sound)
        else:
            yield bags.image(topic, START_NS + offset_ns, pictures[k % 4], "16UC1")


def read_ours(path: Path) -> int:
    """Blocks in order of stamps; returns the number of messages."""
    source = open_source(path)
    with source:
        for _ in source.blocks(all_streams(source), "stamp"):
            pass
    return sum(source.report.read.values())


def read_rosbags(path: Path) -> int:
    """Messages of rosbags, in order of receipt."""
    from rosbags.highlevel import AnyReader

    count = 0
    with AnyReader([path]) as reader:
        wanted = [c for c in reader.connections if c.topic in SAMPLES]
        for connection, _, raw in reader.messages(wanted):
            message = reader.deserialize(raw, connection.msgtype)
            _touch(connection.topic, message)
            count += 1
    return count


def read_mcap_ros2(path: Path) -> int:
    """Messages of mcap-ros2-support, in order of receipt."""
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory

    count = 0
    with path.open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        for _, channel, _, message in reader.iter_decoded_messages(topics=list(SAMPLES)):
            _touch(channel.topic, message)
            count += 1
    return count


def read_plain_sqlite(path: Path) -> int:
    """Rows of plain sqlite3, undecoded: the least that any reader of a .db3 does with it."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as database:
        return sum(len(data) > 0 for (data,) in database.execute(ROWS))


def read_plain_file(path: Path) -> int:
    """Bytes of the file into memory, again and again the same; returns how often."""
    piece = bytearray(PIECE_BYTES)
    with path.open("rb", buffering=0) as stream:
        return sum(1 for _ in iter(lambda: stream.readinto(piece), 0))


def _touch(topic: str, message: object) -> None:
    """Use one value of a peer's message, as an array where it is one."""
    if topic == "/imu":
        _ = message.linear_acceleration.x  # type: ignore[attr-defined]
    elif topic == "/depth":
        _ = np.frombuffer(message.data, np.uint16)[0]  # type: ignore[attr-defined]
    else:
        _ = np.frombuffer(message.audio.data, np.int16)[0]  # type: ignore[attr-defined]


def cpu_seconds(read: Read, path: Path) -> tuple[float, int]:
    """CPU time of one reading, and how many messages it gave."""
    begin = time.process_time()
    count = read(path)
    return time.process_time() - begin, count


def measure(path: Path, peers: dict[str, Read], rounds: int) -> dict[str, object]:
    """Alternate ours, the peers and bare reading; medians, and ratios taken round by round."""
    readers: dict[str, Read] = {"sensebind": read_ours, **peers}
    counts = {name: cpu_seconds(read, path)[1] for name, read in readers.items()}
    if len(set(counts.values())) != 1:
        raise RuntimeError(f"the readers do not agree on {path.name}: {counts}")
    readers[FILE_ALONE] = read_plain_file
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    for index in range(rounds):
        order = list(readers) if index % 2 else list(readers)[::-1]
        for name in order:
            seconds[name].append(cpu_seconds(readers[name], path)[0])
    megabytes = path.stat().st_size / 1e6
    figures: dict[str, object] = {"messages": counts["sensebind"], "megabytes": megabytes}
    for name, times in seconds.items():
        median = statistics.median(times)
        ratios = [peer / ours for peer, ours in zip(times, seconds["sensebind"], strict=True)]
        figures[name] = {
            "cpu_s": median,
            "messages_per_s": counts["sensebind"] / median,
            "megabytes_per_s": megabytes / median,
            "times_ours": statistics.median(ratios),
            "times_ours_quartiles": statistics.quantiles(ratios, n=4)[::2],
        }
    return figures


def peak_megabytes(path: Path) -> float:
    """Peak resident memory of a fresh process that reads a recording."""
    command = [sys.executable, "-m", "benchmarks.bags", "--read", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout)


def compare(folder: Path, rounds: int) -> dict[str, dict[str, object]]:
    """Every workload in every format."""
    results: dict[str, dict[str, object]] = {}
    for workload, content in (
        ("imu", list(messages(100, frames=False))),
        ("mixed", list(messages(MIXED_S, frames=True))),
    ):
        for name, write in FORMATS.items():
            path = write(folder, content)
            peers: dict[str, Read] = {"rosbags": read_rosbags}
            if name.startswith("mcap"):
                peers["mcap-ros2-support"] = read_mcap_ros2
            if name == "db3":
                peers[ROWS_ALONE] = read_plain_sqlite
            figures = measure(path, peers, rounds)
            path.unlink()
            results[f"{workload}, {name}"] = figures
            print(_line(workload, name, figures))
    return results


def _line(workload: str, name: str, figures: dict[str, object]) -> str:
    ours = figures["sensebind"]
    assert isinstance(ours, dict)
    parts = [f"{ours['megabytes_per_s']:.0f} MB/s, {ours['messages_per_s']:.0f} messages/s"]
    for peer, theirs in figures.items():
        if not isinstance(theirs, dict) or peer == "sensebind":
            continue
        if peer in (FILE_ALONE, ROWS_ALONE):
            parts.append(f"{peer} takes {theirs['times_ours']:.0%} of our time")
        else:
            parts.append(f"{theirs['times_ours']:.2f} times as fast as {peer}")
    return f"{workload}, {name}: {'; '.join(parts)} (target {TARGET_RATIO[name]:g})"


def memory(folder: Path) -> dict[str, float]:
    """Peak memory on 1 GB of the mixed workload, in every uncompressed format."""
    results = {}
    for name in ("mcap", "db3", "ros1"):
        path = FORMATS[name](folder, list(messages(LARGE_S, frames=True)))
        results[name] = peak_megabytes(path)
        size = path.stat().st_size / 1e6
        print(f"{name} of {size:.0f} MB: peak {results[name]:.0f} MB (target {TARGET_MB})")
        path.unlink()
    return results


def main() -> None:
    """Compare the readers, print a line each and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9, help="alternations per format")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--read", type=Path, help="only read this recording; print the peak in MB")
    options = parser.parse_args()
    if options.read:
        read_ours(options.read)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
        return
    with tempfile.TemporaryDirectory() as folder:
        results = compare(Path(folder), options.rounds)
        peaks = memory(Path(folder))
    if options.out:
        packages = ("sensebind", "numpy", "rosbags", "mcap", "mcap-ros2-support")
        document = {
            "machine": describe(packages),
            "rounds": options.rounds,
            "formats": results,
            "peak_megabytes_of_1_gb": peaks,
        }
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
