# SPDX-License-Identifier: Apache-2.0
"""Units that readings of an IMU and of a depth camera may come in, as factors to SI units."""

from __future__ import annotations

import math

from sensebind.errors import ConfigError

STANDARD_GRAVITY = 9.80665
"""m/s² per g, by definition (3rd CGPM, 1901)."""

ACCELERATION_UNITS = {
    "m/s^2": 1.0,
    "m/s²": 1.0,
    "m/s2": 1.0,
    "g": STANDARD_GRAVITY,
    "mg": STANDARD_GRAVITY / 1000,
}
"""Factors to m/s²."""

RATE_UNITS = {
    "rad/s": 1.0,
    "deg/s": math.pi / 180,
    "dps": math.pi / 180,
    "mdeg/s": math.pi / 180_000,
    "mrad/s": 1e-3,
}
"""Factors to rad/s."""

METRES_PER_UNIT = {"m": 1.0, "cm": 0.01, "mm": 0.001}
"""What the `unit` of a depth stream may be."""

METRES_PER_COUNT = {"u": 0.001, "i": 0.001, "f": 1.0}
"""Of depth whose unit nobody tells, by the kind of its dtype: integers are millimetres, floats
metres (REP 118)."""


def imu_factors(unit: str | None) -> tuple[float, float]:
    """Factors that turn an IMU's accelerations into m/s² and its rates into rad/s.

    Args:
        unit: units joined by ";", one of acceleration, of angular velocity or of each ("g;deg/s");
            the one left out, or None for both, is the convention's.

    Raises:
        ConfigError: if a part is no such unit or a quantity has two.
    """
    acceleration = rate = None
    for part in (unit or "").split(";") if unit else ():
        name = part.strip()
        if name in ACCELERATION_UNITS and acceleration is None:
            acceleration = ACCELERATION_UNITS[name]
        elif name in RATE_UNITS and rate is None:
            rate = RATE_UNITS[name]
        else:
            raise ConfigError(
                f"unit={unit}: {name!r} is not expected; give one of "
                f"{', '.join(ACCELERATION_UNITS)} and one of {', '.join(RATE_UNITS)}, joined by "
                "';', for example unit=g;deg/s"
            )
    return (
        1.0 if acceleration is None else acceleration,
        1.0 if rate is None else rate,
    )
