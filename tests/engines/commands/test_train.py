# SPDX-License-Identifier: Apache-2.0
"""`sensebind train` on files on disk: a run, its resumption, and input that is refused."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from typer.testing import CliRunner

from sensebind.errors import ConfigError, InputError, SinkError
from sensebind.types import Modality
from sensebind_engines.commands.train import train_app
from sensebind_engines.training.reporting import read_log
from sensebind_engines.training.run_folder import RunFolder
from tests.support.datasets import files, manifest

if TYPE_CHECKING:
    from typer.testing import Result

ROOT = Path(__file__).resolve().parents[3]

OUTSIDE = dict(os.environ)
"""With the cache of compiled kernels, which another process would need half a minute to make."""

CONFIG = """
extends = "imagebind"
modalities = ["vision", "text", "audio", "imu"]

[nodes.audio]
size = "conv-tiny"
[nodes.imu]
size = "conv-tiny"

[data.audio_vision]
manifest = "pairs.jsonl"
windows = "one"
[data.imu_vision]
manifest = "pairs.jsonl"
windows = "one"
[data.imu_vision.augment.imu]
scale = 0.1

[schedule]
steps = 4
warmup_steps = 1

[training]
batch = 3
ema_decay = 0.9
checkpoint_every = 2
log_every = 1
threads = 1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six items of picture, sound and IMU, and a configuration."""
    rows = [{**files(tmp_path, number), "group": f"g{number}"} for number in range(6)]
    manifest(tmp_path / "pairs.jsonl", *rows)
    (tmp_path / "mine.toml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _train(*arguments: str) -> Result:
    return CliRunner().invoke(train_app, ["mine.toml", *arguments])


def test_a_run_from_files_to_weights(folder: Path) -> None:
    result = _train()
    assert result.exit_code == 0, result.exception
    assert "trained: runs/mine; next: sensebind export runs/mine BUNDLE" in result.stdout
    run = RunFolder(folder / "runs" / "mine")
    assert [edge.pair for edge in run.edges()] == [("audio", "vision"), ("imu", "vision")]
    assert run.data()["audio_vision"].items == 6
    assert set(run.encoders()) == {Modality.AUDIO, Modality.IMU}
    assert run.anchors()[Modality.VISION].source == "demo"
    assert run.versions()["threads"] == 1
    assert run.weights(Modality.IMU)
    assert [record.step for record in read_log(run.log)] == [1, 2, 3, 4]
    again = _train("--resume")
    assert again.exit_code == 0


def test_explain_counts_items_and_trains_nothing(folder: Path) -> None:
    result = _train("--explain")
    assert result.exit_code == 0, result.exception
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "2 edges train 2 of 6 pairs of 4 senses" in lines[0]
    assert "audio_vision vision, audio 6 0 rows 3 2.0" in lines
    assert "audio-imu vision" in lines
    assert not (folder / "runs").exists()


def test_the_same_folder_needs_resume(folder: Path) -> None:
    assert _train("--out", "run").exit_code == 0
    with pytest.raises(InputError, match="'run' already holds a run; add --resume"):
        raise _train("--out", "run").exception or AssertionError


def _refused(*arguments: str) -> BaseException:
    result = _train(*arguments)
    assert result.exit_code != 0
    assert result.exception is not None
    return result.exception


def test_resuming_something_else_is_refused(folder: Path) -> None:
    assert _train("--out", "run").exit_code == 0
    with pytest.raises(InputError, match=r"these differ: schedule\.steps, training\.seed\. Resume"):
        raise _refused(
            "--out", "run", "--resume", "--set", "training.seed=9", "--set", "schedule.steps=9"
        )
    lines = (folder / "pairs.jsonl").read_text().splitlines(keepends=True)
    (folder / "pairs.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match=r"'audio_vision', 'imu_vision' changed since the run"):
        raise _refused("--out", "run", "--resume")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("item2.wav", b"RIFF", r"pairs\.jsonl.*row 3.*item2\.wav"),
        ("item4.jpg", b"\xff\xd8 cut", r"pairs\.jsonl.*row 5.*item4\.jpg"),
        ("item1.csv", None, r"pairs\.jsonl.*row 2.*item1\.csv"),
    ],
)
def test_bad_files_are_named_with_their_row(
    folder: Path, name: str, content: bytes | None, message: str
) -> None:
    """Corrupt or missing; whether found when the data are opened or when a batch is made."""
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    error = _refused("--out", "run")
    assert isinstance(error, InputError)
    assert re.search(message, str(error)), error


BREAKING = """
import sys
from pathlib import Path
from sensebind.errors import InputError
from sensebind_engines.commands.train import train_app
from sensebind_engines.training.trainer import Trainer
save = Trainer._save
def save_and_break(self, folder):
    save(self, folder)
    if self.steps_done == 1:  # the other half of the items was not read yet
        for path in Path().glob("*.wav"):
            path.write_bytes(b"RIFF")
