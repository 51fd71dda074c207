# SPDX-License-Identifier: Apache-2.0
"""Folders of results are made, or refused, before any work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sensebind.cli.folders import made_folder
from sensebind.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    assert made_folder(tmp_path / "a" / "b").is_dir()
    assert made_folder(tmp_path / "a" / "b").is_dir()


def test_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(InputError, match=r"cannot make the folder '.*a': File exists; choose"):
        made_folder(tmp_path / "a")


def test_a_read_only_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # the super-user may write anywhere
    with pytest.raises(InputError, match=r"the folder '.*' is read-only for you; choose another"):
        made_folder(tmp_path)
