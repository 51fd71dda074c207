# SPDX-License-Identifier: Apache-2.0
"""What can be said of a device's file in /dev before it is opened."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sensebind.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping


def check_node(kind: str, path: str, known: Mapping[str, str], group: str) -> None:
    """Check that a device is there and may be opened.

    Args:
        kind: what it is to be, as a phrase ("serial port").
        path: of its file.
        known: the devices of this kind that there are, and what the system says of each.
        group: those who may open devices of this kind.

    Raises:
        SourceError: it is not there, naming those that are, or not ours to open.
    """
    if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises where a folder is closed to us
        listing = "; ".join(f"{name} ({says})" for name, says in known.items())
        near = get_close_matches(path, known, n=1, cutoff=0.6)
        guess = f"; did you mean {near[0]!r}?" if near else "."
        there = f"There are {listing}" if known else "There is none at all; connect it"
        raise SourceError(f"there is no {kind} {path!r}{guess} {there}")
    if not os.access(path, os.R_OK | os.W_OK):
        raise SourceError(
            f"the {kind} {path!r} may not be opened by this user: "
            f"sudo usermod -aG {group} $USER, and log in again; or add a rule to "
            f'/etc/udev/rules.d that ends in GROUP="{group}", MODE="0660"'
        )
