# SPDX-License-Identifier: Apache-2.0
"""The page on sources: its example runs as it stands, and is short."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sensebind.sources.devices.imu_lines import HEADER, LONGEST_LINE, LineReader
from tests.docs.test_docs import ROOT, blocks
from tests.support.running import no_thread_is_left

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["no_thread_is_left"]

PAGE = ROOT / "docs" / "sources.md"


def test_the_example_is_a_source(capsys: pytest.CaptureFixture[str]) -> None:
    (text,) = blocks(PAGE, "python")
    source = text[text.index("class ") : text.index("with sb.")]
    assert len(source.strip().splitlines()) <= 40
    exec(compile(text, str(PAGE), "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("/pendulum/imu ") for line in lines)


def test_the_protocol_of_lines_is_told_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"`{HEADER.decode()}`" in page
    assert f"from {LONGEST_LINE + 1} bytes on" in page
    reader = LineReader(begun=False)
    reader.push(b"a\n1\n1,1e999,0,0,0,0,0\n" + b"1" * (LONGEST_LINE + 1) + b"\n")
    assert len(reader.garbage) == 4
    for cause in reader.garbage:
        assert f"`{cause}`" in page


@pytest.mark.parametrize("module", ["microphone", "imu_line_sources", "camera", "realsense"])
def test_the_devices_are_where_the_page_says(module: str) -> None:
    folder: Path = ROOT / "runtime/sensebind/sources/devices"
    assert (folder / f"{module}.py").exists()
    assert f"`sources.devices.{module}." in PAGE.read_text(encoding="utf-8")
