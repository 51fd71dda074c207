# SPDX-License-Identifier: Apache-2.0
"""The sense in one step: what it leaves, and what a second call leaves out."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sensebind_engines.recipes.sounds import final
from sensebind_engines.recipes.sounds.dataset import CONFIG, CREDITS, prompts

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_second_call_trains_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[tuple[str, ...]] = []

    def build(out: Path, cache: Path) -> Path:
        del cache
        out.mkdir(exist_ok=True)
        (out / CREDITS).write_text("who made it")
        return out

    def train(config: tuple[str, ...], run: Path, *, resume: bool) -> SimpleNamespace:
        assert resume
        trained.append(config)
        return SimpleNamespace(path=run)

    def export(run: Path, bundle: Path, **told: Any) -> None:
        assert told["licence"] == final.LICENCE
        bundle.mkdir()
        (bundle / "from").write_text(run.name)

    def report(data: Path, bundles: list[str], seeds: range) -> str:
        return f"{data.name} {[bundle.rsplit('/')[-1] for bundle in bundles]} {list(seeds)}"

    monkeypatch.setattr(final, "build", build)
    monkeypatch.setattr(final, "load_config", lambda path, settings: (path.name, *settings))
    monkeypatch.setattr(final, "train", train)
    monkeypatch.setattr(final, "export_run", export)
    monkeypatch.setattr(final, "report", report)
    monkeypatch.setattr(final, "write_figures", lambda path, told: path.write_text(told))
    out = tmp_path / "audio"
    out.mkdir()
    for _ in range(2):
        final.build_sense(out, tmp_path, seed=4, anchor="anchors/one")
    settings = "nodes.text.anchor=anchors/one"
    assert trained == [(CONFIG, f"training.seed={seed}", settings) for seed in (4, 5, 6)]
    assert (out / "bundle" / "from").read_text() == "run-4"
    assert (out / "figures.json").read_text() == "data ['bundle', 'seed-5', 'seed-6'] [4, 5, 6]"
    assert (out / "NOTICE.txt").read_text() == "who made it"
    asked = json.loads((out / "prompts.json").read_text())
    learnt = json.loads((out / "vocabulary.json").read_text())
    assert asked.keys() == prompts().keys()
    assert set(learnt).isdisjoint(text for wordings in asked.values() for text in wordings)
