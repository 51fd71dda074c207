# SPDX-License-Identifier: Apache-2.0
"""Install ROS 2 into a virtual environment and build sensebind_msgs there, without a ROS install.

Usage, with the interpreter of the environment: python build_messages.py [--distro kilted|jazzy]

ROS comes as wheels from PyPI; the messages are compiled with g++. A second run does nothing unless
the messages have changed. Where ROS is installed, use `colcon build` instead.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent / "sensebind_msgs"

RUNTIME = (
    "rclpy", "rmw-fastrtps-cpp", "std-msgs", "sensor-msgs", "geometry-msgs", "diagnostic-msgs",
    "lifecycle-msgs", "rosgraph-msgs", "rcl-interfaces", "std-srvs",
)  # fmt: skip
GENERATORS = (
    "rosidl-default-generators", "rosidl-core-generators", "ament-cmake", "ament-package",
    "ament-cmake-include-directories", "ament-cmake-pytest", "ament-cmake-gtest",
    "ament-cmake-gmock",
)  # fmt: skip
"""The wheels do not name all they need to build messages; these were found missing, one by one."""

DISTROS = {
    "kilted": ("ament-cmake-ros-core",),
    "jazzy": ("ament-cmake-ros", "python-cmake-module", "fastrtps-cmake-module"),
}
TOOLS = ("catkin-pkg", "numpy", "cmake>=3.20,<5", "ninja")

# Set by a sourced ROS, or by the wheels themselves when they start the interpreter again with the
# libraries of one environment: neither may decide what is found while this one is built.
_FOREIGN = (
    "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "LD_LIBRARY_PATH",
    "PYTHONPATH", "PYTHONHOME", "RMW_IMPLEMENTATION", "_ROS_WHEELS_BOOTSTRAP_COMPLETE",
)  # fmt: skip


class BuildError(Exception):
    """Something is missing or failed; the message tells what, and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Install and build, and return the exit status: 0 done, 1 failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--distro", default="kilted", help=f"one of {', '.join(DISTROS)}")
    distro = parser.parse_args(arguments).distro
    try:
        build(Path(sys.prefix), distro)
    except BuildError as error:
        print(f"build_messages: error: {error}", file=sys.stderr)
        return 1
    return 0


def build(prefix: Path, distro: str) -> None:
    """Bring the environment at `prefix` to where it can import sensebind_msgs.

    Raises:
        BuildError: if it is no virtual environment, holds another distro, or a step fails.
    """
    if distro not in DISTROS:
        raise BuildError(
            f"there are no wheels of ROS 2 {distro!r}, only of {' and '.join(DISTROS)}; where it "
            "is installed and sourced, build with: colcon build"
        )
    require_environment(prefix)
    stamp = prefix / "share" / "sensebind_msgs" / "built_from"
    wanted = f"{distro} {_digest()}"
    found = stamp.read_text().strip() if stamp.is_file() else ""
    if found and found.split()[0] != distro:
        raise BuildError(
            f"{prefix} holds ROS 2 {found.split()[0].title()}, {distro.title()} was asked for; an "
            "environment holds one of them: remove it (make clean), or use another"
        )
    if found == wanted:
        print(f"sensebind_msgs is built already ({distro.title()}, {prefix})")
        return
    require_compiler()
    print(f"Installing ROS 2 {distro.title()} from wheels")
    _run("pip install", [sys.executable, "-m", "pip", "install", *requirements(distro)])
    repair_exports(prefix)
    print("Building sensebind_msgs")
    with tempfile.TemporaryDirectory(prefix="sensebind-msgs-") as folder:
        _cmake(prefix, Path(folder))
    _run("import", [sys.executable, "-c", "import rclpy, sensebind_msgs.msg, sensebind_msgs.srv"])
    stamp.write_text(f"{wanted}\n")


def requirements(distro: str) -> list[str]:
    """What pip installs: the distro's own packages, which pin versions that fit each other."""
    names = (*RUNTIME, *GENERATORS, *DISTROS[distro])
    return [*(f"ros-{distro}-{name}" for name in names), *TOOLS]


def require_environment(prefix: Path) -> None:
    """Refuse to install into the system's Python.

    Raises:
        BuildError: if `prefix` is no virtual environment.
    """
    if not (prefix / "pyvenv.cfg").is_file():
        raise BuildError(
            f"{sys.executable} is not of a virtual environment, and ROS is not to be installed "
            "into the system's Python; use `make ros`, or make one with python3 -m venv"
        )


def require_compiler() -> None:
    """Look for what cannot come from PyPI.

    Raises:
        BuildError: naming the Debian package that is missing.
    """
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        raise BuildError("there is no C++ compiler; install it with: sudo apt-get install g++")
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not header.is_file():
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        raise BuildError(
            f"the headers of Python are missing ({header}); install them with: "
            f"sudo apt-get install {version}-dev"
        )


def repair_exports(prefix: Path) -> int:
    """Put this environment's paths where the wheels name those of the machine that built them.

    Returns:
        how many files were changed; 0 when called again.
    """
    importlib.invalidate_caches()  # it may have been installed a moment ago
    numpy = importlib.import_module("numpy").get_include()
    python = sysconfig.get_paths()["include"]
    changed = 0
    for path in prefix.glob("share/*/cmake/export_*__rosidl_generator_pyExport.cmake"):
        text = path.read_text(encoding="utf-8")
        repaired = re.sub(r"/opt/python/[^\"; ]*/numpy/(_core|core)/include", numpy, text)
        repaired = re.sub(r"/opt/python/[^\"; ]*/include/python3\.\d+", python, repaired)
        if repaired != text:
            path.write_text(repaired, encoding="utf-8")
            changed += 1
    return changed


def _cmake(prefix: Path, folder: Path) -> None:
    tool = str(prefix / "bin" / "cmake")
    configure = [
        tool, "-S", str(PACKAGE), "-B", str(folder), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
        f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_INSTALL_PREFIX={prefix}",
        f"-DPython3_EXECUTABLE={sys.executable}", "-DBUILD_TESTING=OFF",
    ]  # fmt: skip
    _run("cmake", configure)
    _run("the compiler", [tool, "--build", str(folder)])
    _run("the installation", [tool, "--install", str(folder)])


def _run(step: str, command: list[str]) -> None:
    """Run a command in an environment of its own; its output is shown only if it fails."""
    prefix = Path(sys.prefix)
    variables = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    variables["PATH"] = f"{prefix / 'bin'}:{os.environ.get('PATH', '')}"
    variables["AMENT_PREFIX_PATH"] = str(prefix)
    done = subprocess.run(  # noqa: S603 - what is run is named in this file
        command,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-30:])
        raise BuildError(f"{step} failed (exit status {done.returncode}):\n{tail}")


def _digest() -> str:
    """Hash of everything the built messages depend on in the checkout."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
