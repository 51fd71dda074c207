# SPDX-License-Identifier: Apache-2.0
"""`sensebind calibrate clock`, and calibrating from devices, from the outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from typer.testing import CliRunner

from sensebind.calibration import Calibration
from sensebind.cli.live_devices import AskedDevices
from sensebind.config import StreamConfig
from sensebind.errors import InputError, SourceError
from sensebind.sources import open_source
from sensebind.sources.bags.source import BagSource
from sensebind.sources.base import LiveStreamInfo, StreamKind
from sensebind.types import Modality, SampleBlock, UniformBlock
from sensebind_calibration.commands import app
from tests.support.bags import audio, audio_info, imu, write_mcap
from tests.support.imu_noise import imu_table
from tests.support.imu_poses import draw_truth, record
from tests.support.knocks import BASE_NS, TRUE_CLOCK, Clock, felt, heard, knock_times
from tests.support.running import ScriptedSource, deliver_all, no_thread_is_left
from tests.support.toml import read_toml

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind.types import Block
    from tests.support.bags import Message

__all__ = ["no_thread_is_left"]

CLOCK = Clock(0.4)
STREAMS = ("--stream", "/mic", "--reference", "/imu")


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def sensors(knocks: int = 25, clock: Clock = CLOCK) -> list[Block]:
    """A microphone whose clock is off and an IMU, knocked."""
    rng = np.random.default_rng(0)
    times = knock_times(rng, knocks)
    return [*felt(rng, times, TRUE_CLOCK, 100.0), *heard(rng, times, clock)]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bag of both, each message received 3 ms or more after its newest sample was taken."""
    rng = np.random.default_rng(1)
    messages: list[Message] = [audio_info("/mic/info", BASE_NS)]
    for block in sensors():
        if isinstance(block, SampleBlock):
            for stamp_ns, values in zip(block.stamps_ns.tolist(), block.values, strict=True):
                log_ns = stamp_ns + 3_000_000 + round(rng.exponential(1e6))
                messages.append(imu("/imu", log_ns, values, stamp_ns=stamp_ns))
        elif isinstance(block, UniformBlock):
            samples = np.rint(block.values * 32767).clip(-32768, 32767).astype("<i2")
            true_ns = block.stamp_ns + round(CLOCK.offset_ns(block.stamp_ns))
            log_ns = true_ns + block.count * 62_500 + 3_000_000 + round(rng.exponential(2e6))
            messages.append(audio("/mic", log_ns, samples, stamp_ns=block.stamp_ns))
    path = tmp_path_factory.mktemp("bag") / "knocks.mcap"
    return write_mcap(path, sorted(messages, key=lambda message: message.log_ns))


def test_a_bag_gives_section_and_card(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.toml"
    shown = run("clock", recording, *STREAMS, "--out", out)
    assert "/mic: stamps by the clock of /imu = stamp + offset" in shown
    section = read_toml(out)["clock"]["/mic"]
    assert section["by"] == "content"
    assert section["offset_ns"] == pytest.approx(400e6, abs=12e6)  # the IMU comes every 10 ms
    assert len(section["provenance"]["sha256"]) == 64
    applied = Calibration.load(out).of_stream("/mic", Modality.AUDIO).clock
    assert applied is not None
    assert applied.reference == "/imu"
    assert "events of" in run("show", out)
    with pytest.raises(InputError, match=r"already has a section.*--force"):
        run("clock", recording, *STREAMS, "--out", out)
    before = out.read_bytes()
    run("clock", recording, *STREAMS, "--out", out, "--force", "--as", "/audio")
    assert (tmp_path / "c.toml.bak").read_bytes() == before
    assert set(read_toml(out)["clock"]) == {"/mic", "/audio"}


def test_what_is_refused_is_named(recording: Path, tmp_path: Path) -> None:
    told = r"^knocks\.mcap, /imu, /mic: the streams are \d\.\d s and \d\.\d s long"
    with pytest.raises(InputError, match=told):
        run("clock", recording, *STREAMS, "--to", "5", "--out", tmp_path / "c.toml")


def test_arrivals_tell_the_same(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.toml"
    shown = run("clock", recording, *STREAMS, "--out", out, "--by", "stamps", "--no-drift")
    assert "calibrate by content to have it" in shown
    assert read_toml(out)["clock"]["/mic"]["offset_ns"] == pytest.approx(400e6, abs=1e6)


def test_receipts_are_those_of_the_bag(recording: Path) -> None:
    source = open_source(recording)
    assert isinstance(source, BagSource)
    found = source.receipts({"/imu": StreamConfig(modality=Modality.IMU)})
    assert set(found) == {"/imu"}
    delays_ns = found["/imu"].receive_ns - found["/imu"].stamps_ns
    assert len(delays_ns) == sum(len(b.stamps_ns) for b in sensors() if isinstance(b, SampleBlock))
    assert delays_ns.min() >= 3_000_000
    assert delays_ns.mean() == pytest.approx(4_000_000, rel=0.05)


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        (("--stream", "/mic", "--reference", "/mic"), InputError, "both name '/mic'"),
        (("--stream", "/ear=audio", "--reference", "/imu"), SourceError, "no stream '/ear'"),
        (("--stream", "/mic/info", "--reference", "/imu"), InputError, "cannot be told to be a"),
    ],
)
def test_streams_that_cannot_be_compared(
    words: tuple[str, ...], error: type[Exception], told: str, recording: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=told):
        run("clock", recording, *words, "--out", tmp_path / "c.toml")


