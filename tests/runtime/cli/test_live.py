# SPDX-License-Identifier: Apache-2.0
"""Live sources on the command line: shown, kept, recorded, told about."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from sensebind import cli
from sensebind.cli import live_run
from sensebind.cli.live_devices import AskedDevices, serial_imu, udp_imu
from sensebind.cli.live_run import LiveWishes, run_live
from sensebind.cli.live_view import LiveView
from sensebind.describing import ChangeSettings, LabelSettings
from sensebind.errors import InputError, SinkError
from sensebind.records import Record
from sensebind.robot.config import RobotConfig
from sensebind.robot.device_config import (
    CameraDevice,
    ImuSerialDevice,
    ImuUdpDevice,
    MicrophoneDevice,
    RealSenseDevice,
)
from sensebind.sinks import open_live_sink
from sensebind.sinks.reading import open_records
from sensebind.sources import open_source
from sensebind.sources.paced import PacedSource
from sensebind.types import Embedding, Modality
from tests.support.records import record, run_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.records import RunMetadata

RATE_HZ = 16_000


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Six seconds of noise."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 6 * RATE_HZ).astype(np.float32)
    path = tmp_path / "sound.wav"
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    return path


def test_what_is_heard_is_kept_and_replayed(
    sound: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out, record = tmp_path / "live.parquet", tmp_path / "live.mcap"
    source = PacedSource(open_source(sound), factor=4)
    prompts, labels, changes = "a dog,rain", "temperature=0.5", tmp_path / "changes.jsonl"
    config = RobotConfig(
        bundle=str(bundle_folder),
        prompts=prompts,
        labels=LabelSettings(temperature=0.5),
        changes=ChangeSettings(file=str(changes)),
    )
    lines = list(run_live([source], config, LiveWishes(out, record)))
    assert any(line.endswith(f" in {changes}") for line in lines)
    assert changes.exists()
    assert any(line.startswith(f"recorded in {record}: sound.wav 96000") for line in lines)
    live = {row["grid_ns"]: row for row in pq.read_table(out).to_pylist()}
    assert len(live) >= 7
    again = tmp_path / "again.parquet"
    told = ["replay", str(record), "--bundle", str(bundle_folder), "--out", str(again)]
    assert cli.run([*told, "--prompts", prompts, "--labels", labels]) == 0
    replayed = {row["grid_ns"]: row for row in pq.read_table(again).to_pylist()}
    for grid_ns, row in live.items():
        assert replayed[grid_ns]["vector"] == row["vector"]
        assert replayed[grid_ns]["label"] == row["label"]
        assert replayed[grid_ns]["scores"] == row["scores"]


def test_a_run_without_a_window_tells_why(
    sound: Path, bundle_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(sound, np.zeros(RATE_HZ, np.float32), RATE_HZ)
    out = tmp_path / "out.parquet"
    source = PacedSource(open_source(sound), factor=100)
    lines = list(run_live([source], RobotConfig(bundle=str(bundle_folder)), LiveWishes(out)))
    assert "sound.wav: no embedding, as what was delivered fills no window" in "\n".join(lines)
    assert f"{out} was not written: there was no embedding" in capsys.readouterr().err
    assert not out.exists()


class FailingSink:
    """Takes nothing."""

    unwritten = ()

    def write(self, _record: Record) -> None:
        raise SinkError("the disk is full")

    def close(self) -> None: ...
    def abort(self) -> None: ...


def test_an_output_that_failed_is_opened_again_as_the_run_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[bool] = []
    sinks = [FailingSink()]
    out, metadata = tmp_path / "out.parquet", run_metadata()

    def opening(path: Path, given: RunMetadata, *, resume: bool) -> Any:
        opened.append(resume)
        return sinks.pop() if sinks else open_live_sink(path, given, resume=resume)

    monkeypatch.setattr(live_run, "open_live_sink", opening)
    pipeline = SimpleNamespace(report=SimpleNamespace(incidents=[]))
    with live_run._publishing(pipeline, metadata, out) as publishing:  # type: ignore[arg-type]
        for index in range(3):
            publishing.publish(record(index))
    assert opened == [False, True]
    assert len(list(open_records(out).records())) == 2
    (incident,) = pipeline.report.incidents
    assert incident.what.startswith("the disk is full; it is ")


def test_devices_are_read_as_a_robots_are() -> None:
    asked = AskedDevices("default", 16_000.0, "/dev/ttyUSB0@921600", "5005", "0", "1", "default")
    assert asked.devices() == {
        "mic": MicrophoneDevice(rate_hz=16_000.0),
        "imu_serial": ImuSerialDevice(port="/dev/ttyUSB0", baud=921_600),
        "imu_udp": ImuUdpDevice(host="0.0.0.0", port=5005),
        "camera": CameraDevice(device="0"),
        "thermal": CameraDevice(device="1", sense="thermal"),
        "realsense": RealSenseDevice(),
    }
    assert [type(source).__name__ for source in asked.sources()] == [
        "Microphone", "ImuSerial", "ImuUdp", "Camera", "Camera", "RealSense",
    ]  # fmt: skip


def test_addresses_of_imus_are_read() -> None:
    assert serial_imu("/dev/ttyUSB0") == ImuSerialDevice(port="/dev/ttyUSB0", baud=115_200)
    assert udp_imu("udp://0.0.0.0:5005") == ImuUdpDevice(host="0.0.0.0", port=5005)
    assert udp_imu("[::1]:5005") == ImuUdpDevice(host="::1", port=5005)
    with pytest.raises(InputError, match=r"rate of '/dev/ttyUSB0@fast' is 'fast', expected a num"):
        serial_imu("/dev/ttyUSB0@fast")
    with pytest.raises(InputError, match="'robot' names no UDP port; expected HOST:PORT"):
        udp_imu("robot")


def test_a_robots_file_brings_devices_and_wishes(
    sound: Path, bundle_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    robot = tmp_path / "robot.toml"
    robot.write_text(
        f'bundle = "{bundle_folder}"\nprompts = "a dog,rain"\n[devices.mic]\nkind = "recording"\n'
        f'path = "{sound.name}"\nfactor = 4\nrepeat = false\n[output]\nfile = "robot.parquet"\n'
        '[changes]\nfile = "changes.jsonl"\n'
    )
    out = tmp_path / "live.jsonl"
    assert cli.run(["live", "--config", str(robot), "--prompts", "a,b", "--out", str(out)]) == 0
    assert "sound.wav: " in capsys.readouterr().out
    assert '"labels":["a","b"]' in out.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "live.jsonl", "robot.toml", "sound.wav",
    ]  # fmt: skip


def test_a_device_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["live"]) == 2
    assert "give --mic NAME (for instance --mic default)" in capsys.readouterr().err


def test_without_the_package_the_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert cli.run(["live", "--mic", "default"]) == 2
    assert "pip install 'sensebind[audio]'" in capsys.readouterr().err


def test_devices_whose_package_is_missing_do_not_hide_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("sounddevice", "serial"):
        monkeypatch.setitem(sys.modules, package, None)
    assert cli.run(["live", "--list-devices"]) == 0
    told = capsys.readouterr().out
    for extra in ("audio", "serial"):
        assert f"pip install 'sensebind[{extra}]'" in told


def test_the_view_shows_the_latest_of_each_stream() -> None:
    view = LiveView()
    for stream, label, best in [("/mic", "rain", 0.9), ("/imu", "still", 0.6), ("/mic", "dog", 1)]:
        embedding = Embedding(
            stream=stream, modality=Modality.AUDIO, grid_ns=0, start_ns=0, end_ns=0, stamp_ns=0,
            coverage=0.95, valid_fraction=1.0, encoder_id="", vector=np.zeros(4, np.float32),
        )  # fmt: skip
        view.add(Record(embedding, label, np.array([best, 1 - best], np.float32)))
    mic, imu = view.rows()
    assert (mic[0], mic[3], mic[5], mic[6]) == ("/mic", "0.95", "dog", "1.00")
    assert mic[-1] == "██"
    assert imu[-1] == "▅"
