# SPDX-License-Identifier: Apache-2.0
"""The model package: found, verified, opened; what is said when it is not there."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING

import pytest

from sensebind.errors import SourceError
from sensebind_engines.recipes.sample_recording import library
from tests.engines.recipes.sample_recording.fakes import model_library, package

if TYPE_CHECKING:
    from pathlib import Path


def test_opens_the_library_inside_the_package(tmp_path: Path) -> None:
    inner = model_library(("cube",), (10, 10, 10))
    assert isinstance(inner.fp, io.BytesIO)
    deb = tmp_path / library.DEB_NAME
    deb.write_bytes(package(content=inner.fp.getvalue()))
    with library.open_library(deb) as opened:
        assert opened.namelist() == inner.namelist()


def test_missing_package_names_the_command_that_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SourceError, match=r"apt-get download sweethome3d-furniture=1\.8-1"):
        library.find_package(tmp_path)


def test_package_with_another_hash_is_refused(tmp_path: Path) -> None:
    (tmp_path / library.DEB_NAME).write_bytes(package())
    with pytest.raises(SourceError, match=f"expected {library.DEB_SHA256}; delete it"):
        library.find_package(tmp_path)


def test_not_a_package(tmp_path: Path) -> None:
    deb = tmp_path / library.DEB_NAME
    deb.write_bytes(b"PK\x03\x04")
    with pytest.raises(SourceError, match="not an ar archive"):
        library.open_library(deb)


def test_package_without_the_library(tmp_path: Path) -> None:
    deb = tmp_path / library.DEB_NAME
    deb.write_bytes(package(member="./usr/share/other.zip"))
    with pytest.raises(SourceError, match="does not hold"):
        library.open_library(deb)


def test_package_without_data(tmp_path: Path) -> None:
    deb = tmp_path / library.DEB_NAME
    deb.write_bytes(b"!<arch>\n")
    with pytest.raises(SourceError, match=r"no member 'data\.tar'"):
        library.open_library(deb)
