# SPDX-License-Identifier: Apache-2.0
"""Cameras that are calibrated live: the user is asked before each wall and each temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from sensebind.cli.live_devices import AskedDevices
from sensebind.errors import InputError
from sensebind.sources.base import LiveStreamInfo, StreamKind
from sensebind.types import Frame, FrameBlock
from sensebind_calibration.commands import app
from tests.calibration.test_thermal import OFFSET_K, SCALE, counts
from tests.support.running import ScriptedSource
from tests.support.toml import read_toml
from tests.support.walls import FOCAL_PX, HEIGHT, WIDTH, seen, wall

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sensebind.types import Block
    from tests.support.walls import Values

DEPTH, THERMAL = "/realsense/depth", "/camera/thermal"


def camera(stream: str, encoding: str, *scenes: list[Values]) -> ScriptedSource:
    """A camera that shows one scene each time it is opened; metres or counts as 32-bit floats."""

    def script(frames: list[Values]) -> Callable[[Callable[[Block], None]], None]:
        def play(deliver: Callable[[Block], None]) -> None:
            for number, values in enumerate(frames):
                data = values.astype("<f4" if encoding == "32FC1" else "<u2").tobytes()
                step = len(data) // HEIGHT
                frame = Frame(data, encoding, WIDTH, HEIGHT, step, focal_px=FOCAL_PX)
                deliver(FrameBlock(stream, (number + 1) * 33_333_333, frame))

        return play

    info = LiveStreamInfo(stream, StreamKind.FRAMES, "a camera", encoding, serial="77")
    return ScriptedSource("camera", [info], *map(script, scenes))


def asked(source: ScriptedSource, patch: pytest.MonkeyPatch, *words: object) -> str:
    patch.setattr(AskedDevices, "sources", lambda _self: [source])
    done = CliRunner().invoke(app, [str(w) for w in words], input="\n" * 9, catch_exceptions=False)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_walls_are_asked_for_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    scenes = [seen(rng, wall(d), 6, scale=1.03, offset_m=0.01) for d in (0.6, 1.5)]
    source, out = camera(DEPTH, "32FC1", *scenes), tmp_path / "c.toml"
    shown = asked(source, monkeypatch, "depth", "--realsense", "default", "--seconds", 1,
                  "--distance", 0.6, "--distance", 1.5, "--out", out)  # fmt: skip
    assert "a bare wall 0.6 m away, then press Enter" in shown
    assert source.starts == 2
    section = read_toml(out)["depth"][DEPTH]
    assert section["scale"] == pytest.approx(1.03, abs=0.01)
    assert section["offset_m"] == pytest.approx(0.01, abs=0.01)
    assert section["focal_px"] == FOCAL_PX
    assert section["provenance"]["serial"] == "77"


def test_temperatures_are_asked_for_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    source, out = camera(THERMAL, "mono16", counts(rng, 0), counts(rng, 60)), tmp_path / "c.toml"
    shown = asked(source, monkeypatch, "thermal", "--thermal", 0, "--seconds", 1,
                  "--celsius", 0, "--celsius", 60, "--out", out)  # fmt: skip
    assert "what has 60 degrees Celsius, then press Enter" in shown
    section = read_toml(out)["thermal"][THERMAL]
    assert section["scale"] == pytest.approx(SCALE, rel=2e-3)
    assert section["offset_k"] == pytest.approx(OFFSET_K, abs=1)


def test_a_section_that_is_there_is_told_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "c.toml"
    out.write_text(f'format = 1\n\n[depth."{DEPTH}"]\n')
    source = camera(DEPTH, "32FC1")
    with pytest.raises(InputError, match="already has a section"):
        asked(source, monkeypatch, "depth", "--realsense", "default", "--out", out)
    assert source.starts == 0


def test_parts_and_devices_do_not_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    source = camera(DEPTH, "32FC1")
    with pytest.raises(InputError, match=r"parts .* which only recordings have"):
        asked(source, monkeypatch, "depth", "--realsense", "default", "--distance", "1@0..5")
    with pytest.raises(InputError, match="give either RECORDINGs or --realsense"):
        asked(source, monkeypatch, "depth")
    with pytest.raises(InputError, match="two temperatures at least"):
        asked(source, monkeypatch, "thermal", "--thermal", 0)
