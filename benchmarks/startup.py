# SPDX-License-Identifier: Apache-2.0
"""How long SenseBind takes to start, against what it stands on.

Two pairs, each in fresh interpreters:

* `import sensebind` against `import numpy`;
* `sensebind --help` against a typer application of one command that prints its help.

The two of a pair alternate, so both see the same machine; a pair's ratio and difference are taken
round by round, and the median and the quartiles over the rounds are reported.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

TYPER_APP = "import typer; app = typer.Typer(); app.command()(lambda: None); app(['--help'])"
SENSEBIND_HELP = "from sensebind.cli import main; main()"

PAIRS: dict[str, tuple[list[str], list[str]]] = {
    "import": (["-c", "import sensebind"], ["-c", "import numpy"]),
    "help": (["-c", SENSEBIND_HELP, "--help"], ["-c", TYPER_APP]),
}
"""Name to (ours, peer): arguments of the interpreter."""

TARGET_MS = {"import": 60.0, "help": 100.0}
"""At most this much slower than the peer."""


def run_once(arguments: list[str]) -> float:
    """Wall time of a fresh interpreter with `arguments`, in milliseconds.

    Raises:
        RuntimeError: if it fails, with what it printed.
    """
    begin = time.perf_counter_ns()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    elapsed_ms = (time.perf_counter_ns() - begin) / 1e6
    if done.returncode != 0:
        raise RuntimeError(f"{arguments} exited {done.returncode}: {done.stderr.strip()}")
    return elapsed_ms


def measure(ours: list[str], peer: list[str], rounds: int) -> dict[str, float | list[float]]:
    """Alternate the two for `rounds` rounds after one unmeasured round; times in milliseconds."""
    run_once(ours), run_once(peer)
    ours_ms, peer_ms = [], []
    for index in range(rounds):
        # The order within a round alternates too: whoever runs second finds warmer caches.
        if index % 2:
            peer_ms.append(run_once(peer))
            ours_ms.append(run_once(ours))
        else:
            ours_ms.append(run_once(ours))
            peer_ms.append(run_once(peer))
    pairs = list(zip(ours_ms, peer_ms, strict=True))
    return {
        "ours_ms": statistics.median(ours_ms),
        "peer_ms": statistics.median(peer_ms),
        "added_ms": statistics.median(a - b for a, b in pairs),
        "added_ms_quartiles": _quartiles([a - b for a, b in pairs]),
        "ratio": statistics.median(a / b for a, b in pairs),
        "ratio_quartiles": _quartiles([a / b for a, b in pairs]),
    }


def _quartiles(values: list[float]) -> list[float]:
    first, _, third = statistics.quantiles(values, n=4)
    return [first, third]


def main() -> None:
    """Measure both pairs, print a line each and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=21, help="alternations per pair")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    results = {name: measure(*pair, options.rounds) for name, pair in PAIRS.items()}
    for name, figures in results.items():
        print(
            f"{name}: {figures['added_ms']:.0f} ms more than the peer "
            f"(target {TARGET_MS[name]:.0f}), ratio {figures['ratio']:.2f}"
        )
    if options.out:
        machine = {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
            "load_average": os.getloadavg(),
            "versions": {name: version(name) for name in ("sensebind", "numpy", "typer")},
        }
        document = {"machine": machine, "rounds": options.rounds, "pairs": results}
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
