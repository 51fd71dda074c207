# SPDX-License-Identifier: Apache-2.0
"""Reading a part of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensebind.errors import InputError, SourceError
from sensebind.sources import open_source
from sensebind.sources.bags import mcap_file, ros1_file
from sensebind.sources.bags.trimmed import _part
from sensebind.sources.time_range import Instant, parse_instant, time_range
from sensebind.types import SampleBlock, UniformBlock
from tests.runtime.sources.test_bags import FORMATS
from tests.support import bags
from tests.support.blocks import read_all

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.sources.base import Source

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
ROWS = tuple(
    bags.imu("/imu", START_NS + 10 * k * MS, [k] * 6, stamp_ns=START_NS + (10 * k - 3) * MS)
    for k in range(1000)
)


def numbers(source: Source) -> list[float]:
    blocks = read_all(source)
    return [x for block in blocks if isinstance(block, SampleBlock) for x in block.values[:, 0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", Instant(0, absolute=False)),
        ("12.5", Instant(12_500_000_000, absolute=False)),
        (".1", Instant(100_000_000, absolute=False)),
        ("1700000000", Instant(START_NS, absolute=True)),
        ("1700000000.123456789", Instant(START_NS + 123_456_789, absolute=True)),
        ("2023-11-14T22:13:20Z", Instant(START_NS, absolute=True)),
        ("2023-11-14T22:13:20.35Z", Instant(START_NS + 350_000_000, absolute=True)),
        ("2023-11-14T23:13:20.000000007+01:00", Instant(START_NS + 7, absolute=True)),
        ("2023-11-14 22:13:20", Instant(START_NS, absolute=True)),
        ("2023-11-14T23:13:20.000001+01:00", Instant(START_NS + 1000, absolute=True)),
        ("2023-11-15", Instant(START_NS + 6_400 * 10**9, absolute=True)),
    ],
)
def test_instants(text: str, expected: Instant) -> None:
    assert parse_instant(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "-3", "1e3", "nan", "2023-13-01", "9" * 30])
def test_texts_that_are_no_instant(text: str) -> None:
    with pytest.raises(InputError, match="is not a time; expected seconds after the recording's"):
        parse_instant(text)


@pytest.mark.parametrize("layout", FORMATS)
def test_times_that_no_recording_has_leave_nothing_out(tmp_path: Path, layout: str) -> None:
    path = FORMATS[layout](tmp_path, ROWS)
    limits = time_range("0001-01-01", "9999-12-31")
    assert numbers(open_source(path, time_range=limits)) == list(range(1000))


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("limits", [("2.5", "4"), (None, "0.01"), ("9.985", None)])
def test_every_format_gives_what_was_received_in_the_range(
    tmp_path: Path, layout: str, limits: tuple[str | None, str | None]
) -> None:
    path = FORMATS[layout](tmp_path, ROWS)
    begin, end = (None if text is None else round(float(text) * 100) for text in limits)
    expected = list(range(1000))[begin:end]
    if limits[0] == "9.985":
        expected = [999]
    assert numbers(open_source(path, time_range=time_range(*limits))) == expected


def test_absolute_times_mean_the_same(tmp_path: Path) -> None:
    path = bags.write_mcap(tmp_path / "a.mcap", ROWS)
    limits = time_range("2023-11-14T22:13:22Z", "1700000002.05")
    source = open_source(path, time_range=limits)
    assert numbers(source) == [200, 201, 202, 203, 204]
    assert source.report.notes == [
        "read from 2.000 s (2023-11-14T22:13:22.000Z) to 2.050 s (2023-11-14T22:13:22.050Z)"
    ]


@pytest.mark.parametrize("layout", ["mcap", "ros1"])
def test_chunks_outside_of_the_range_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    path = tmp_path / "a.bag"
    if layout == "mcap":
        bags.write_mcap(path, ROWS)
    else:
        bags.write_ros1(path, ROWS, chunk_bytes=20_000)
    source = open_source(path, time_range=time_range("9.95", None))
    source.streams()
    read = []
    module, name = {"mcap": (mcap_file, "read_body"), "ros1": (ros1_file, "read_chunk")}[layout]
    real = getattr(module, name)

    def counted(*arguments: object) -> bytes:
        content: bytes = real(*arguments)
        read.append(len(content))
        return content

    monkeypatch.setattr(module, name, counted)
    assert numbers(source) == [995, 996, 997, 998, 999]
    assert sum(read) < path.stat().st_size / 3


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            ("4", "2"),
            r"begins at 4.000 s .* and ends at 2.000 s .*; expected an end after the begin",
        ),
        (("60", None), r"nothing was recorded in the time range; the recording goes from 0.000 s"),
        ((None, "2001-01-01"), r"nothing was recorded in the time range"),
    ],
)
def test_ranges_without_content_are_refused(
    tmp_path: Path, limits: tuple[str | None, str | None], message: str
) -> None:
    source = open_source(bags.write_mcap(tmp_path / "a.mcap", ROWS), time_range=time_range(*limits))
    with pytest.raises(SourceError, match=message):
        read_all(source)


def table(folder: Path) -> Path:
    lines = [f"{START_NS + 10 * k * MS},{k},0,9.8,0,0,0" for k in range(300)]
    (folder / "imu.csv").write_text("\n".join(["t_ns,ax,ay,az,gx,gy,gz", *lines]) + "\n")
    return folder / "imu.csv"


def test_plain_files_are_trimmed_by_stamp(tmp_path: Path) -> None:
    source = open_source(table(tmp_path), time_range=time_range("1.005", "1700000001.03"))
    with source:
        assert numbers(source) == [101, 102]
    assert source.progress() == 1.0
    assert source.sha256() == open_source(tmp_path / "imu.csv").sha256()
    beyond = open_source(tmp_path / "imu.csv", time_range=time_range("60", None))
    assert read_all(beyond) == []
    assert beyond.report.notes[-1] == "imu.csv: nothing of it lies in the time range"


@given(
    begin=st.integers(-2000, 2000),
    length=st.integers(0, 3000),
    rate_hz=st.sampled_from([8000.0, 16_000.0, 44_100.0]),
)
def test_sound_is_trimmed_by_sample(begin: int, length: int, rate_hz: float) -> None:
    values = np.arange(100, dtype=np.float32).reshape(-1, 1)
    begin_ns, end_ns = START_NS + begin * 10_000, START_NS + (begin + length) * 10_000
    part = _part(UniformBlock("/audio", START_NS, rate_hz, values), begin_ns, end_ns)
    stamps_ns = [START_NS + round(k * 1e9 / rate_hz) for k in range(100)]
    inside = [k for k, stamp_ns in enumerate(stamps_ns) if begin_ns <= stamp_ns < end_ns]
    if not inside:
        assert part is None
        return
    assert isinstance(part, UniformBlock)
    assert part.values[:, 0].tolist() == inside
    assert part.stamp_ns == stamps_ns[inside[0]]
