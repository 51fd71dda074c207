# SPDX-License-Identifier: Apache-2.0
"""What the wheel holds."""

from __future__ import annotations

import re
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

import sensebind
from tests.support.toml import read_toml

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = [
    ROOT / "runtime" / "sensebind",
    ROOT / "engines" / "sensebind_engines",
    ROOT / "calibration" / "sensebind_calibration",
]

LIMIT_BYTES = 50 * 10**6
"""The demo bundle may have 38 MB, the sample recording 9 MB; the rest is small."""

HOME_PATH = re.compile(rb"/(?:home|root|Users)/[\w.-]+/")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return ZipFile(path)


def test_holds_the_packages_and_nothing_else(wheel: ZipFile) -> None:
    expected = {
        path.relative_to(package.parent).as_posix()
        for package in PACKAGES
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found == expected
    for package in PACKAGES:
        assert f"{package.name}/py.typed" in found
    assert any(name.startswith("sensebind/_data/msgs/") for name in found)


def test_carries_its_licences_and_version(wheel: ZipFile) -> None:
    info = f"sensebind-{sensebind.__version__}.dist-info"
    assert wheel.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert wheel.read(f"{info}/licenses/THIRD_PARTY.toml")
    metadata = message_from_bytes(wheel.read(f"{info}/METADATA"))
    assert metadata["Version"] == sensebind.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"


def test_is_small_enough(wheel: ZipFile) -> None:
    assert wheel.filename is not None
    assert Path(wheel.filename).stat().st_size <= LIMIT_BYTES


def test_names_no_folder_of_the_machine_that_made_it(wheel: ZipFile) -> None:
    for name in wheel.namelist():
        content = wheel.read(name)
        assert not (found := HOME_PATH.search(content)), f"{name}: {found}"
        assert bytes(ROOT) + b"/" not in content, name


def test_version_is_told_in_one_place() -> None:
    project = read_toml(ROOT / "pyproject.toml")
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "runtime/sensebind/version.py"


def test_what_cannot_read_it_says_the_same() -> None:
    """package.xml allows three numbers alone."""
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {sensebind.__version__}\n" in citation
    told = {
        found
        for path in ROOT.glob("*/*/package.xml")
        for found in re.findall(r"<version>(.*)</version>", path.read_text(encoding="utf-8"))
    }
    assert told == {re.sub(r"\.?dev\d+$", "", sensebind.__version__)}
