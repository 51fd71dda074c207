# SPDX-License-Identifier: Apache-2.0
"""The constraint sets of deploy/: every package of a robot resolves to a wheel, as it is pinned.

    pythonX.Y .ci/pins.py SET WHEEL            resolve for both machines and compare with the pins
    pythonX.Y .ci/pins.py SET WHEEL --write    pin what is newest instead

SET is a file of deploy/constraints without its suffix, WHEEL that of SenseBind. The interpreter is
of the target's version, for pip evaluates environment markers with its own; so `platform_machine`
is that of here, too, which decides nothing for the packages that are pinned now.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = Path(__file__).resolve().parents[1] / "deploy" / "constraints"
MACHINES = ("aarch64", "x86_64")
EXTRAS = ("audio", "serial", "vision", "realsense", "calibrate")
GPU = ("cuda-bindings", "onnx")
"""The extra `tensorrt` without what is built from source."""
SOURCE_BUILD = "pycuda"
BUILD_NEEDS = ("pytools", "mako", "platformdirs", "setuptools", "wheel")
"""What pycuda 2026.1 needs to run, and what builds it."""


@dataclass(frozen=True)
class Target:
    """What a set is for.

    Attributes:
        python: version of the system's interpreter.
        glibc: minor version of the system's glibc 2.x.
        choices: what the platform decides, not pip.
    """

    python: tuple[int, int]
    glibc: int
    choices: tuple[str, ...]


# Ubuntu 22.04 has glibc 2.35, Ubuntu 24.04 2.39. The modules of both, ROS's among them, are built
# for NumPy 1: python3-numpy is 1.21 and 1.26. cuda-bindings are of the toolkit's major version.
# pyarrow 26 refuses NumPy 1 when it is imported, and does not declare it.
TARGETS = {
    "jetpack6": Target((3, 10), 35, ("numpy==1.26.4", "cuda-bindings<13")),
    "jetpack7": Target((3, 12), 39, ("numpy==1.26.4", "cuda-bindings>=13,<14", "pyarrow<26")),
}


def main() -> None:
    """Check or write one set; exit code 1 and a reason if it does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", choices=TARGETS)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--write", action="store_true")
    wishes = parser.parse_args()
    target, path = TARGETS[wishes.set], FOLDER / f"{wishes.set}.txt"
    if sys.version_info[:2] != target.python:
        sys.exit(f"{wishes.set} has Python {target.python}, this is {sys.version_info[:2]}")
    if wishes.write:
        write(path, resolved(wishes.wheel, target, MACHINES[0], target.choices))
    problems = list(check(wishes.wheel, target, path))
    if problems:
        sys.exit("\n".join([f"{path.name} does not hold:", *problems]))
    print(f"  {path.name}: {len(pins(path)) - 1} wheels for {' and '.join(MACHINES)}, "
          f"{SOURCE_BUILD} from source")  # fmt: skip


def pins(path: Path) -> dict[str, str]:
    """Versions by canonical name."""
    lines = re.findall(r"^([\w.-]+)==(\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {canonical(name): version for name, version in lines}


def canonical(name: str) -> str:
    """A name as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def check(wheel: Path, target: Target, path: Path) -> Iterator[str]:
    """What is wrong with a set."""
    pinned = pins(path)
    expected = {name: version for name, version in pinned.items() if name != SOURCE_BUILD}
    for machine in MACHINES:
        try:
            found = resolved(wheel, target, machine, ("--constraint", str(path)))
        except ValueError as error:
            yield f"{machine}: {error}"
            continue
        for name in sorted(found.keys() | expected.keys()):
            if found.get(name) != expected.get(name):
                yield (f"{machine}: {name} resolves to {found.get(name, 'nothing')}, "
                       f"pinned is {expected.get(name, 'nothing')}")  # fmt: skip
    versions = pip("index", "versions", SOURCE_BUILD)
    if pinned.get(SOURCE_BUILD) not in re.findall(r"[^\s,()]+", versions):
        yield f"{SOURCE_BUILD} {pinned.get(SOURCE_BUILD)} is not among {versions.strip()}"


def resolved(wheel: Path, target: Target, machine: str, more: Sequence[str] = ()) -> dict[str, str]:
    """Versions of what would be installed, wheels alone.

    Raises:
        ValueError: saying what has no wheel, or fits no other.
    """
    platforms = [f"manylinux2014_{machine}"]
    platforms += [f"manylinux_2_{minor}_{machine}" for minor in range(17, target.glibc + 1)]
    version = ".".join(map(str, target.python))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        pip(
            "install", "--dry-run", "--quiet", "--ignore-installed", "--only-binary=:all:",
            "--target", folder, "--implementation", "cp", "--python-version", version,
            *(word for platform in platforms for word in ("--platform", platform)),
            "--report", str(report), *more,
            f"{wheel.resolve()}[{','.join(EXTRAS)}]", *GPU, *BUILD_NEEDS,
        )  # fmt: skip
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    found = {canonical(i["metadata"]["name"]): i["metadata"]["version"] for i in installs}
    return {name: version for name, version in found.items() if name != "sensebind"}


def pip(*words: str) -> str:
    """What pip says.

    Raises:
        ValueError: with its errors.
    """
    done = subprocess.run(  # noqa: S603 - the words are ours
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise ValueError("; ".join(errors) or done.stderr[-2000:])
    return done.stdout


def write(path: Path, found: dict[str, str]) -> None:
    """Put other pins below the head of a set, which tells what it is for."""
    head = "".join(
        line + "\n" for line in path.read_text(encoding="utf-8").splitlines() if line[:1] == "#"
    )
    every = {**found, SOURCE_BUILD: pins(path)[SOURCE_BUILD]}
    lines = [f"{name}=={version}" for name, version in sorted(every.items())]
    path.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
