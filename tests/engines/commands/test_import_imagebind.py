# SPDX-License-Identifier: Apache-2.0
"""`sensebind import-imagebind`: what it asks for, says and warns of."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="importing needs the train extra")

from sensebind.errors import InputError
from sensebind.storage import data_folder
from sensebind.types import Modality
from sensebind_engines.commands.import_imagebind import import_imagebind_app
from sensebind_engines.imagebind import importer
from sensebind_engines.imagebind.importer import Imported

if TYPE_CHECKING:
    from pathlib import Path

RUNNER = CliRunner()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the importer is asked for, in place of its work."""
    seen: list[dict[str, Any]] = []

    def run(checkpoint: Path, out: Path, modalities: list[Modality], **rest: Any) -> Imported:
        seen.append({"modalities": modalities, **rest})
        assumed = ("rate_hz",) if Modality.IMU in modalities else ()
        found = tuple(modalities)
        return Imported(found, importer.anchor_of(found), dict.fromkeys(found, 2e-7), assumed)

    monkeypatch.setattr(importer, "import_imagebind", run)
    return seen


def test_all_towers_with_a_tokenizer(calls: list[dict[str, Any]]) -> None:
    tokenizer = data_folder() / "bundles" / "demo" / "tokenizer.json"
    done = RUNNER.invoke(import_imagebind_app, ["x.pth", "out", "--bpe", str(tokenizer)])
    assert done.exit_code == 0, done.output
    assert calls[0]["modalities"] == list(Modality)
    assert calls[0]["tokenizer"] == tokenizer.read_bytes()
    assert calls[0]["still"] is False
    assert "vision: exported, max |ONNX Runtime - torch| 2.0e-07" in done.output
    assert "its space is named by vision, text" in done.output
    warnings = " ".join(done.stderr.split())
    assert "not for commercial use" in warnings
    assert "never published the IMU's rate_hz" in warnings
    assert "space_id is not that of a full import" not in warnings


def test_some_towers_need_no_tokenizer(calls: list[dict[str, Any]]) -> None:
    arguments = ["x.pth", "out", "--modality", "depth", "--modality", "vision", "--still"]
    done = RUNNER.invoke(import_imagebind_app, arguments)
    assert done.exit_code == 0, done.output
    assert calls[0]["modalities"] == [Modality.DEPTH, Modality.VISION]
    assert (calls[0]["tokenizer"], calls[0]["still"]) == (None, True)
    assert "space_id is not that of a full import" in " ".join(done.stderr.split())
    assert "never published" not in done.stderr


def test_a_missing_tokenizer_is_told_before_any_work(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    arguments = ["x.pth", "out", "--bpe", str(tmp_path / "none.json")]
    done = RUNNER.invoke(import_imagebind_app, arguments)
    assert isinstance(done.exception, InputError)
    assert "cannot read CLIP's tokenizer" in str(done.exception)
    assert calls == []


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "no.pth"), str(tmp_path / "out"), "--modality", "imu"]
    done = RUNNER.invoke(import_imagebind_app, arguments)
    assert isinstance(done.exception, InputError)
    assert "cannot read the checkpoint" in str(done.exception)


@pytest.mark.parametrize("command", ["export", "import_imagebind"])
def test_loading_the_commands_needs_no_torch(command: str) -> None:
    code = f"import sys, sensebind_engines.commands.{command}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
