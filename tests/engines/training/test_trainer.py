# SPDX-License-Identifier: Apache-2.0
"""A run: it learns, repeats itself, and goes on after every kind of end as if there was none."""

from __future__ import annotations

import errno
import math
import signal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

import torch
from safetensors.torch import save_file

from sensebind.errors import InputError, SinkError
from sensebind.types import Modality
from sensebind_engines.training.checkpoint import Average
from sensebind_engines.training.optimiser import TrainingError
from sensebind_engines.training.reporting import read_log
from sensebind_engines.training.run_folder import Provenance, RunFolder
from tests.engines.training.fakes import AUDIO_VISION, FakeData, graph_config, make_trainer

if TYPE_CHECKING:
    from pathlib import Path

    from sensebind_engines.training.config import GraphConfig
    from sensebind_engines.training.trainer import Trainer

OPTIONS: dict[str, Any] = {"ema_decay": 0.9, "micro_batch": 3}


def _folder(path: Path, config: GraphConfig) -> RunFolder:
    folder = RunFolder(path)
    folder.begin(config, Provenance())
    return folder


def _trainer(config: GraphConfig) -> Trainer:
    return make_trainer(config, dropout=0.2, norm=True, keys=True)


def _run(path: Path, config: GraphConfig) -> RunFolder:
    folder = _folder(path, config)
    _trainer(config).run(folder)
    return folder


def _same(first: RunFolder, second: RunFolder) -> bool:
    """Byte for byte: results and everything that would be resumed from."""
    for path in (first.checkpoint, first.node(Modality.AUDIO), first.node(Modality.VISION)):
        other = second.path / path.relative_to(first.path)
        if path.read_bytes() != other.read_bytes():
            return False
    return first.edges() == second.edges()


def test_it_learns(tmp_path: Path) -> None:
    config = graph_config(AUDIO_VISION, steps=150)
    folder = _folder(tmp_path / "run", config)
    make_trainer(config).run(folder)
    records = read_log(folder.log)
    assert [record.step for record in records] == list(range(1, 151))
    assert records[-1].loss < 0.3 * records[0].loss
    assert records[-1].edges == {"audio-vision": pytest.approx(records[-1].loss)}
    assert folder.edges()[0].temperature != 0.07
    assert set(folder.weights(Modality.AUDIO)) == {
        f"layers.{layer}.{name}" for layer in (0, 3) for name in ("weight", "bias")
    }


def test_a_seed_decides_everything(tmp_path: Path) -> None:
    first = _run(tmp_path / "a", graph_config(AUDIO_VISION, **OPTIONS))
    torch.manual_seed(99)
    assert _same(first, _run(tmp_path / "b", graph_config(AUDIO_VISION, **OPTIONS)))
    other = _run(tmp_path / "c", graph_config(AUDIO_VISION, seed=1, **OPTIONS))
    assert not _same(first, other)


@pytest.mark.parametrize("workers", [0, 3])
def test_preparing_ahead_changes_nothing(tmp_path: Path, workers: int) -> None:
    first = _run(tmp_path / "a", graph_config(AUDIO_VISION))
    assert _same(first, _run(tmp_path / "b", graph_config(AUDIO_VISION, workers=workers)))


class _KilledError(Exception):
    pass


