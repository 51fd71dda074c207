# SPDX-License-Identifier: Apache-2.0
"""Compare the tests a stage skipped with the list it is expected to skip.

Usage: skips.py REPORT.xml FOLDER STAGE [--update]

FOLDER/STAGE.txt lists what the stage always skips; FOLDER/STAGE-without-data.txt what it skips in
addition where SENSEBIND_TEST_DATA is unset. One line per test: `test: reason`; lines that begin
with `#` are comments. A skip that is not listed fails, and so does a listed one that did not
happen: a test that silently stops running, or an entry nobody needs, would otherwise go unseen.
"""

from __future__ import annotations

import ast
import os
import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def reported(report: Path) -> set[str]:
    """`test: reason` of every skipped or expectedly failing test in a JUnit report of pytest."""
    skips = set()
    for case in ET.parse(report).iter("testcase"):
        skip = case.find("skipped")
        if skip is not None:
            test = ".".join(filter(None, (case.get("classname"), case.get("name"))))
            skips.add(f"{test}: {_reason(skip)}")
    return skips


def _reason(skip: ET.Element) -> str:
    """First line of the reason; a module that skips itself has it in the element's text."""
    message = skip.get("message") or ""
    if message == "collection skipped":
        # The text is the repr of (file, line, "Skipped: reason").
        message = ast.literal_eval(skip.text or "('', 0, '')")[2].removeprefix("Skipped: ")
    return message.strip().splitlines()[0] if message.strip() else "no reason given"


def expected(folder: Path, stage: str, *, with_data: bool) -> set[str]:
    """Lines of the stage's list, and of its second list where there is no test data."""
    return {
        line.strip()
        for path in _lists(folder, stage, with_data=with_data)
        if path.is_file()
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    }


def _lists(folder: Path, stage: str, *, with_data: bool) -> list[Path]:
    always = folder / f"{stage}.txt"
    return [always] if with_data else [always, folder / f"{stage}-without-data.txt"]


def update(folder: Path, stage: str, found: set[str], *, with_data: bool) -> Path:
    """Rewrite the list this run speaks for and return its path."""
    path = _lists(folder, stage, with_data=with_data)[-1]
    known = set() if with_data else expected(folder, stage, with_data=True)
    path.write_text("".join(f"{line}\n" for line in sorted(found - known)), encoding="utf-8")
    return path


def main(arguments: list[str]) -> int:
    """Run the comparison and return the exit status."""
    report, folder, stage = Path(arguments[0]), Path(arguments[1]), arguments[2]
    with_data = bool(os.environ.get("SENSEBIND_TEST_DATA"))
    found = reported(report)
    if "--update" in arguments[3:]:
        print(f"wrote {update(folder, stage, found, with_data=with_data)}")
        return 0
    wanted = expected(folder, stage, with_data=with_data)
    data = "with" if with_data else "without"
    for line in sorted(found - wanted):
        print(f"skipped, but not listed for stage {stage} {data} test data: {line}")
    for line in sorted(wanted - found):
        print(f"listed for stage {stage} {data} test data, but not skipped: {line}")
    if found == wanted:
        print(f"skips of stage {stage} {data} test data: {len(found)}, as listed")
    return int(found != wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
