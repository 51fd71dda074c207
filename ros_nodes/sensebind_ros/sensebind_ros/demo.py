# SPDX-License-Identifier: Apache-2.0
"""The sample recording through real DDS: python -m sensebind_ros.demo.

Starts the node and the player in processes of their own, and prints the labels that this process
receives from the node, beside what is true of the recording.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import TYPE_CHECKING

from sensebind_ros.program import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind_ros.program import Ending


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; the exit code, see `program`."""
    return run(lambda ending: _run(arguments, ending))


def _run(arguments: Sequence[str] | None, ending: Ending) -> int:
    with ending.interrupts():
        from sensebind_ros.demonstration import SENSES, show
    parser = ArgumentParser(prog="sensebind_ros.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sense", choices=SENSES, default="imu", help="whose labels are printed")
    parser.add_argument("--rate", default="2", help="how many times faster than it was recorded")
    options = parser.parse_args(arguments)
    return show(options.sense, options.rate, ending)


if __name__ == "__main__":
    sys.exit(main())