@pytest.mark.parametrize("at", [1, 5, 7, 12])
def test_going_on_equals_not_having_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Killed at any step, also before the first checkpoint and after the last."""
    config = graph_config(AUDIO_VISION, **OPTIONS)
    whole = _run(tmp_path / "whole", config)
    folder = _folder(tmp_path / "killed", config)
    trainer = _trainer(config)
    report = trainer._report

    def die(*arguments: Any) -> None:
        report(*arguments)
        if trainer.steps_done == at:
            raise _KilledError

    monkeypatch.setattr(trainer, "_report", die)
    with pytest.raises(_KilledError):
        trainer.run(folder)
    with folder.log.open("ab") as stream:
        stream.write(b'{"step": 3, "lo')  # a line cut short
    _trainer(config).run(folder)
    assert _same(whole, folder)
    assert [record.step for record in read_log(folder.log)] == list(range(1, 13))


def test_going_on_after_the_last_step_writes_the_results(tmp_path: Path) -> None:
    config = graph_config(AUDIO_VISION, **OPTIONS)
    whole = _run(tmp_path / "whole", config)
    edges = whole.edges()
    (whole.path / "edges.json").unlink()
    _trainer(config).run(whole)
    assert whole.edges() == edges


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_after_the_step_with_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    config = graph_config(AUDIO_VISION, **OPTIONS)
    whole = _run(tmp_path / "whole", config)
    folder = _folder(tmp_path / "stopped", config)
    trainer = _trainer(config)
    report = trainer._report

    def interrupt(*arguments: Any) -> None:
        report(*arguments)
        if trainer.steps_done == 7:
            signal.raise_signal(number)

    monkeypatch.setattr(trainer, "_report", interrupt)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        trainer.run(folder)
    assert signal.getsignal(number) is before
    assert trainer.steps_done == 7
    again = _trainer(config)
    again.run(folder)
    assert _same(whole, folder)


def test_nan_stops_with_the_last_checkpoint_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = graph_config(AUDIO_VISION)
    folder = _folder(tmp_path / "run", config)
    trainer = make_trainer(config)
    items = trainer._samplers["pairs"].indices(7)
    rows = trainer._data["pairs"]._rows[Modality.AUDIO]  # type: ignore[attr-defined]
    saved: list[bytes] = []

    def poison(*_: Any) -> None:
        if trainer.steps_done == 7:
            saved.append(folder.checkpoint.read_bytes())
            rows[items[0]] = math.inf

    trainer._training = graph_config(AUDIO_VISION, workers=0).training
    monkeypatch.setattr(trainer, "_report", poison)
    with pytest.raises(TrainingError, match=rf"'audio-vision' became nan at step 7.*{items.max()}"):
        trainer.run(folder)
    assert folder.checkpoint.read_bytes() == saved[0]
    assert not folder.finished
    assert all(torch.isfinite(weight).all() for weight in trainer.binding.parameters())


def test_a_gradient_that_is_not_finite_is_not_applied(tmp_path: Path) -> None:
    trainer = make_trainer(graph_config(AUDIO_VISION, workers=0))
    weight = trainer.binding.encoders["audio"].layers[0].weight
    weight.register_hook(lambda gradient: gradient * math.inf)
    before = weight.detach().clone()
    with pytest.raises(TrainingError, match=r"gradient became (nan|inf) at step 0.*'pairs'"):
        next(trainer.steps())
    assert torch.equal(weight, before)


def test_a_full_disk_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = graph_config(AUDIO_VISION, **OPTIONS)
    whole = _run(tmp_path / "whole", config)
    folder = _folder(tmp_path / "full", config)
    calls: list[Path] = []

    def full(tensors: Any, path: Path, metadata: Any) -> None:
        calls.append(path)
        if len(calls) > 1:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save_file(tensors, path, metadata)

    with monkeypatch.context() as patch:
        patch.setattr("sensebind_engines.training.files.save_file", full)
        with pytest.raises(SinkError, match=r"last\.safetensors.*No space left.*--resume"):
            _trainer(config).run(folder)
    again = _trainer(config)
    again.run(folder)
    assert len(calls) == 2
    assert _same(whole, folder)


def test_items_that_cannot_be_read_stop_it_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = graph_config(AUDIO_VISION)
    folder = _folder(tmp_path / "run", config)
    trainer = make_trainer(config)
    bad = int(trainer._samplers["pairs"].indices(8)[0])
    batch = FakeData.batch

    def broken(self: FakeData, indices: Any, rng: Any) -> Any:
        if trainer.steps_done >= 5 and bad in indices:
            raise InputError("a.jsonl, row 3: x.wav is cut short")
        return batch(self, indices, rng)

    monkeypatch.setattr(FakeData, "batch", broken)
    with pytest.raises(InputError, match=r"a\.jsonl, row 3: x\.wav is cut short"):
        trainer.run(folder)
    monkeypatch.setattr(FakeData, "batch", batch)
    make_trainer(config).run(folder)
    assert folder.finished


def test_a_checkpoint_of_another_graph_is_refused(tmp_path: Path) -> None:
    folder = _run(tmp_path / "run", graph_config(AUDIO_VISION))
    fixed = graph_config([{"pair": ["audio", "vision"]}])
    with pytest.raises(InputError, match=r"is of another graph: .* tensors differ, the first is"):
        make_trainer(fixed).run(folder)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    folder = _run(tmp_path / "run", graph_config(AUDIO_VISION))
    folder.checkpoint.write_bytes(folder.checkpoint.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"last\.safetensors' is not a checkpoint"):
        _trainer(graph_config(AUDIO_VISION)).run(folder)


def test_the_average_equals_its_definition() -> None:
    module = torch.nn.Linear(2, 1)
    average = Average(module, 0.5)
    expected = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    for step in range(20):
        with torch.no_grad():
            module.weight += step
            module.bias -= 1
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        for name, weight in module.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * weight.detach()
    average.put_in_place()
    for name, weight in module.named_parameters():
        assert torch.allclose(weight, expected[name], rtol=1e-5)


def test_a_learned_temperature_stays_in_its_range() -> None:
    trainer = make_trainer(graph_config(AUDIO_VISION, workers=0))
    edge = trainer.binding.edges[0]
    with torch.no_grad():
        edge.log_scale.fill_(10.0)
    next(trainer.steps())
    assert edge.temperature == pytest.approx(0.01)
    assert edge.log_scale.grad != 0


def test_too_few_items_are_refused() -> None:
    with pytest.raises(InputError, match="the data 'pairs' has 1 items, expected at least 2"):
        make_trainer(graph_config(AUDIO_VISION), items=1)
