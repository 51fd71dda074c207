# SPDX-License-Identifier: Apache-2.0
"""The real TensorRT for RTX: its parser and its ahead-of-time builder need no GPU.

What is shown: graphs are taken, types are as stated, plans come out. What is not: that a plan runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip(
    "tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed (extra tensorrt-rtx)"
)

from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from sensebind.bundle_folder import open_bundle
from sensebind.errors import BackendError, ConfigError
from sensebind.plans import all_plans
from sensebind.types import Modality
from sensebind_engines.commands.engine import engine_app
from sensebind_engines.tensorrt.build import build_plan
from sensebind_engines.tensorrt.flavour import Flavour, open_flavour
from sensebind_engines.tensorrt.network import check_audit, promised
from sensebind_engines.tensorrt.options import BuildOptions

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = BuildOptions(compute_capabilities=("86",))


@pytest.fixture(scope="module")
def rtx() -> Flavour:
    return open_flavour("tensorrt-rtx")


def graph(path: Path, operator: str, dtype: int = TensorProto.FLOAT) -> Path:
    """One operator and a matrix product, in `dtype`."""
    weight = numpy_helper.from_array(
        np.eye(8, dtype=helper.tensor_dtype_to_np_dtype(dtype)), "weight"
    )
    nodes = [
        helper.make_node("Cast", ["features"], ["typed"], to=dtype),
        helper.make_node("MatMul", ["typed", "weight"], ["product"]),
        helper.make_node(operator, ["product"], ["made"], name="the_node"),
        helper.make_node("Cast", ["made"], ["embedding"], to=TensorProto.FLOAT),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 8])]
        for name in ("features", "embedding")
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "graph", *ends, [weight]),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("dtype", "name"), [(TensorProto.FLOAT, "FLOAT"), (TensorProto.FLOAT16, "HALF")]
)
def test_types_are_read_as_stated(rtx: Flavour, dtype: int, name: str, tmp_path: Path) -> None:
    path = graph(tmp_path / "g.onnx", "Softmax", dtype)
    shares: list[float] = []
    built = build_plan(rtx, path, OPTIONS, advance=shares.append)
    assert built.audit == {"MATRIX_MULTIPLY": {name: 1}, "SOFTMAX": {name: 1}} == promised(path)
    assert len(built.plan) > 1000
    assert shares == sorted(shares)


def test_every_encoder_of_the_demo_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path))
    command = ["build", "demo", "--backend", "tensorrt-rtx", "--compute-capability", "86"]
    done = CliRunner().invoke(engine_app, command)
    assert done.exit_code == 0, done.output
    assert "speed and accuracy: NOT RUN here" in done.output
    manifest = open_bundle("demo").manifest
    plans = {plan.record.modality: plan.record for plan in all_plans()[0]}
    assert set(plans) == set(manifest.encoders)
    assert plans[Modality.TEXT].audit["MATRIX_MULTIPLY"] == {"FLOAT": 48}
    for modality, record in plans.items():
        assert "CONVOLUTION" in record.audit or modality is Modality.TEXT
    again = CliRunner().invoke(engine_app, command)
    assert again.output.count("there already") == len(plans)
    explained = CliRunner().invoke(engine_app, ["explain", *command[1:], "--level", "5"])
    assert explained.output.count("level is 5, the plan's 3") == len(plans)


def test_an_operator_that_is_not_taken_is_named(rtx: Flavour, tmp_path: Path) -> None:
    path = graph(tmp_path / "g.onnx", "Det")
    with pytest.raises(BackendError, match=r"cannot take g\.onnx: node 'the_node' \(Det\)"):
        build_plan(rtx, path, OPTIONS)


def test_a_generation_that_is_not_known_is_refused(rtx: Flavour, tmp_path: Path) -> None:
    path = graph(tmp_path / "g.onnx", "Softmax")
    with pytest.raises(ConfigError, match=r"'87' is not known .* Jetson boards are not among"):
        build_plan(rtx, path, BuildOptions(compute_capabilities=("87",)))


@pytest.mark.parametrize("content", ["cut", "edited"])
def test_a_damaged_graph_is_refused(rtx: Flavour, content: str, tmp_path: Path) -> None:
    path = graph(tmp_path / "g.onnx", "Softmax")
    whole = path.read_bytes()
    path.write_bytes(whole[:100] if content == "cut" else whole.replace(b"MatMul", b"MadMul"))
    with pytest.raises(BackendError, match=r"g\.onnx"):
        build_plan(rtx, path, OPTIONS)


BUILD = [
    sys.executable, "-c", "from sensebind_engines.commands.engine import engine_app; engine_app()",
    "build", "demo", "--backend", "tensorrt-rtx", "--modality", "vision", "--compute-capability",
    "86",
]  # fmt: skip


def start_build(cache: Path) -> subprocess.Popen[str]:
    """A process that builds one plan into a cache."""
    environment = {
        **os.environ,
        "SENSEBIND_CACHE": str(cache),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    return subprocess.Popen(BUILD, env=environment, text=True, stdout=-1, stderr=-1)


def test_a_killed_build_leaves_no_half_plan(tmp_path: Path) -> None:
    first = start_build(tmp_path)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("plans/*.lock")) and time.monotonic() < deadline:
        assert first.poll() is None, first.communicate()
    first.kill()
    first.communicate()
    assert not list(tmp_path.glob("plans/*/plan.json"))
    out, error = start_build(tmp_path).communicate(timeout=120)
    assert "built in" in out, error
    assert not list(tmp_path.glob("plans/*.part"))


def test_two_processes_build_a_plan_once(tmp_path: Path) -> None:
    told = [process.communicate(timeout=120)[0] for process in map(start_build, [tmp_path] * 2)]
    assert sorted("built in" in out for out in told) == [False, True]
    assert sum("there already" in out for out in told) == 1


def test_ctrl_c_ends_a_build(rtx: Flavour, tmp_path: Path) -> None:
    def interrupt(_share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_plan(rtx, graph(tmp_path / "g.onnx", "Softmax"), OPTIONS, advance=interrupt)


def test_other_types_than_stated_are_refused() -> None:
    with pytest.raises(BackendError, match=r"reads SOFTMAX layers as \{'HALF': 6\}, the graph"):
        check_audit({"SOFTMAX": {"HALF": 6}}, {"SOFTMAX": {"FLOAT": 6}}, "imu.onnx")
