# SPDX-License-Identifier: Apache-2.0
"""The examination of a computer: whatever is missing, it ends, and names a fix."""

from __future__ import annotations

import shutil
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from sensebind import Bundle, cli, doctor
from sensebind.bundle_folder import open_bundle
from sensebind.doctor import board, clocks, gpu, python, ros, sensors
from sensebind.doctor.finding import Finding
from sensebind.gpu import NO_GPU, Gpu
from sensebind.sources.paced import PacedSource
from tests.support.playing import BlockSource
from tests.support.running import imu_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def told(findings: Iterable[Finding], level: str | None = None) -> list[str]:
    return [f"{f.says} → {f.fix}" for f in findings if level in (None, f.level)]


def answering(monkeypatch: pytest.MonkeyPatch, module: Any, **contents: str) -> None:
    """Let files have these contents, by the last part of their path."""
    known = {name.replace("__", "."): text for name, text in contents.items()}
    monkeypatch.setattr(module, "content_of", lambda path: known.get(path.rsplit("/", 1)[1], ""))


def test_this_computer_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["doctor", "--json"]) == 0
    findings = msgspec.json.decode(capsys.readouterr().out, type=list[Finding])
    assert {"python", "packages", "cache", "gpu", "ros", "sound", "bundle"} <= {
        finding.topic for finding in findings
    }
    assert not [f for f in findings if f.level == "failure"]


def test_everything_may_be_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("HOME", "ROS_DISTRO", "RMW_IMPLEMENTATION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    for module in (python, gpu, board):
        monkeypatch.setattr(module, "content_of", lambda _path: "")
    for module in (gpu, ros, sensors):
        monkeypatch.setattr(module, "has_module", lambda _name: False)
    assert cli.run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "sounddevice is not installed" in out
    assert "→ pip install 'sensebind[realsense]'" in out
    assert "does not tell how much memory is free" in out
    assert "0 failures" in out


def test_a_damaged_bundle_is_a_failure(
    bundle_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    next(bundle_copy.glob("*.onnx")).write_bytes(b"short")
    assert cli.run(["doctor", "--bundle", str(bundle_copy)]) == 1
    out = capsys.readouterr().out
    assert "✗ bundle" in out
    assert out.count("copy the bundle again") == 1
    assert "1 failure, " in out


def test_an_examination_that_fails_is_told_and_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> Iterable[Finding]:
        yield Finding("gpu", "ok", "half")
        raise RuntimeError("the driver is gone")

    monkeypatch.setitem(doctor._EXAMINATIONS, "gpu", broken)
    findings = list(doctor.examine())
    assert Finding("gpu", "warning", "could not be examined: RuntimeError: the driver is gone") in (
        findings
    )
    assert findings[-1].topic == "memory"


def test_listening_needs_to_know_the_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["doctor", "--listen", "2"]) == 2
    assert "name them in a file: --config robot.toml" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "level"), [("yes", "ok"), ("no", "note"), ("", "note")])
def test_a_clock_that_nothing_is_known_of_is_no_right_one(
    monkeypatch: pytest.MonkeyPatch, answer: str, level: str
) -> None:
    monkeypatch.setattr(clocks, "answer_of", lambda *_: answer)
    (finding,) = clocks.system_clock()
    assert finding.level == level


def test_clocks_of_live_devices_are_told(bundle_folder: Path) -> None:
    source = PacedSource(BlockSource(imu_blocks(400)), factor=4, clock="counter of the IMU")
    with Bundle.load(bundle_folder) as bundle:
        came, finding = clocks.live_clocks(bundle, [source], 30.0)
    assert came.level == "ok"
    assert came.says.startswith("imu: ")
    assert "windows of imu were encoded" in came.says
    assert finding.says.startswith("counter of the IMU runs +")
    assert "ppm beside the computer's clock, 400 messages" in finding.says
    assert finding.level == "warning"  # it runs four times as fast as it should


def test_a_stream_that_is_too_short_is_a_warning(bundle_folder: Path) -> None:
    source = PacedSource(BlockSource(imu_blocks(8)), factor=4)
    with Bundle.load(bundle_folder) as bundle:
        came = next(clocks.live_clocks(bundle, [source], 30.0))
    assert came.level == "warning"
    assert came.says.startswith("imu: 0 windows of imu were encoded")
    assert "listen for longer" in came.fix


def test_a_device_that_cannot_be_opened_is_a_failure(bundle_folder: Path) -> None:
    with Bundle.load(bundle_folder) as bundle:
        (finding,) = clocks.live_clocks(bundle, [], 1.0)
    assert (finding.topic, finding.level) == ("devices", "failure")


@pytest.mark.parametrize(
    ("release", "says"),
    [
        ("# R36 (release), REVISION: 4.3, GCID: 3", "Orin, Jetson Linux 36.4.3 (JetPack 6)"),
        ("# R38 (release), REVISION: 2.0, GCID: 3", "Orin, Jetson Linux 38.2.0 (JetPack 7)"),
        ("# R35 (release), REVISION: 1.0, GCID: 3", "35.1.0, SenseBind is made for JetPack 6 and"),
        ("", "this is no Jetson"),
    ],
)
def test_a_jetson_is_known_by_its_release(
    monkeypatch: pytest.MonkeyPatch, release: str, says: str
) -> None:
    answering(monkeypatch, gpu, nv_tegra_release=release, model="Orin")
    assert says in told(gpu.jetson())[0]


