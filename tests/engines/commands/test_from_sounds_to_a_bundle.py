# SPDX-License-Identifier: Apache-2.0
"""The way that the page on training tells: its script, configuration and commands, in its order."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

pytest.importorskip("torch", reason="training needs the train extra")
pytest.importorskip("onnxscript", reason="export needs the train extra")

from sensebind.bundle_folder import open_bundle
from sensebind_engines.training.run_folder import RunFolder
from tests.docs.test_docs import ROOT, blocks, commands, environment
from tests.support import datasets

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PAGE = ROOT / "docs" / "training.md"
RATE_HZ = 16_000
PROGRAMS = {"sensebind": "sensebind", "torchrun": "torch.distributed.run"}
# Enough to tell a tone from noise; two processes need not learn it again.
SHORT = {"sensebind": (30, 4), "torchrun": (2, 1)}


def _sound(name: str, number: int) -> NDArray[np.float64]:
    """Three seconds: a dog is a tone, rain is noise."""
    rng = np.random.default_rng(number)
    time_s = np.arange(3 * RATE_HZ) / RATE_HZ
    if name == "rain":
        return 0.1 * rng.standard_normal(len(time_s))
    return np.asarray(0.3 * np.sin(2 * np.pi * rng.uniform(300, 900) * time_s))


def _run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env={**environment(), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def _shortened(words: list[str]) -> list[str]:
    """The command as a module's, and quick."""
    program, *rest = words
    if "sounds.toml" in rest:
        steps, warmup = SHORT[program]
        rest += ["--set", f"schedule.steps={steps}", "--set", f"schedule.warmup_steps={warmup}"]
    if rest[0] == "evaluate":
        rest += ["--resamples", "50"]
    return ["-m", PROGRAMS[program], *rest]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sounds of one's own, a recording with a microphone, the page's manifest and configuration."""
    for name in ("dog", "rain"):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for number in range(8):
            path = tmp_path / "sounds" / name / f"{number}.wav"
            soundfile.write(path, _sound(name, number), RATE_HZ)
    datasets.recording(tmp_path / "drive.mcap")
    (script,) = (text for text in blocks(PAGE, "python") if "sounds.jsonl" in text)
    _run(tmp_path, "-c", script)
    (config,) = (text for text in blocks(PAGE, "toml") if "extends" in text)
    (tmp_path / "sounds.toml").write_text(config, encoding="utf-8")
    return tmp_path


def test_the_commands_make_a_bundle_that_names_sounds(folder: Path) -> None:
    told = [words for words in commands(PAGE) if "demo" not in words]
    assert {word for words in told for word in words} >= {"train", "export", "evaluate", "replay"}
    said = {" ".join(words): _run(folder, *_shortened(words)) for words in told}
    explained = next(text for words, text in said.items() if "--explain" in words)
    assert "audio_text  text, audio  12     0 rows    12     30.0" in explained
    assert {edge.pair for edge in RunFolder(folder / "runs/two").edges()} == {("audio", "text")}
    open_bundle(folder / "bundles" / "sounds").verify()
    figures = json.loads((folder / "evaluation" / "evaluation.json").read_bytes())
    (named,) = (z for z in figures["zero_shot"] if z["modality"] == "audio")
    assert (named["relation"], named["top1"]["n"]) == ("trained", 12)
    assert named["top1"]["value"] > 0.9
    rows = pq.read_table(folder / "drive.parquet").to_pylist()
    heard = [row["label"] for row in rows if row["modality"] == "audio"]
    assert heard
    assert set(heard) == {"rain"}, "the recording's microphone gives noise"
