# SPDX-License-Identifier: Apache-2.0
"""What an examination found."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["ok", "note", "warning", "failure"]
"""Fine; worth knowing; something does not work as well as it could; SenseBind does not work."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        topic: what it belongs to, one word.
        level: how bad it is.
        says: what was found, in plain words.
        fix: what to do about it; "" where nothing needs to be done.
    """

    topic: str
    level: Level
    says: str
    fix: str = ""
