# SPDX-License-Identifier: Apache-2.0
"""Checkpoints are mapped, never run; what cannot be read is told."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch", reason="checkpoints need the train extra")

import torch

from sensebind.errors import InputError
from sensebind_engines.imagebind.checkpoint import open_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable


class Code:
    """Runs a command when it is unpickled by something careless."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (self.mark,)


def test_tensors_come_as_saved_and_lie_in_the_file(tmp_path: Path) -> None:
    torch.save({"a": torch.arange(3.0)}, tmp_path / "x.pth")
    tensor = open_checkpoint(tmp_path / "x.pth")["a"]
    assert tensor.tolist() == [0, 1, 2]
    assert str(tmp_path / "x.pth") in Path("/proc/self/maps").read_text()


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_a_wrapped_state_dict_is_found(tmp_path: Path, wrapper: str) -> None:
    torch.save({wrapper: {"a": torch.ones(1)}, "epoch": 3}, tmp_path / "x.pth")
    assert list(open_checkpoint(tmp_path / "x.pth")) == ["a"]


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    torch.save({"a": Code(str(tmp_path / "mark"))}, tmp_path / "x.pth")
    with pytest.raises(
        InputError, match=r"more than tensors \(it calls posix.mkdir\), and nothing of it was"
    ):
        open_checkpoint(tmp_path / "x.pth")
    assert not (tmp_path / "mark").exists()


def _cut(path: Path) -> None:
    torch.save({"a": torch.ones(5000)}, path)
    path.write_bytes(path.read_bytes()[:9000])


def _legacy(path: Path) -> None:
    torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_cut, r"\(9000 bytes\) is no checkpoint .*if its download was cut short, repeat it"),
        (_legacy, "older than PyTorch 1.6, load and save it again"),
        (lambda path: path.write_text("hello"), r"\(5 bytes\) is no checkpoint"),
        (lambda path: path.write_bytes(b""), r"\(0 bytes\) is no checkpoint"),
        (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "is no checkpoint that can be map"),
        (lambda path: torch.save([1], path), "holds a list, expected a state dict"),
        (lambda path: torch.save({"a": 1}, path), "'a' is a int, expected a state dict"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda _: None, "cannot read the checkpoint .*No such file"),
    ],
)
def test_what_is_no_checkpoint_is_told(
    tmp_path: Path, write: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "x.pth"
    write(path)
    with pytest.raises(InputError, match=message):
        open_checkpoint(path)


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"a": torch.ones(3)}, path)
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")  # the archive's list of what is in it
    content[start : start + 30] = bytes(30)
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged or no checkpoint"):
        open_checkpoint(path)
