# SPDX-License-Identifier: Apache-2.0
"""What importing the runtime loads, in fresh interpreters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sensebind

RUNTIME = Path(__file__).resolve().parents[2] / "runtime"

NEVER = {
    "torch", "rclpy", "onnx", "mujoco", "pyrealsense2", "sounddevice", "tensorrt", "pycuda",
    "sensebind_engines", "sensebind_calibration",
}  # fmt: skip
HEAVY = {"numba", "onnxruntime", "pyarrow", "matplotlib", "rosbags", "tokenizers", "PIL"}

IMPORT_ALL = """
import importlib, json, sys
loaded = {}
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
    loaded[name] = sorted({module.partition(".")[0] for module in sys.modules})
print(json.dumps(loaded))
"""

HELP = """
import sys
from sensebind.cli import main
sys.argv[1:] = ["--help"]
try:
    main()
except SystemExit:
    pass
"""


def in_fresh_interpreter(code: str, *arguments: str) -> str:
    """Standard output of `code`, run away from the checkout with only the runtime on the path."""
    environment = {**os.environ, "PYTHONPATH": str(RUNTIME)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd="/", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def runtime_modules() -> list[str]:
    """Import names of all modules of the runtime, but what runs on import."""
    names = []
    for path in sorted((RUNTIME / "sensebind").rglob("*.py")):
        parts = path.relative_to(RUNTIME).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in names if not name.endswith("__main__")]


def test_no_runtime_module_loads_what_the_robot_lacks() -> None:
    modules = runtime_modules()
    assert len(modules) > 10
    loaded = json.loads(in_fresh_interpreter(IMPORT_ALL, json.dumps(modules)))
    guilty = {name: sorted(NEVER & set(tops)) for name, tops in loaded.items()}
    assert not {name: tops for name, tops in guilty.items() if tops}


@pytest.mark.parametrize("code", ["import sensebind", "import sensebind.cli", HELP])
def test_start_up_loads_nothing_heavy(code: str) -> None:
    show = "import sys; print(); print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = in_fresh_interpreter(f"{code}\n{show}").splitlines()[-1].split()
    assert "sensebind" in loaded
    assert not (HEAVY | NEVER) & set(loaded)


def test_every_lazy_name_resolves() -> None:
    assert sorted(sensebind._HOME) == sensebind.__all__
    for name in sensebind.__all__:
        value = getattr(sensebind, name)
        assert value.__name__ == name
        assert value.__module__.startswith("sensebind")
    assert set(sensebind.__all__) <= set(dir(sensebind))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'sensebind' has no attribute 'Pipelin'"):
        _ = sensebind.Pipelin
