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


@dataclass(frozen=True, slots=True)
class Support:
    """What a preprocessor reads around a window's span, where the segment has it.

    A window whose values hold every sample of [start - reach, end) and, where they exist,
    `samples` more before and after that gives the same features whatever else is there.

    Attributes:
        samples: neighbouring samples on each side.
        reach_ns: time before the span that is read as well.
    """

    samples: int = 0
    reach_ns: int = 0


class Preprocessor(Protocol):
    """Turns windows of one stream into features; may keep per-stream state.

    Attributes:
        support: what it reads around a window's span.
    """

    support: Support

    def prepare(self, window: Window) -> Prepared:
        """Make the features of one window.

        Raises:
            InputError: if the window's content cannot be used, naming what and why.
        """
        ...