Trainer._save = save_and_break
options = ["--set", "training.workers=0", "--set", "training.checkpoint_every=1"]
try:
    train_app(["mine.toml", "--out", "run", *options], standalone_mode=False)
except InputError as error:
    sys.exit(str(error))
"""


def test_files_that_break_on_the_way_cost_no_step(folder: Path) -> None:
    """The run goes on from its checkpoint once they are back."""
    assert _train("--out", "whole").exit_code == 0
    sounds = {path: path.read_bytes() for path in folder.glob("*.wav")}
    done = _run(BREAKING, folder)
    assert done.returncode == 1
    assert re.search(r"pairs\.jsonl, row \d.*item\d\.wav", done.stderr), done.stderr
    run = RunFolder(folder / "run")
    assert run.checkpoint.is_file()
    assert not run.finished
    for path, content in sounds.items():
        path.write_bytes(content)
    options = ("--set", "training.workers=0", "--set", "training.checkpoint_every=1")
    again = _train("--out", "run", *options, "--resume")
    assert again.exit_code == 0, again.exception
    for modality in (Modality.AUDIO, Modality.IMU):
        whole = RunFolder(folder / "whole").node(modality)
        assert run.node(modality).read_bytes() == whole.read_bytes()


def test_pairs_that_do_not_match_are_refused(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    for row in rows:
        row.pop("audio")
    manifest(folder / "pairs.jsonl", *rows)
    with pytest.raises(InputError, match=r"none of its 6 rows has vision, audio"):
        raise _refused()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["trainin.batch=2"], r"unknown key 'trainin'.*did you mean 'training'\?"),
        (['modalities=["audio","imu"]'], "not connected: audio | imu"),
        (["data.imu_vision.manifest=none.jsonl"], r"none\.jsonl"),
        (["dim=128"], "dim is 128, but the vectors of the anchor 'demo' have length 384"),
        (["nodes.audio.size=huge"], r"no encoder size 'huge'; the sizes are: imagebind, base"),
        (["nodes.audio.encoder.network.hiden=2"], r"hiden"),
        (["nodes.vision.anchor=nowhere", "nodes.text.anchor=nowhere"], r"nowhere"),
    ],
)
def test_configurations_that_are_refused(folder: Path, settings: list[str], message: str) -> None:
    with pytest.raises((ConfigError, InputError), match=message):
        raise _refused(*(word for setting in settings for word in ("--set", setting)))


def test_data_without_a_place_are_named() -> None:
    result = CliRunner().invoke(train_app, ["clip", "--out", "never"])
    with pytest.raises(ConfigError, match=r"'vision_text', which needs items of vision, text"):
        raise result.exception or AssertionError


def _run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own, in the folder of the configuration."""
    path = os.pathsep.join([*sys.path, str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder,
        env={**OUTSIDE, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


KILLED = {
    "between steps": """
report = Trainer._report
def die(self, *arguments):
    report(self, *arguments)
    if self.steps_done == 7:
        os.kill(os.getpid(), signal.SIGKILL)
Trainer._report = die
""",
    "while writing": """
calls = []
def die(tensors, path, metadata):
    calls.append(path)
    if len(calls) == 3:
        path.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    save_file(tensors, path, metadata)
files.save_file = die
""",
}

PROGRAM = """
import os, signal
from safetensors.torch import save_file
from sensebind_engines.commands.train import train_app
from sensebind_engines.training import files
from sensebind_engines.training.trainer import Trainer
{patch}
train_app(["mine.toml", "--out", "killed", "--set", "schedule.steps=9"], standalone_mode=False)
"""


@pytest.mark.parametrize("when", KILLED)
def test_killed_it_goes_on_to_the_same_bytes(folder: Path, when: str) -> None:
    longer = ("--set", "schedule.steps=9")
    assert _train("--out", "whole", *longer).exit_code == 0
    done = _run(PROGRAM.format(patch=KILLED[when]), folder)
    assert done.returncode == -signal.SIGKILL, done.stderr
    run, whole = RunFolder(folder / "killed"), RunFolder(folder / "whole")
    assert run.checkpoint.is_file()
    assert not run.finished
    again = _train("--out", "killed", "--resume", *longer)
    assert again.exit_code == 0, again.exception
    for modality in (Modality.AUDIO, Modality.IMU):
        assert run.node(modality).read_bytes() == whole.node(modality).read_bytes()
    assert run.checkpoint.read_bytes() == whole.checkpoint.read_bytes()
    assert [record.step for record in read_log(run.log)] == list(range(1, 10))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_told_and_nothing_is_lost(folder: Path) -> None:
    small = folder / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        error = _refused("--out", "small/run")
        assert isinstance(error, SinkError), error
        assert "No space left on device" in str(error)
        assert not RunFolder(small / "run").finished
        subprocess.run(["mount", "-o", "remount,size=60m", str(small)], check=True)
        again = _train("--out", "small/run", "--resume")
        assert again.exit_code == 0, again.exception
    finally:
        subprocess.run(["umount", str(small)], check=True)
