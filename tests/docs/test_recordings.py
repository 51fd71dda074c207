# SPDX-License-Identifier: Apache-2.0
"""The page on recordings: its commands run, and its tables are complete."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sensebind.config import FRAMES, StreamConfig
from sensebind.sinks import open_live_sink
from sensebind.sources.imu_join import MAX_INTERVAL_NS
from sensebind.sources.messages.pcm import SAMPLE_FORMATS
from sensebind.types import SampleBlock
from sensebind.units import ACCELERATION_UNITS, RATE_UNITS
from tests.docs.test_docs import FENCE, ROOT, commands, run
from tests.support.recorded import IMU, Taken
from tests.support.recorded import record as record_blocks
from tests.support.records import record, run_metadata

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "recordings.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [words[1:] for words in commands(PAGE) if words[0] == "sensebind"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recordings the page speaks of."""
    folder = tmp_path_factory.mktemp("recordings")
    sample = ROOT / "runtime" / "sensebind" / "_data" / "sample" / "sample.mcap"
    for name in ("drive", "a", "b"):
        (folder / f"{name}.mcap").symlink_to(sample)
    (folder / "pictures").mkdir()
    for number in range(4):
        Image.new("RGB", (64, 48), (60 * number, 0, 0)).save(folder / "pictures" / f"{number}.jpg")
    (folder / "walk").mkdir()
    stamps_ns = range(0, 5_000_000_000, 10_000_000)
    for name, row in (("accel", "0.1,-9.8,0"), ("gyro", "0,0.1,0")):
        lines = [f"{stamp_ns},{row}" for stamp_ns in stamps_ns]
        columns = ",".join(f"{name[0]}{axis}" for axis in "xyz")
        (folder / "walk" / f"{name}.csv").write_text("\n".join([f"t_ns,{columns}", *lines]) + "\n")
    interrupted = open_live_sink(folder / "live.parquet", run_metadata())
    interrupted.write(record(0))
    interrupted.abort()
    stamps = 10**9 * 1_700_000_000 + np.array(stamps_ns)
    readings = SampleBlock(IMU, stamps, np.tile([0.1, 0, 9.8, 0, 0.1, 0], (len(stamps), 1)))
    recorder = record_blocks(folder / "whole.mcap", [Taken(int(stamps[-1]), readings)])
    recorder.path.rename(folder / "robot.mcap.part")
    return folder


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_its_commands_run(workplace: Path, words: list[str]) -> None:
    run(["sensebind", *words], workplace)
    for out in (workplace / word for word in words if word.endswith(".parquet")):
        assert out.stat().st_size > 0


def test_every_option_format_frame_and_unit_is_told() -> None:
    told = set(re.findall(r"`\"?([^`\"\n]+)\"?`", FENCE.sub("", TEXT)))
    options = {re.sub("_(s|hz|px)$", "", name) for name in StreamConfig.__struct_fields__}
    assert options - {"modality"} <= told
    assert set(SAMPLE_FORMATS) <= told
    assert set(FRAMES) <= told
    assert {"m/s^2", *ACCELERATION_UNITS} - {"m/s²", "m/s2"} <= told
    assert set(RATE_UNITS) - {"dps"} <= told


def test_the_limit_of_joining_is_the_one_told() -> None:
    (told_ms,) = re.findall(r"at most (\d+) ms apart", TEXT)
    assert int(told_ms) * 1_000_000 == MAX_INTERVAL_NS
