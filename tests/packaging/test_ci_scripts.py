# SPDX-License-Identifier: Apache-2.0
"""The scripts that judge a stage: lists of skips and the closing line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).resolve().parents[2] / ".ci"

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
<testcase classname="tests.a.test_one" name="test_runs" time="0.1" />
<testcase classname="tests.a.test_one" name="test_breaks"><failure message="no">x
</failure></testcase>
<testcase classname="tests.a.test_one" name="test_waits"><skipped type="pytest.skip"
  message="needs a device">tests/a/test_one.py:3: needs a device</skipped></testcase>
<testcase classname="" name="tests.b.test_two"><skipped
  message="collection skipped">('/x/test_two.py', 7,
  "Skipped: could not import 'torch'")</skipped></testcase>
</testsuite></testsuites>
"""
LISTED = (
    "# comment\n"
    "tests.a.test_one.test_waits: needs a device\n"
    "tests.b.test_two: could not import 'torch'\n"
)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "core.xml"
    path.write_text(REPORT)
    return path


def run_skips(report: Path, *, data: str = "", update: bool = False) -> tuple[int, str]:
    arguments = [str(CI / "skips.py"), str(report), str(report.parent), "core"]
    done = subprocess.run(
        [sys.executable, *arguments, *(["--update"] if update else [])],
        env={"SENSEBIND_TEST_DATA": data}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_listed_skips_pass(report: Path) -> None:
    (report.parent / "core.txt").write_text(LISTED)
    assert run_skips(report) == (0, "skips of stage core without test data: 2, as listed\n")


def test_unlisted_skip_fails(report: Path) -> None:
    (report.parent / "core.txt").write_text(LISTED.splitlines(keepends=True)[1])
    status, text = run_skips(report)
    assert status == 1
    assert "skipped, but not listed for stage core without test data: tests.b.test_two" in text


def test_listed_test_that_ran_fails(report: Path) -> None:
    (report.parent / "core.txt").write_text(LISTED + "tests.a.test_one.test_runs: no reason\n")
    status, text = run_skips(report)
    assert status == 1
    assert "listed for stage core without test data, but not skipped: tests.a.test_one" in text


def test_second_list_counts_without_data_only(report: Path) -> None:
    _, device, torch = LISTED.splitlines(keepends=True)
    (report.parent / "core.txt").write_text(torch)
    (report.parent / "core-without-data.txt").write_text(device)
    assert run_skips(report)[0] == 0
    assert run_skips(report, data="/data")[0] == 1


def test_update_writes_the_list_of_this_run(report: Path) -> None:
    assert run_skips(report, data="/data", update=True)[0] == 0
    assert run_skips(report, data="/data")[0] == 0
    assert run_skips(report, update=True)[0] == 0
    assert (report.parent / "core-without-data.txt").read_text() == ""


def test_totals_add_up_all_reports(report: Path) -> None:
    (report.parent / "engines.xml").write_text(REPORT)
    done = subprocess.run(
        [sys.executable, str(CI / "totals.py"), str(report.parent)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "tests: 2 passed, 2 failed, 4 skipped\n"


@pytest.mark.parametrize("script", ["run", "lib.sh"])
def test_shell_is_valid(script: str) -> None:
    done = subprocess.run(["bash", "-n", str(CI / script)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_unknown_stage_is_refused() -> None:
    done = subprocess.run(
        ["bash", str(CI / "run"), "cor"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "unknown stage 'cor'; stages are: check core wheel docs aarch64" in done.stderr


def test_every_stage_is_told_of() -> None:
    (listed,) = re.findall(r"^stages=\((.*)\)$", (CI / "run").read_text(), re.MULTILINE)
    page = (CI.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \| 3", page, re.MULTILINE)) == set(listed.split())
