# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all, and errors that say what is kept."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from sensebind.errors import InputError, SinkError
from sensebind.json_text import NOT_JSON
from sensebind.storage import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

T = TypeVar("T")


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a .safetensors file as a whole or not at all.

    Raises:
        SinkError: if it cannot be written; an earlier file of that name is untouched.
    """
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with explaining_write(path), atomic_path(path) as temporary:
        save_file(own, temporary, metadata)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors file.

    Raises:
        InputError: if it is missing or damaged.
    """
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"cannot read the weights {str(path)!r}: {error}") from None
    return tensors


def write_bytes(path: Path, content: bytes) -> None:
    """Write a small file as a whole or not at all.

    Raises:
        SinkError: if it cannot be written; an earlier file of that name is untouched.
    """
    with explaining_write(path), atomic_path(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def explaining_write(path: Path) -> Iterator[None]:
    """Turn a failure to write `path` into a SinkError that says what is kept and how to go on."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise SinkError(
            f"cannot write {str(path)!r}: {error}; free some space or check the folder, then go on "
            "with --resume. What was written before is untouched"
        ) from error


def write_json(path: Path, value: object) -> None:
    """Write a value as readable JSON; errors as `write_bytes`."""
    write_bytes(path, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def read_json(path: Path, kind: type[T]) -> T:
    """A value of the type `kind`.

    Raises:
        InputError: if the file is missing or damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, *NOT_JSON) as error:
        raise InputError(f"cannot read {str(path)!r} : {error}") from None
