# SPDX-License-Identifier: Apache-2.0
"""Keep a node's embeddings in a file: python -m sensebind_ros.recorder --out FILE.

The file is one that `sensebind search` reads: .parquet, .mcap or .jsonl.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sensebind_ros.program import joined, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensebind_ros.keeping import Keeper
    from sensebind_ros.program import Ending


def main(arguments: Sequence[str] | None = None) -> int:
    """Record until Ctrl-C or SIGTERM; the exit code, see `program`."""
    words = list(sys.argv if arguments is None else ["recorder", *arguments])
    return run(lambda ending: _run(words, ending))


def _run(words: list[str], ending: Ending) -> int:
    with ending.interrupts():
        import rclpy

        from sensebind_ros.keeping import Keeper
        from sensebind_ros.recording import Recorder
    with ExitStack() as stack:
        options = _parser().parse_args(stack.enter_context(joined(words)))
        node = rclpy.create_node("sensebind_recorder")
        stack.callback(node.destroy_node)
        with Keeper(options.out, options.node) as keeper:
            recorder = Recorder(node, "/" + options.node.strip("/"), keeper)
            recorder.run(lambda: ending.asked)
        node.get_logger().info(_summary(keeper, recorder.refused))
    return 0


def _summary(keeper: Keeper, refused: int) -> str:
    files = ", ".join(map(str, keeper.files)) or "no file"
    lost = f", {keeper.unmatched} without the other half" if keeper.unmatched else ""
    lost += f", {refused} messages that could not be kept" if refused else ""
    return f"{keeper.kept} embeddings in {files}{lost}"


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="sensebind_recorder", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help=".parquet, .mcap or .jsonl")
    parser.add_argument("--node", default="/sensebind", help="full name of the node")
    return parser


if __name__ == "__main__":
    sys.exit(main())
