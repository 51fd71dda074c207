# SPDX-License-Identifier: Apache-2.0
"""An IMU's text lines: one reading a line, `t_ns,ax,ay,az,gx,gy,gz`.

* `t_ns`: nanoseconds of the device's own clock, a whole number of any epoch; 0 if it has no clock,
  which places readings by their arrival;
* `ax,ay,az`: acceleration in m/s², gravity included (a device at rest reads +9.8 upwards);
* `gx,gy,gz`: angular velocity in rad/s. Axes: x forward, y left, z up (REP 103).

Lines end with LF or CR LF. Empty lines, the header `t_ns,ax,…` and lines that begin with `#` are
left out. Every other line is garbage; it costs itself and is counted by cause.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from sensebind.grid import MAX_STAMP_NS

HEADER = b"t_ns,ax,ay,az,gx,gy,gz"
LONGEST_LINE = 256
"""Bytes of a line; seven numbers of 17 digits with signs and exponents have at most 190."""

_FIELDS = 7
_STAMPS = range(MAX_STAMP_NS)
_CHARACTERS = frozenset(b"0123456789+-.eE, \t")

Readings = tuple[NDArray[np.int64], NDArray[np.float64]]


class LineReader:
    """Makes readings of bytes, as they come.

    Attributes:
        garbage: lines that are no readings, by cause.
    """

    def __init__(self, *, begun: bool) -> None:
        """Begin.

        Args:
            begun: whether the bytes may begin within a line, whose rest is not to be trusted.
        """
        self.garbage: Counter[str] = Counter()
        self._rest = b""
        self._skipping = begun

    def push(self, data: bytes) -> Readings:
        """Take more bytes.

        Returns:
            stamps int64 (n,) and values float64 (n, 6) of the lines that were ended by them.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines and self._skipping:
            del lines[0]
            self._skipping = False
        readings = [reading for line in lines if (reading := self._reading(line)) is not None]
        if len(self._rest) > LONGEST_LINE:
            self._drop_overlong()
        stamps_ns = np.array([stamp_ns for stamp_ns, _ in readings], np.int64)
        values = np.array([values for _, values in readings], np.float64).reshape(-1, _FIELDS - 1)
        return stamps_ns, values

    def _drop_overlong(self) -> None:
        """Forget a line that does not end; what still comes of it is no line of its own."""
        if not self._skipping:
            self.garbage["line too long"] += 1
        self._rest, self._skipping = b"", True

    def _reading(self, line: bytes) -> tuple[int, list[float]] | None:
        line = line.strip()
        if not line or line.startswith(b"#") or line == HEADER:
            return None
        cause = "line too long" if len(line) > LONGEST_LINE else ""
        fields = line.split(b",")
        if not cause and not _CHARACTERS.issuperset(line):
            cause = "not numbers"
        elif not cause and len(fields) != _FIELDS:
            cause = f"not {_FIELDS} fields"
        if not cause:
            try:
                stamp_ns, values = int(fields[0]), [float(field) for field in fields[1:]]
            except ValueError:
                cause = "not numbers"
            else:
                if stamp_ns in _STAMPS and all(map(math.isfinite, values)):
                    return stamp_ns, values
                cause = "impossible numbers"
        self.garbage[cause] += 1
        return None
