# SPDX-License-Identifier: Apache-2.0
"""Building the messages without ROS: what is checked before, and what is repaired."""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).resolve().parents[2] / "ros_nodes/build_messages.py"
EXPORT = """set_target_properties(std_msgs PROPERTIES
  INTERFACE_INCLUDE_DIRECTORIES "{python};{numpy};/usr/include"
  LINK "/opt/python/other")
"""


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_messages", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An empty virtual environment."""
    (tmp_path / "pyvenv.cfg").write_text("")
    return tmp_path


def test_paths_of_the_machine_that_built_the_wheels_are_replaced(script: Any, prefix: Path) -> None:
    folder = prefix / "share/std_msgs/cmake"
    folder.mkdir(parents=True)
    path = folder / "export_std_msgs__rosidl_generator_pyExport.cmake"
    theirs = "/opt/python/cp311-cp311"
    path.write_text(
        EXPORT.format(
            python=f"{theirs}/include/python3.11",
            numpy=f"{theirs}/lib/python3.11/site-packages/numpy/_core/include",
        )
    )
    assert script.repair_exports(prefix) == 1
    ours = EXPORT.format(python=sysconfig.get_paths()["include"], numpy=np.get_include())
    assert path.read_text() == ours
    assert script.repair_exports(prefix) == 0


def test_the_systems_python_is_left_alone(script: Any, tmp_path: Path) -> None:
    with pytest.raises(script.BuildError, match="is not of a virtual environment"):
        script.build(tmp_path, "kilted")


def test_another_distro_is_refused(script: Any, prefix: Path) -> None:
    with pytest.raises(script.BuildError, match="no wheels of ROS 2 'humble', only of kilted and"):
        script.build(prefix, "humble")
    stamp = prefix / "share/sensebind_msgs/built_from"
    stamp.parent.mkdir(parents=True)
    stamp.write_text("jazzy 1234\n")
    with pytest.raises(script.BuildError, match="holds ROS 2 Jazzy, Kilted was asked for"):
        script.build(prefix, "kilted")


def test_what_is_built_is_not_built_again(
    script: Any, prefix: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "_run", lambda *_: pytest.fail("nothing is to be run"))
    stamp = prefix / "share/sensebind_msgs/built_from"
    stamp.parent.mkdir(parents=True)
    stamp.write_text(f"kilted {script._digest()}\n")
    script.build(prefix, "kilted")
    assert "built already (Kilted" in capsys.readouterr().out


def test_a_missing_compiler_is_named(
    script: Any, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(prefix))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(script.BuildError, match=r"sudo apt-get install g\+\+"):
        script.build(prefix, "kilted")


def test_missing_headers_are_named(
    script: Any, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", sys.executable)
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"include": str(prefix)})
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(script.BuildError, match=f"sudo apt-get install {version}-dev"):
        script.build(prefix, "kilted")


def test_a_step_that_fails_shows_its_output(script: Any) -> None:
    failing = [sys.executable, "-c", "import sys; print('reason'); sys.exit(3)"]
    with pytest.raises(script.BuildError, match=r"cmake failed \(exit status 3\):\nreason"):
        script._run("cmake", failing)


@pytest.mark.parametrize("name", ["AMENT_PREFIX_PATH", "LD_LIBRARY_PATH", "PYTHONPATH"])
def test_a_sourced_ros_does_not_take_part(
    script: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "/opt/ros")
    expected = sys.prefix if name == "AMENT_PREFIX_PATH" else None
    code = f"import os, sys; sys.exit(os.environ.get({name!r}) != {expected!r})"
    script._run("a look", [sys.executable, "-S", "-c", code])
