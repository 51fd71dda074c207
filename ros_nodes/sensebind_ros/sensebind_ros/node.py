# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node in a process of its own: python -m sensebind_ros.node."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sensebind.flow.signals import HEARING_S
from sensebind_ros.program import joined, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rclpy.node import Node

    from sensebind_ros.program import Ending


def main(arguments: Sequence[str] | None = None) -> int:
    """Spin a node until Ctrl-C or SIGTERM; the exit code, see `program`."""
    words = sys.argv if arguments is None else ["node", *arguments]
    return run(lambda ending: _run(words, ending))


def _run(words: Sequence[str], ending: Ending) -> int:
    with ending.interrupts():
        from sensebind_ros.lifecycle_node import SenseBindNode
    with joined(words):
        node = SenseBindNode(interrupts=ending.interrupts)
        try:
            _spin(node, ending)
        finally:
            node.close()
            node.destroy_node()
    return 0


def _spin(node: Node, ending: Ending) -> None:
    """Do what is to be done until a signal comes, which the middleware's wait does not hear."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok() and not ending.asked:
            executor.spin_once(HEARING_S)
    except Exception:
        # Others may shut the context down between any two steps of rclpy's.
        if rclpy.ok():
            raise


if __name__ == "__main__":
    sys.exit(main())
