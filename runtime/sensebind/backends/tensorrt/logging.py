# SPDX-License-Identifier: Apache-2.0
"""What TensorRT says while it works."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

_LOGGER = logging.getLogger("sensebind.tensorrt")
_MOST_KEPT = 200


@dataclass
class Collected:
    """Messages of one build, the latest ones."""

    kept: list[tuple[int, str]] = field(default_factory=list)

    def add(self, severity: int, message: str) -> None:
        """Keep a message; `severity` is 0 internal error, 1 error, 2 warning, more is talk."""
        self.kept.append((severity, message.strip()))
        del self.kept[:-_MOST_KEPT]
        _LOGGER.log(_LEVELS[min(severity, len(_LEVELS) - 1)], message.strip())

    def errors(self) -> str:
        """All errors, joined."""
        return "; ".join(message for severity, message in self.kept if severity <= 1)


_LEVELS = (logging.ERROR, logging.ERROR, logging.INFO, logging.DEBUG, logging.DEBUG)


def collecting_logger(trt: Any, collected: Collected) -> Any:  # noqa: ANN401
    """A logger for TensorRT's builder; errors are not printed, they become exceptions."""

    class CollectingLogger(trt.ILogger):  # type: ignore[misc, name-defined, unused-ignore]
        """Passes on what it is told."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:  # noqa: ANN401
            """Called by TensorRT."""
            collected.add(int(severity), message)

    return CollectingLogger()
