# SPDX-License-Identifier: Apache-2.0
"""The scripts that judge a stage: lists of skips and the closing line."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
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


@pytest.mark.parametrize("script", ["run", "lib.sh", "pycuda.sh"])
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
    script = (CI / "run").read_text(encoding="utf-8")
    page = (CI.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    stages, others = (re.findall(rf"^{name}=\((.*)\)$", script, re.MULTILINE)[0].split()
                      for name in ("stages", "others"))  # fmt: skip
    assert set(re.findall(r"^\| `(\w+)` \| 3", page, re.MULTILINE)) == set(stages)
    rows = "".join(re.findall(r"^\| `\w+` \| 3.*$", page, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", rows)) >= set(others)


class Cache:
    """Environments of earlier runs; each takes a GB of a disk that had 7 free."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder / "cache", folder / "bin"
        for hours, name in enumerate(("new", "older", "oldest"), start=1):
            (self.folder / name).mkdir(parents=True)
            (self.folder / name / ".complete").touch()
            self.used(name, hours)
        self.bin.mkdir()
        self.program(
            "df",
            f"shopt -s nullglob\nset -- {self.folder}/*/\n"
            "echo header; echo disk 0 0 $(((7 - $#) << 20)) 0% /\n",
        )

    def program(self, name: str, script: str) -> None:
        """A stand-in that is found before the machine's."""
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{script}")
        path.chmod(0o755)

    def used(self, name: str, hours_ago: float) -> None:
        lock = self.folder / f"{name}.lock"
        lock.touch()
        then = time.time() - 3600 * hours_ago
        os.utime(lock, (then, then))

    def start(self, script: str) -> subprocess.Popen[str]:
        path = f"{self.bin}:{os.environ['PATH']}"
        return subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", f"source {CI / 'lib.sh'}\n{script}"],
            env={"PATH": path, "SENSEBIND_CI_CACHE": str(self.folder)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, script: str) -> tuple[int, str]:
        """Exit status and complaints."""
        process = self.start(script)
        _, complaints = process.communicate()
        return process.returncode, complaints

    def kept(self) -> set[str]:
        return {path.name for path in self.folder.iterdir() if path.is_dir()}


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


def test_room_is_made_of_what_was_not_used_for_longest(cache: Cache) -> None:
    assert cache.run("make_room 5") == (0, "")
    assert cache.kept() == {"new", "older"}
    assert (cache.folder / "oldest.lock").exists()


def test_what_no_run_used_for_a_fortnight_goes_where_there_is_room_too(cache: Cache) -> None:
    cache.used("older", 15.1 * 24)
    assert cache.run("make_room 1") == (0, "")
    assert cache.kept() == {"new", "oldest"}


def test_what_a_run_holds_stays_and_too_little_room_is_told(cache: Cache) -> None:
    status, complaints = cache.run('(hold "$cache/older" && make_room 9)')
    assert status == 1
    assert cache.kept() == {"older"}
    assert f"6 GB are free at {cache.folder}, and 9 are needed; make room or set" in complaints


def test_a_run_waits_for_another_that_uses_the_same(cache: Cache) -> None:
    with (cache.folder / "new.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = cache.start('hold "$cache/new" && echo held')
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == f"  waiting for a run that uses {cache.folder}/new\n"
    assert waiting.communicate() == ("held\n", "")


def test_what_tests_leave_behind_does_not_hold_an_environment(cache: Cache) -> None:
    pid = cache.folder / "pid"
    cache.program(
        "python", f'[ "$2" = pytest ] || exit 0\nsleep 60 >/dev/null 2>&1 &\necho $! >{pid}'
    )
    script = f'root=. work={cache.folder}; hold "$cache/new"; run_tests core'
    assert cache.run(script) == (0, "")
    left = int(pid.read_text())
    try:
        os.kill(left, 0)
        with (cache.folder / "new.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.kill(left, signal.SIGTERM)


NO_WAITING = 'sleep() { echo "waits $1 s" >&2; }\n'


def test_packages_are_asked_for_again_where_another_holds_the_lists(cache: Cache) -> None:
    calls = cache.folder / "calls"
    cache.program("dpkg-query", "exit 1")
    cache.program("id", "echo 0")
    cache.program(
        "apt-get",
        f'echo "$@" >>{calls}\n'
        f'[ $(wc -l <{calls}) -gt 1 ] || {{ echo "E: Could not get lock" >&2; exit 100; }}\n',
    )
    status, complaints = cache.run(f"{NO_WAITING}work={cache.folder}; system_packages gcc g++")
    assert (status, complaints) == (0, "E: Could not get lock\nwaits 10 s\n")
    update, again, install = calls.read_text().splitlines()
    assert update == again
    assert update.endswith(" update")
    assert install.endswith(" install -y --no-install-recommends gcc g++")


def test_what_cannot_be_installed_is_told_after_three_attempts(cache: Cache) -> None:
    cache.program("dpkg-query", "exit 1")
    cache.program("id", "echo 0")
    cache.program("apt-get", 'echo "E: Temporary failure resolving" >&2; exit 100')
    status, complaints = cache.run(f"{NO_WAITING}work={cache.folder}; system_packages gcc")
    assert status == 1
    assert complaints.splitlines() == [
        "E: Temporary failure resolving",
        "waits 10 s",
        "E: Temporary failure resolving",
        "waits 60 s",
        "E: Temporary failure resolving",
        "ci: error: could not install gcc; run: sudo apt-get install gcc",
    ]
