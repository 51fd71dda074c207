# SPDX-License-Identifier: Apache-2.0
"""Which columns of a table are an IMU's stamps and readings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sensebind.sources.imu_pairs import ACCELERATION, ANGULAR_VELOCITY

if TYPE_CHECKING:
    from collections.abc import Sequence

STAMPS = ("t_ns", "t_s")
"""Column of stamps: whole nanoseconds, or seconds."""

_ACCELERATIONS, _RATES = ("ax", "ay", "az"), ("gx", "gy", "gz")
COLUMNS = (STAMPS[0], *_ACCELERATIONS, *_RATES)
"""Header of a table: stamps in ns, accelerations in m/s², angular velocities in rad/s."""

_EUROC = {
    "#timestamp [ns]": "t_ns",
    **{f"w_RS_S_{axis} [rad s^-1]": f"g{axis}" for axis in "xyz"},
    **{f"a_RS_S_{axis} [m s^-2]": f"a{axis}" for axis in "xyz"},
}
"""Names in the IMU tables of the EuRoC MAV data sets, which many others follow."""


class TableColumns(NamedTuple):
    """Where stamps and readings are in a table.

    Attributes:
        stamp: name of the stamps' column, one of STAMPS.
        names: names of the readings' columns as in COLUMNS.
        places: where stamp and readings are, in this order.
        encoding: the half of an IMU the table has, "" for both.
    """

    stamp: str
    names: tuple[str, ...]
    places: tuple[int, ...]
    encoding: str


def find_columns(header: Sequence[str]) -> TableColumns | list[str]:
    """The columns of a table, or the names of those it lacks."""
    names = [_EUROC.get(name.strip(), name.strip()) for name in header]
    stamp = next((name for name in STAMPS if name in names), None)
    there = [name for name in (*_ACCELERATIONS, *_RATES) if name in names]
    kinds: dict[tuple[str, ...], str] = {_ACCELERATIONS: ACCELERATION, _RATES: ANGULAR_VELOCITY}
    encoding = kinds.get(tuple(there), "")
    if stamp is None or not (encoding or len(there) == len(_ACCELERATIONS + _RATES)):
        return [name for name in COLUMNS if name not in names and not (stamp and name == STAMPS[0])]
    return TableColumns(
        stamp, tuple(there), tuple(names.index(name) for name in (stamp, *there)), encoding
    )
