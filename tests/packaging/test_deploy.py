# SPDX-License-Identifier: Apache-2.0
"""What is installed on robots: pinned versions, the script, the service's files, containers."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from sensebind.robot.reading import read_robot_config
from tests.support.toml import read_toml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SETS = {"jetpack6": "3.10", "jetpack7": "3.12"}
EXTRAS = ("audio", "serial", "vision", "realsense", "calibrate", "tensorrt")
PROJECT = read_toml(ROOT / "pyproject.toml")["project"]
INSTALL = DEPLOY / "install.sh"
DOCKERFILES = sorted((DEPLOY / "docker").glob("*.Dockerfile"))


def pins(name: str) -> dict[str, str]:
    lines = (DEPLOY / "constraints" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line.split("==") for line in lines if not line.startswith("#")]
    assert pinned == sorted(pinned)
    found = {package: version for package, version in pinned}  # noqa: C416 - typed
    assert len(found) == len(pinned)
    return found


@pytest.mark.parametrize(("name", "python"), SETS.items())
def test_every_dependency_is_pinned_within_its_range(name: str, python: str) -> None:
    pinned = pins(name)
    extras = PROJECT["optional-dependencies"]
    texts = [*PROJECT["dependencies"], *(text for extra in EXTRAS for text in extras[extra])]
    for requirement in map(Requirement, texts):
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            version = pinned[requirement.name.lower()]
            assert requirement.specifier.contains(version), f"{requirement}: {version} is pinned"


@pytest.mark.parametrize("name", SETS)
def test_numpy_is_that_of_the_systems_modules(name: str) -> None:
    assert pins(name)["numpy"].startswith("1.26.")


def test_versions_that_the_platform_decides() -> None:
    assert pins("jetpack6")["onnxruntime"] == "1.23.2"  # the last one for Python 3.10
    assert pins("jetpack6")["cuda-bindings"].startswith("12.")
    assert pins("jetpack7")["cuda-bindings"].startswith("13.")
    built = re.search(r"^pycuda=(\S+)$", (ROOT / ".ci" / "pycuda.sh").read_text(), re.MULTILINE)
    assert built is not None
    assert {pins(name)["pycuda"] for name in SETS} == {built[1]}
    assert not [package for name in SETS for package in pins(name) if "tensorrt" in package]


class Board:
    """A computer as the script sees it: what it asks for is answered by stand-ins on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder, folder / "bin"
        self.release = folder / "nv_tegra_release"
        self.bin.mkdir()
        (folder / "include").mkdir()
        (folder / "include" / "cuda.h").touch()
        (folder / "Python.h").touch()
        for tool in ("bash", "cat", "dirname", "env", "grep", "id", "ls", "realpath", "sed"):
            (self.bin / tool).symlink_to(f"/usr/bin/{tool}")
        for tool in ("nvcc", "g++"):
            self.program(tool, "exit 0")

    def program(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def python(self, version: str, *, tensorrt: bool = True, home: str = "/usr") -> None:
        """An interpreter that lies in `home` and says what it is asked for."""
        self.program(
            f"python{version}",
            f"case $* in *version_info*) echo {version} ;; *get_paths*) echo {self.folder} ;;\n"
            f"*base_prefix*) echo {home} ;; *tensorrt*) exit {int(not tensorrt)} ;;\n"
            f"-V) echo Python {version} ;; esac",
        )

    def jetson(self, release: int) -> None:
        self.release.write_text(f"# R{release} (release), REVISION: 4.0, GCID: 1\n")

    def install(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", str(INSTALL), "--dry-run", "--prefix", str(self.folder / "sb"), *options],
            env={"PATH": str(self.bin), "CUDA_HOME": str(self.folder),
                 "SENSEBIND_TEGRA_RELEASE": str(self.release)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def steps(self, *options: str) -> list[str]:
        """What would be done."""
        done = self.install(*options)
        assert done.returncode == 0, done.stderr
        assert not (self.folder / "sb").exists()
        return [line[2:] for line in done.stdout.splitlines() if line.startswith("+ ")]


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


@pytest.mark.parametrize(("release", "name"), [(36, "jetpack6"), (38, "jetpack7")])
def test_a_jetson_gets_the_versions_of_its_jetpack(board: Board, release: int, name: str) -> None:
    board.jetson(release)
    board.python(SETS[name])
    venv, packages, gpu, doctor = board.steps()
    assert "-m venv" in venv
    assert "--system-site-packages" in venv
    for step in (packages, gpu):
        assert f"PIP_CONSTRAINT={DEPLOY}/constraints/{name}.txt" in step
    assert "--only-binary=:all:" in packages
    assert "--no-binary=pycuda pycuda" in gpu
    assert doctor.endswith("sensebind doctor")
    assert not re.search(r"install.*tensorrt", packages + gpu)


def test_another_computer_gets_the_versions_of_its_python_and_no_pycuda(board: Board) -> None:
    board.python("3.12")
    (board.bin / "python3").symlink_to("python3.12")
    steps = board.steps("--extras", "audio")
    assert any("jetpack7.txt" in step and shlex.split(step)[-1] == f"{ROOT}[audio]"
               for step in steps)  # fmt: skip
    assert not any("pycuda" in step for step in steps)


def test_a_wheel_takes_the_place_of_one_of_the_same_version(board: Board, tmp_path: Path) -> None:
    (tmp_path / "sensebind.whl").touch()
    board.python("3.10")
    steps = board.steps("--jetpack", "6", "--from", str(tmp_path / "sensebind.whl"))
    assert any("--force-reinstall" in step for step in steps)


@pytest.mark.parametrize(
    ("release", "python", "options", "told"),
    [
        (35, "3.10", (), "tells of Jetson Linux '35'; SenseBind needs JetPack 6 or 7"),
        (36, "3.12", (), "JetPack 6 has Python 3.10, no such python3 was found; name one with"),
        (36, "3.10", ("--jetpack", "5"), "--jetpack is '5', expected 6 or 7"),
        (36, "3.10", ("--extras", "audio,sound"), "'sound' is none of audio, serial"),
        (36, "3.10", ("--speed",), "unknown option '--speed'"),
        (36, "3.10", ("--prefix",), "--prefix needs a value"),
        (36, "3.10", ("--from", "/none.whl"), "--from: there is no /none.whl"),
    ],
)
def test_what_cannot_be_is_told(
    board: Board, release: int, python: str, options: tuple[str, ...], told: str
) -> None:
    board.jetson(release)
    board.python(python)
    done = board.install(*options)
    assert done.returncode == 1
    assert told in done.stderr


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ("bin/nvcc", "sudo apt install nvidia-jetpack"),
        ("include/cuda.h", "set CUDA_HOME"),
        ("bin/g++", "sudo apt install g++ python3-dev"),
        ("tensorrt", "sudo apt install python3-libnvinfer"),
    ],
)
def test_what_a_jetson_lacks_is_told_before_anything_is_done(
    board: Board, without: str, told: str
) -> None:
    board.jetson(36)
    board.python("3.10", tensorrt=without != "tensorrt")
    (board.folder / without).unlink(missing_ok=True)
    done = board.install()
    assert done.returncode == 1
    assert told in done.stderr
    assert "+ " not in done.stdout


def test_a_service_gets_the_groups_and_folders_of_its_unit(board: Board) -> None:
    board.jetson(36)
    board.python("3.10")
    board.program("getent", "exit 1")  # neither groups nor the user are there
    steps = [shlex.split(step) for step in board.steps("--service")]
    service = unit()["Service"]
    assert [words[-1] for words in steps if words[0] == "groupadd"] == service[
        "SupplementaryGroups"
    ].split()
    assert [words[-1] for words in steps if words[0] == "useradd"] == [service["User"]]
    (folders,) = [words for words in steps if words[:2] == ["install", "-d"]]
    owner = ["-o", service["User"], "-g", service["Group"]]
    places = {"/var/lib": "StateDirectory", "/var/cache": "CacheDirectory",
              "/run": "RuntimeDirectory"}  # fmt: skip
    assert folders[2:] == [*owner, *(f"{at}/{service[key]}" for at, key in places.items())]
    assert all(Path(words[4]).is_file() for words in steps if words[:2] == ["install", "-D"])


def test_a_service_is_not_given_a_python_that_systemd_hides(board: Board) -> None:
    board.python("3.10", home="/home/me/.pyenv/versions/3.10.14")
    done = board.install("--jetpack", "6", "--service")
    assert done.returncode == 1
    assert "systemd hides homes from the service; name the system's with --python" in done.stderr


def test_a_folder_of_something_else_is_left_alone(board: Board) -> None:
    board.python("3.10")
    (board.folder / "sb").mkdir()
    (board.folder / "sb" / "thesis.tex").touch()
    done = board.install("--jetpack", "6")
    assert "is there and no environment" in done.stderr


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_a_container_installs_by_the_script(board: Board, path: Path) -> None:
    (words,) = re.findall(r"^RUN deploy/install\.sh (.*)$", path.read_text(), re.MULTILINE)
    for version in SETS.values():
        board.python(version)
    steps = board.steps(*shlex.split(words))
    gpu = any("pycuda" in step for step in steps)
    assert gpu is (path.stem != "x86")


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_a_container_has_what_the_wheel_is_built_of(path: Path) -> None:
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", path.read_text(), re.MULTILINE)
    names = {name for names in copied for name in names.split()}
    hatch = read_toml(ROOT / "pyproject.toml")["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {package.split("/")[0] for package in hatch["packages"]}
    needed |= {"pyproject.toml", "deploy", PROJECT["readme"], *PROJECT["license-files"]}
    assert names == needed


def unit() -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "systemd" / "sensebind.service")
    return parser


def test_the_unit_and_the_example_speak_of_the_same_folders() -> None:
    service = unit()["Service"]
    config = read_robot_config(DEPLOY / "robot.toml")
    assert config.output is not None
    assert config.output.file.startswith(f"/var/lib/{service['StateDirectory']}/")
    assert str(config.health.file).startswith(f"/run/{service['RuntimeDirectory']}/")
    text = (DEPLOY / "systemd" / "sensebind.service").read_text()
    assert f"SENSEBIND_CACHE=/var/cache/{service['CacheDirectory']}" in text
    assert service["ExecStart"] == "/opt/sensebind/bin/sensebind run /etc/sensebind/robot.toml"


def test_the_unit_does_not_take_the_devices_away() -> None:
    """ProtectClock= and DeviceAllow= make systemd refuse every device they do not name."""
    assert {"PrivateDevices", "ProtectClock", "DeviceAllow"}.isdisjoint(unit()["Service"])


def test_the_example_is_valid(tmp_path: Path) -> None:
    text = (DEPLOY / "robot.toml").read_text(encoding="utf-8")
    text = re.sub(r"/var/lib/sensebind|/run/sensebind", str(tmp_path), text)
    (tmp_path / "robot.toml").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "sensebind", "run", str(tmp_path / "robot.toml"), "--check"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 devices" in done.stdout


def test_the_examples_commented_parts_are_valid_too(tmp_path: Path) -> None:
    text = (DEPLOY / "robot.toml").read_text(encoding="utf-8")
    text = re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE)
    (tmp_path / "robot.toml").write_text(text, encoding="utf-8")
    config = read_robot_config(tmp_path / "robot.toml")
    assert set(config.devices) == {"mic", "depth", "imu"}
    assert config.record is not None
    assert config.engines.build


def test_a_build_that_runs_out_of_memory_does_not_end_the_service() -> None:
    service = unit()["Service"]
    assert service["OOMPolicy"] == "continue"
    assert "KillMode" not in service  # by default what it has begun ends with it


def test_rotation_leaves_files_alone_that_begin_anew_by_themselves() -> None:
    text = (DEPLOY / "logrotate" / "sensebind").read_text(encoding="utf-8")
    names = {Path(name).name for name in re.findall(r"/var/lib/sensebind/\S+", text)}
    assert names == {"changes.jsonl", "stats.jsonl"}
