# SPDX-License-Identifier: Apache-2.0
"""Writing what is asked for beside a calibration file: pictures, pages, maps."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sensebind.errors import SinkError
from sensebind.storage import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """As `atomic_path`, in words of the user's.

    Raises:
        SinkError: if the file cannot be written; an old one is unharmed.
    """
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise SinkError(
            f"cannot write {str(path)!r}: {error.strerror or error}; choose another place"
        ) from error
