# SPDX-License-Identifier: Apache-2.0
"""Play a recording through ROS, with its own clock: python -m sensebind_ros.player RECORDING.

Any recording that `sensebind replay` reads can be played: .mcap, .db3, ROS 1 .bag, a bag folder, or
plain sensor files.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sensebind_ros.program import joined, run, spinning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind_ros.program import Ending


def main(arguments: Sequence[str] | None = None) -> int:
    """Play a recording, until a signal comes if one does; the exit code, see `program`."""
    words = list(sys.argv if arguments is None else ["player", *arguments])
    return run(lambda ending: _run(words, ending))


def _run(words: list[str], ending: Ending) -> int:
    with ending.interrupts():
        import rclpy

        from sensebind_ros.pacing import Pace
        from sensebind_ros.playback import open_playback
        from sensebind_ros.playing import Player, is_installed
    with ExitStack() as stack:
        options = _parser().parse_args(stack.enter_context(joined(words)))
        node = rclpy.create_node("sensebind_player")
        stack.callback(node.destroy_node)
        with ending.interrupts():
            opened = open_playback(options.recording, is_installed, options.topic)
            playback = stack.enter_context(opened)
        pace = Pace(options.rate, lambda: ending.asked, paused=options.paused)
        player = Player(node, playback, options, pace)
        stack.enter_context(spinning(node))  # while it plays, it answers its service
        player.wait_for_subscribers(options.wait)
        node.get_logger().info(f"{player.play()} messages were played")
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="sensebind_player", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("recording", type=Path, help=".mcap, .db3, .bag, a bag folder, or sensor files")
    add("--rate", type=_at_least_0, default=1.0, help="times real time; 0: as fast as possible")
    add("--loop", action="store_true", help="begin anew at the end; time goes back then")
    add("--start", type=_at_least_0, default=0.0, metavar="S", help="seconds to leave out")
    add("--duration", type=_at_least_0, metavar="S", help="seconds of the recording to play")
    add("--paused", action="store_true", help="wait for the service ~/pause (std_srvs/SetBool)")
    add("--topic", action="append", default=[], help="play this topic only; may be repeated")
    add("--clock-hz", type=_at_least_0, default=100.0, help="of /clock; 0 for no /clock")
    add("--wait", type=_at_least_0, default=5.0, metavar="S",
        help="wait at most so long until every sense has a subscriber")  # fmt: skip
    return parser


def _at_least_0(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"it is {text!r}, expected a number from 0 on")
    return value


if __name__ == "__main__":
    sys.exit(main())
