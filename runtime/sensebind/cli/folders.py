# SPDX-License-Identifier: Apache-2.0
"""Folders that a command writes its results into."""

import os
from pathlib import Path

from sensebind.errors import InputError


def made_folder(folder: Path) -> Path:
    """Make a folder for results where there is none, before any work is done.

    Raises:
        InputError: naming it, if it cannot be made or written into, and the fix.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {str(folder)!r}: {error.strerror}; choose another --out"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"the folder {str(folder)!r} is read-only for you; choose another --out")
    return folder
