# SPDX-License-Identifier: Apache-2.0
"""Stands in for `sensebind engine` in a process of its own: builds and compares as a test says.

Called as `builder.py FOLDER build|verify BUNDLE --backend B --modality M …`. What to do is in
FOLDER/script.json, by modality (see `Script`), and parts of the plans' keys in FOLDER/machine.json.
What it was called with is added to FOLDER/calls.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from sensebind.plans import Verification, all_plans
from sensebind.types import Modality

PATIENCE_S = 30.0


class Script(msgspec.Struct, kw_only=True):
    """What becomes of one encoder's plan.

    Attributes:
        shares: of the build, that are told.
        waiting: whether another process is said to build it.
        error: the build fails with it; "" if it does not.
        kill: the build is killed by this signal; 0 for none.
        stubborn: whether SIGTERM is ignored.
        until: file in FOLDER that the build waits for after it told `shares`; "" for none.
        cosine: what comparing finds; None if it cannot be compared.
    """

    shares: list[float] = []
    waiting: bool = False
    error: str = ""
    kill: int = 0
    stubborn: bool = False
    until: str = ""
    cosine: float | None = 0.9999


def build(
    folder: Path, key: dict[str, Any], script: Script, bundle: str, modality: Modality
) -> None:
    if script.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if script.waiting:
        tell({"modality": modality.value, "waiting": True})
    tell("a line for people")
    for share in script.shares:
        tell({"modality": modality.value, "share": share})
    deadline_s = time.monotonic() + PATIENCE_S
    while script.until and not (folder / script.until).exists():
        time.sleep(0.005)
        assert time.monotonic() < deadline_s
    if script.kill:
        os.kill(os.getpid(), script.kill)
    if script.error:
        sys.exit(f"warning: of something\nerror: {script.error}")
    from tests.support.emulated.plans import put_plan  # slow to import

    put_plan(modality, bundle=bundle, **key)
    tell({"modality": modality.value, "precision": "fp32", "built": True})


def verify(script: Script, modality: Modality) -> None:
    if script.cosine is None:
        sys.exit("error: the bundle has no golden rows")
    cosines = dict.fromkeys(("least_cosine", "p1_cosine", "mean_cosine"), script.cosine)
    seen = Verification(rows=8, **cosines, runs=20, p50_ms=1.0, p95_ms=1.0, p99_ms=1.0)
    for plan in all_plans()[0]:
        if plan.record.modality is modality:
            plan.with_verification(seen)
    if script.cosine < 0.999:
        sys.exit("error: the bundle asks for a cosine of 0.999: this plan will be refused")


def tell(value: Any) -> None:
    print(value if isinstance(value, str) else json.dumps(value), flush=True)


def main(folder: Path, arguments: list[str]) -> None:
    with (folder / "calls").open("a", encoding="utf-8") as calls:
        calls.write(f"{' '.join(arguments)}\n")
    verb, bundle, modality = arguments[0], arguments[1], Modality(arguments[5])
    key = msgspec.json.decode((folder / "machine.json").read_bytes(), type=dict[str, Any])
    scripts = msgspec.json.decode((folder / "script.json").read_bytes(), type=dict[str, Script])
    script = scripts.get(modality.value, Script())
    if verb == "build":
        build(folder, key, script, bundle, modality)
    else:
        verify(script, modality)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
