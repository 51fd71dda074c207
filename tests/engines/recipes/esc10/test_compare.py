# SPDX-License-Identifier: Apache-2.0
"""An encoder beside the baseline: tones that statistics tell apart, and random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer import Typer
from typer.testing import CliRunner

from sensebind_engines.recipes.esc10.compare import Compared, compare, main
from sensebind_engines.recipes.esc10.dataset import SOUNDS, build
from tests.engines.recipes.esc10.sounds import write_sounds
from tests.support.bundles import bundle_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["bundle_folder"]

WINDOWS = 7  # of two seconds, each half a second further, in a clip of five


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as monkeypatch:
        write_sounds(cache, monkeypatch)
        return build(cache / "out", cache)


@pytest.fixture(scope="module")
def lines(built: Path, bundle_folder: Path) -> list[Compared]:
    return compare(built, [str(bundle_folder)] * 2, "test", "final.jsonl")


def test_windows_and_clips_are_counted(lines: list[Compared]) -> None:
    clips = len(SOUNDS)
    assert [line.mean.n for line in lines] == [clips * WINDOWS, clips] * 2
    assert {line.mean.clusters for line in lines} == {clips}
    assert {line.mean.chance for line in lines} == {0.1}


def test_statistics_tell_tones_apart(lines: list[Compared]) -> None:
    assert [line.seeds for line in lines[2:]] == [(1.0,)] * 2


def test_random_weights_do_not(lines: list[Compared]) -> None:
    for line in lines[:2]:
        assert len(line.seeds) == 2
        assert line.mean.value is not None
        assert line.mean.value < 0.6


def test_command(built: Path, bundle_folder: Path) -> None:
    app = Typer()
    app.command()(main)
    arguments = [str(built), str(bundle_folder), "--split", "dev", "--manifest", "choosing.jsonl"]
    printed = CliRunner().invoke(app, arguments)
    assert "(mean of windows): 1.000 [1.000, 1.000] (n 10; seeds 1.000)" in printed.stdout
