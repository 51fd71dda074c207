# SPDX-License-Identifier: Apache-2.0
"""What a preprocessor is: Window in, Features out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sensebind.types import Features, Window


@dataclass(frozen=True, slots=True)
class Prepared:
    """Features of one window, without the batch axis, and the share of valid input pixels."""

    features: Features
    valid_fraction: float = 1.0


class Preprocessor(Protocol):
    """Turns windows of one stream into features; may keep per-stream state."""

    def prepare(self, window: Window) -> Prepared:
        """Make the features of one window.

        Raises:
            InputError: if the window's content cannot be used, naming what and why.
        """
        ...
