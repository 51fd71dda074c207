# SPDX-License-Identifier: Apache-2.0
"""Checkpoints read without running anything in them, and without copying them into memory."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from sensebind.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

_WRAPPERS = ("state_dict", "model", "module")
"""Under which others keep a state dict inside their files."""


def open_checkpoint(path: Path) -> dict[str, Tensor]:
    """Map a file of tensors made by ``torch.save``.

    The tensors are parts of the file until they are used, so that one tower of many can be read.
    Nothing in the file is run: it may hold tensors and plain containers only.

    Raises:
        InputError: it is missing, damaged, no such file, or holds more than tensors.
    """
    try:
        # An old checkpoint is one pickle and cannot be mapped; torch would tell it by the archive.
        if not zipfile.is_zipfile(path):
            raise InputError(_not_an_archive(path))
        content = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read the checkpoint {str(path)!r}: {error.strerror}") from None
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{str(path)!r} holds more than tensors{_foreign(error)}, and nothing of it was run; "
            "expected the state dict of a model, tensors by name"
        ) from None
    except (RuntimeError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{str(path)!r} is damaged or no checkpoint: {_first_line(error)}; download it again "
            "and compare its size"
        ) from None
    return _state_dict(path, content)


def _not_an_archive(path: Path) -> str:
    with path.open("rb"):  # a missing file or a folder is told by its own error
        size = path.stat().st_size
    return (
        f"{str(path)!r} ({size} bytes) is no checkpoint that can be mapped, expected a zip archive "
        "by torch.save; if its download was cut short, repeat it; if it is older than PyTorch 1.6, "
        "load and save it again"
    )


def _state_dict(path: Path, content: object) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping):
        raise InputError(
            f"{str(path)!r} holds a {type(content).__name__}, expected a state dict: "
            "tensors by name"
        )
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise InputError(
                f"{str(path)!r}: {name!r} is a {type(value).__name__}, expected a state dict: "
                "tensors by name"
            )
    return dict(content)


def _foreign(error: Exception) -> str:
    """What else is in it, out of torch's message, whose advice is to run it all the same."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f" (it calls {found[1]})" if found else ""


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
