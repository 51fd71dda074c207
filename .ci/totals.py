# SPDX-License-Identifier: Apache-2.0
"""Print the closing line of a run: tests passed, failed and skipped over all JUnit reports.

Usage: totals.py FOLDER
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def totals(folder: Path) -> tuple[int, int, int]:
    """(passed, failed, skipped) over the reports `FOLDER/*.xml`; errors count as failed."""
    passed = failed = skipped = 0
    for report in folder.glob("*.xml"):
        for case in ET.parse(report).iter("testcase"):
            tags = {child.tag for child in case}
            failed += bool(tags & {"failure", "error"})
            skipped += "skipped" in tags
            passed += not tags & {"failure", "error", "skipped"}
    return passed, failed, skipped


if __name__ == "__main__":
    print("tests: {} passed, {} failed, {} skipped".format(*totals(Path(sys.argv[1]))))
