# SPDX-License-Identifier: Apache-2.0
"""Debian packages as sources: found, verified, read; what is said when they are not there."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from sensebind.errors import SourceError
from sensebind_engines.recipes.debian import DebianPackage, read_members
from tests.engines.recipes.sample_recording.fakes import package

if TYPE_CHECKING:
    from pathlib import Path

MEMBER = "./usr/share/one"
CONTENT = package(MEMBER, b"something")
ONE = DebianPackage("one", "1.0-2", hashlib.sha256(CONTENT).hexdigest())


def test_reads_a_file_of_the_verified_package(tmp_path: Path) -> None:
    (tmp_path / "one_1.0-2_all.deb").write_bytes(CONTENT)
    assert read_members(ONE.find(tmp_path), [MEMBER]) == {MEMBER: b"something"}


def test_asks_apt_for_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], cwd: Path, **_: Any) -> None:
        assert command == ["apt-get", "download", "one=1.0-2"]
        (cwd / ONE.file_name).write_bytes(CONTENT)

    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    assert ONE.find(tmp_path / "cache").read_bytes() == CONTENT


def test_a_missing_package_names_the_command_that_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SourceError, match=r"apt-get download one=1\.0-2"):
        ONE.find(tmp_path)


def test_a_changed_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / ONE.file_name).write_bytes(CONTENT + b"\n")
    with pytest.raises(SourceError, match=f"expected {ONE.sha256}; delete it"):
        ONE.find(tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PK\x03\x04", "not an ar archive"),
        (b"!<arch>\n", r"no member 'data\.tar'"),
        (CONTENT, "does not hold ./usr/share/two"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    deb = tmp_path / "any.deb"
    deb.write_bytes(content)
    with pytest.raises(SourceError, match=told):
        read_members(deb, [MEMBER, "./usr/share/two"])