def test_another_python_than_jetpacks_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, gpu, nv_tegra_release="# R36 (release), REVISION: 4.3, GCID: 3")
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    (line,) = told(gpu.jetson(), "warning")
    assert (
        "TensorRT is for Python 3.10, this is 3.12 → make the environment with python3.10" in line
    )


def test_without_a_gpu_tensorrt_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "find_gpu", lambda: NO_GPU)
    assert not told(gpu.tensorrt(), "warning")


def test_what_a_gpu_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "find_gpu", lambda: Gpu("Orin", "87", "12.6"))
    monkeypatch.setattr(gpu, "has_module", lambda _name: False)
    monkeypatch.setattr(gpu, "_libraries", lambda: iter(()))
    monkeypatch.setattr(gpu, "version_of", {"tensorrt-cu13": "11.4", "onnxruntime": "1",
                                            "onnxruntime-gpu": "1"}.get)  # fmt: skip
    lines = "\n".join(told(gpu.tensorrt(), "warning"))
    assert "this environment sees no TensorRT → on a Jetson: apt install" in lines
    assert "pycuda is not installed → pip install 'sensebind[tensorrt]'" in lines
    assert "tensorrt-cu13 11.4 needs a driver of CUDA 13, this one is of CUDA 12.6" in lines
    assert "overwrite each other's files" in lines


def test_a_module_that_cannot_be_imported_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        if name == "soxr":
            raise ImportError("numpy.core.multiarray failed to import")

    monkeypatch.setattr(python, "import_module", refuse)
    (line,) = told(python.packages(), "failure")
    assert line.startswith("soxr ")
    assert "multiarray failed to import → install it anew" in line


def test_numpy_2_beside_humble_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(python, "_HUMBLE", tmp_path)
    monkeypatch.setattr(python, "version_of", {"numpy": "2.2.6"}.get)
    assert "pip install 'numpy==1.26.*'" in told(python.packages(), "warning")[0]
    monkeypatch.setattr(python, "version_of", {"numpy": "1.26.4"}.get)
    assert not told(python.packages(), "warning")


def test_memory_that_does_not_suffice_names_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, board, meminfo="MemAvailable:      70000 kB")
    (line,) = told(board.memory(open_bundle("demo")), "warning")
    assert "0.1 GB are free" in line
    assert "imu, audio, depth fit together" in line


def test_power_modes_and_governors_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, board, status="pmode:0002")
    machine = SimpleNamespace(
        cpu="A78", cores=6, architecture="aarch64", load_average=(9.0, 9, 9), governor="schedutil"
    )
    monkeypatch.setattr(board, "this_machine", lambda: machine)
    lines = "\n".join(told(board.clock_rates(), "note"))
    assert "load 9.0: others use it too" in lines
    assert "governor schedutil" in lines
    assert "power mode 2 of nvpmodel → sudo nvpmodel -m 0" in lines


def test_a_cache_that_cannot_be_written_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("SENSEBIND_CACHE", str(file / "cache"))
    (line,) = told(board.caches())
    assert "cannot be written" in line
    assert "SENSEBIND_CACHE" in line


def test_a_full_disk_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(free=5_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    assert "5 MB are free" in told(board.caches(), "warning")[0]


def test_ros_without_its_modules_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ros, "has_module", lambda _name: False)
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    assert "ROS 2 jazzy is set up, but this Python does not see rclpy" in told(ros.ros())[0]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "loses most depth pictures"),
        ({"RMW_IMPLEMENTATION": "rmw_zenoh_cpp"}, "the middleware is rmw_zenoh_cpp"),
        ({"FASTDDS_DEFAULT_PROFILES_FILE": "/nowhere.xml"}, "there is no file FASTDDS_DEFAULT"),
        ({"FASTRTPS_DEFAULT_PROFILES_FILE": __file__}, f"Fast DDS reads {__file__}"),
    ],
)
def test_the_middleware_is_told(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], says: str
) -> None:
    monkeypatch.setattr(ros, "has_module", lambda name: name == "rclpy")
    for name in ("RMW_IMPLEMENTATION", *ros._PROFILES):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    lines = told(ros.ros())
    assert any(says in line for line in lines)
    assert any("sensebind_msgs is not built" in line for line in lines)


class Camera:
    """A RealSense camera as librealsense describes one."""

    def __init__(self, usb: str) -> None:
        self._told = {"name": "D435i", "serial_number": "8213", "usb_type_descriptor": usb}

    def supports(self, field: str) -> bool:
        return field in self._told

    def get_info(self, field: str) -> str:
        return self._told[field]

    def query_sensors(self) -> list[Any]:
        return [SimpleNamespace(is_motion_sensor=lambda: True)]


@pytest.mark.parametrize(("usb", "level"), [("2.1", "warning"), ("3.2", "ok"), ("", "ok")])
def test_a_camera_at_a_slow_port_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, usb: str, level: str
) -> None:
    fields = ("name", "serial_number", "usb_type_descriptor")
    context = SimpleNamespace(query_devices=lambda: [Camera(usb)])
    rs = SimpleNamespace(
        context=lambda: context, camera_info=SimpleNamespace(**{name: name for name in fields})
    )
    monkeypatch.setattr(sensors, "has_module", lambda _name: True)
    monkeypatch.setattr(sensors, "librealsense", lambda: rs)
    (finding,) = sensors.realsense()
    assert finding.level == level
    assert finding.says.startswith("D435i 8213, USB ")
    assert "an IMU" in finding.says