def devices(monkeypatch: pytest.MonkeyPatch, *sources: Any) -> None:
    """Let these be the devices, whatever was asked for."""
    monkeypatch.setattr(AskedDevices, "sources", lambda _: list(sources))


def test_the_clocks_of_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocks = sensors()
    infos = {
        "imu": LiveStreamInfo("imu", StreamKind.SAMPLES, "imu"),
        "mic": LiveStreamInfo("mic", StreamKind.UNIFORM, "sound", "F32LE", serial="M7"),
    }
    devices(
        monkeypatch,
        *(
            ScriptedSource(name, [info], deliver_all([b for b in blocks if b.stream == name]))
            for name, info in infos.items()
        ),
    )
    out = tmp_path / "c.toml"
    run("clock", "--mic", "default", "--imu-serial", "/dev/x", "--stream", "mic",
        "--reference", "imu", "--out", out)  # fmt: skip
    section = read_toml(out)["clock"]["mic"]
    assert section["offset_ns"] == pytest.approx(400e6, abs=12e6)
    assert section["provenance"]["serial"] == "M7"


def test_an_imu_at_a_serial_port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = draw_truth(rng)
    rows = record(rng, truth, 14)
    stamps_ns = BASE_NS + np.arange(len(rows)) * 10_000_000
    blocks: list[Block] = [
        SampleBlock("/imu", stamps_ns[i : i + 50], rows[i : i + 50])
        for i in range(0, len(rows), 50)
    ]
    info = LiveStreamInfo("/imu", StreamKind.SAMPLES, "imu", serial="8213")
    devices(monkeypatch, ScriptedSource("port", [info], deliver_all(blocks)))
    out, again = tmp_path / "c.toml", tmp_path / "again.toml"
    run("imu", "--imu-serial", "/dev/x", "--out", out)
    section = read_toml(out)["imu"]["/imu"]
    with pytest.raises(InputError, match="already has a section"):  # before anything is read
        run("imu", "--imu-serial", "/dev/x", "--out", out)
    run("imu", imu_table(tmp_path / "poses.parquet", rows), "--out", again)
    assert section["accel_matrix"] == read_toml(again)["imu"]["poses.parquet"]["accel_matrix"]
    assert section["provenance"]["serial"] == "8213"


def test_devices_and_recordings_are_not_mixed(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"knocks\.mcap\) and devices were given"):
        run("imu", recording, "--imu-serial", "/dev/x", "--out", tmp_path / "c.toml")
    with pytest.raises(InputError, match="nothing was given to read"):
        run("imu", "--out", tmp_path / "c.toml")


def test_devices_that_fail_or_are_silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    info = LiveStreamInfo("/imu", StreamKind.SAMPLES, "imu")

    def fails(_deliver: object) -> None:
        raise SourceError("the port was unplugged")

    words = ("imu", "--imu-serial", "/dev/x", "--out", tmp_path / "c.toml")
    devices(monkeypatch, ScriptedSource("port", [info], fails))
    with pytest.raises(SourceError, match="the port was unplugged"):
        run(*words)
    devices(monkeypatch, ScriptedSource("port", [info], deliver_all([])))
    with pytest.raises(SourceError, match="'/imu' delivered nothing in 120 s; check that the"):
        run(*words)
    garbled = ScriptedSource("port", [info], deliver_all([]))
    garbled.report.skip("/imu", "a line of 6 numbers", 40)
    devices(monkeypatch, garbled)
    with pytest.raises(SourceError, match=r"was skipped \(40 times a line of 6 numbers\)"):
        run(*words)
