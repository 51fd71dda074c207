# SPDX-License-Identifier: Apache-2.0
"""Two processes train as one does: the same losses, gradients and weights."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from safetensors.torch import load_file

from sensebind_engines.training.processes import Processes

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """
import sys
from pathlib import Path
from safetensors.torch import save_file
from sensebind_engines.training.processes import joined
from sensebind_engines.training.run_folder import Provenance, RunFolder
from tests.engines.training.fakes import graph_config, make_trainer

edges = [
    {"pair": ["audio", "vision"], "learned": True},
    {"pair": ["audio", "depth"], "loss": "siglip", "learned": True, "weight": 0.5},
]
config = graph_config(edges, ("audio", "vision", "depth"), steps=6, augment=False, batch=9)
folder = RunFolder(Path(sys.argv[1]))
with joined("cpu") as processes:
    if processes.first:
        folder.begin(config, Provenance())
    processes.wait()
    trainer = make_trainer(config, keys=True, items=25, processes=processes)
    gradients = {}
    for norm in trainer.steps():
        step = trainer.steps_done
        for name, weight in trainer.binding.named_parameters():
            gradients[f"{step}.{name}"] = weight.grad.clone()
    save_file(gradients, folder.path / f"gradients-{processes.rank}.safetensors")
    trainer.run(folder)
    if processes.first:
        print(processes.world, [f"{value:.6f}" for value in trainer.last.values()])
"""


def _train(folder: Path, count: int) -> str:
    """Run the program in `count` processes; returns what it printed."""
    program = folder.with_suffix(".py")
    program.write_text(PROGRAM, encoding="utf-8")
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    done = subprocess.run(
        [sys.executable, *(launcher if count > 1 else []), str(program), str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(ROOT)]),
             "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_equal_one(tmp_path: Path) -> None:
    """Also with parts of 5 and 4 rows, and with a last batch of 7 that is cut into 4 and 3."""
    one, two = tmp_path / "one", tmp_path / "two"
    alone = _train(one, 1).split(maxsplit=1)
    together = _train(two, 2).split(maxsplit=1)
    assert (alone[0], together[0]) == ("1", "2")
    assert together[1] == alone[1]
    expected = load_file(one / "gradients-0.safetensors")
    assert len(expected) == 6 * (3 * 4 + 3)
    for rank in (0, 1):
        found = load_file(two / f"gradients-{rank}.safetensors")
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            np.testing.assert_allclose(found[name], gradient, rtol=2e-4, atol=2e-6, err_msg=name)
    for path in sorted((one / "nodes").iterdir()):
        weights, other = load_file(path), load_file(two / "nodes" / path.name)
        for name, weight in weights.items():
            np.testing.assert_allclose(other[name], weight, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("rows", "world"), [(7, 2), (8, 3), (3, 3)])
def test_shares_lie_where_they_are_gathered(rows: int, world: int) -> None:
    indices = np.arange(100, 100 + rows)
    for rank in range(world):
        process = Processes(rank, world)
        assert process.share(indices).tolist() == indices[process.rows(rows)].tolist()
        assert len(process.share(indices)) >= 1
