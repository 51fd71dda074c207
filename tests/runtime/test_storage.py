# SPDX-License-Identifier: Apache-2.0
"""Hashes, cache folders and atomic writes."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sensebind import storage
from sensebind.storage import (
    acquire,
    atomic_folder,
    atomic_path,
    cache_folder,
    data_folder,
    sha256_of_file,
)


def test_hash_is_that_of_the_whole_file(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "file").write_bytes(content)
    assert sha256_of_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_data_lies_in_the_package() -> None:
    assert data_folder() == Path(storage.__file__).parent / "_data"


def test_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path / "a" / "b"))
    assert cache_folder() == tmp_path / "a" / "b"
    assert list(cache_folder().iterdir()) == []


def test_cache_folder_is_the_platforms_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SENSEBIND_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "sensebind"


@pytest.mark.parametrize("found", ["~/.cache/sensebind", "/proc/none/sensebind"])
def test_without_a_usable_home_the_cache_lasts_as_long_as_the_process(
    found: str, tmp_path: Path
) -> None:
    """ "~" is what the platform answers without HOME and without an account."""
    code = (
        "import platformdirs; from sensebind.storage import cache_folder\n"
        f"platformdirs.user_cache_dir = lambda name: {found!r}\n"
        "folder = cache_folder()\n"
        "assert folder == cache_folder() and folder.is_dir()\n"
        "print(folder)"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "SENSEBIND_CACHE")}
    environment |= {"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(storage.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_atomic_write_replaces_the_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError, match="division"), atomic_path(target) as temporary:
        temporary.write_text(str(1 / 0))
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_new_files_have_the_permissions_of_any_other(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_text("new")
    (tmp_path / "other").write_text("")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"), atomic_path(tmp_path / "none" / "file"):
        pass


def write_folder(folder: Path, content: str, *, replace: bool = False) -> None:
    """A folder with one file."""
    with atomic_folder(folder, replace=replace) as draft:
        (draft / "file").write_text(content)


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    folder = tmp_path / "parent" / "folder"
    with atomic_folder(folder) as draft:
        (draft / "file").write_text("new")
        assert not folder.exists()
    assert (folder / "file").read_text() == "new"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_failed_folder_vanishes(tmp_path: Path) -> None:
    write_folder(tmp_path / "folder", "old")
    with (
        pytest.raises(ZeroDivisionError, match="division"),
        atomic_folder(tmp_path / "folder", replace=True) as draft,
    ):
        (draft / "file").write_text(str(1 / 0))
    assert (tmp_path / "folder" / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_a_folder_is_replaced_where_that_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write_folder(folder, "old")  # an empty one is in nobody's way
    (folder / "other").write_text("")
    with pytest.raises(OSError, match="not empty"):
        write_folder(folder, "new")
    assert (folder / "file").read_text() == "old"
    write_folder(folder, "new", replace=True)
    assert (folder / "file").read_text() == "new"
    assert list(tmp_path.rglob("*")) == [folder, folder / "file"]


def test_drafts_of_killed_processes_are_found(tmp_path: Path) -> None:
    others = {".folder2.0a1b2c3d.part", ".folder.0a1b2c3d.part.part"}
    for left in (".folder.0a1b2c3d.part", *others):
        (tmp_path / left).mkdir()
        (tmp_path / left / "file").write_text("half")
    (tmp_path / ".file.0a1b2c3d.part").write_text("half")
    write_folder(tmp_path / "folder", "whole")
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "file", *others}


@pytest.mark.parametrize("locks", [True, False])
def test_nobody_removes_what_another_is_writing(
    tmp_path: Path, locks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not locks:
        monkeypatch.setattr(storage, "_locked", lambda *_: False)  # as some file systems have it
    with (
        atomic_path(tmp_path / "file") as slower,
        atomic_folder(tmp_path / "folder", replace=True) as slow,
    ):
        with atomic_path(tmp_path / "file") as faster:
            faster.write_text("first")
        write_folder(tmp_path / "folder", "first")
        slower.write_text("last")
        (slow / "file").write_text("last")
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "file").read_text() == "last"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_draft_taken_for_a_dead_one_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its making and its lock, another writer may remove it."""
    hold, left = storage._locked, 1

    def late(descriptor: int, how: int) -> bool:
        nonlocal left
        if left:
            left -= 1
            for draft in tmp_path.glob(".file.*.part"):
                draft.unlink()
        return hold(descriptor, how)

    monkeypatch.setattr(storage, "_locked", late)
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


class LockOfOldVersions:
    """What filelock before 4 does where a file system has no locks."""

    lock_file = "x.lock"

    def acquire(self, timeout: float) -> None:
        raise NotImplementedError("use SoftFileLock instead")


def test_a_file_system_without_locks_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match=r"no locks: 'x\.lock'"):
        acquire(LockOfOldVersions())  # type: ignore[arg-type]


_KILLED = """
import os, signal, sys
from pathlib import Path
from sensebind.storage import atomic_folder

folder, left = Path(sys.argv[1]), int(sys.argv[2])

def kill_at_change(event, args):
    global left
    if event in ("os.rename", "os.remove", "os.rmdir"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

with atomic_folder(folder, replace=True) as draft:
    for name in ("one", "two"):
        (draft / name).write_text("new")
    sys.addaudithook(kill_at_change)
"""


def test_a_kill_at_any_point_leaves_no_part_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    environment = os.environ | {"PYTHONPATH": str(Path(storage.__file__).parents[1])}
    found: list[dict[str, str]] = []
    code = -signal.SIGKILL
    while code != 0:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in ("one", "two"):
            (folder / name).write_text("old")
        command = [sys.executable, "-c", _KILLED, str(folder), str(len(found))]
        code = subprocess.run(command, env=environment, check=False).returncode
        assert code in (0, -signal.SIGKILL)
        found.append({path.name: path.read_text() for path in folder.glob("*")})
        write_folder(tmp_path / "folder", "whole", replace=True)
    old, new = ({"one": age, "two": age} for age in ("old", "new"))
    assert found[:2] == [old, {}]  # before the one rename and before the other
    assert len(found) > 2
    assert all(content == new for content in found[2:])
    assert list(tmp_path.iterdir()) == [folder]
