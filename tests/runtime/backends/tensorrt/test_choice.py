# SPDX-License-Identifier: Apache-2.0
"""Which plan is taken, and what is said where none is. Needs no GPU and no library."""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import pytest

from sensebind.backends import open_engine, resolve_backend
from sensebind.backends.tensorrt import choice, engine
from sensebind.backends.tensorrt.choice import choose, find_fitting
from sensebind.backends.tensorrt.library import Library, open_library
from sensebind.bundle import Bundle
from sensebind.bundle_folder import open_bundle
from sensebind.errors import BackendError, InputError, MissingExtraError
from sensebind.gpu import NO_GPU, Gpu
from sensebind.plan_request import plan_request
from sensebind.plans import RECORD_NAME, Plan, Verification, all_plans, encode_record
from sensebind.types import Modality
from tests.support.emulated.plans import put_plan

if TYPE_CHECKING:
    from pathlib import Path

ORIN = Gpu("Orin (nvgpu)", "87", "12.6")
VERSION = "10.3.0.26"
LIBRARY = Library("tensorrt", None, VERSION)
REQUEST = plan_request(open_bundle("demo"), Modality.IMU)
GOOD = Verification(
    rows=8, least_cosine=0.9999, p1_cosine=0.9999, mean_cosine=0.99995, runs=200, p50_ms=1.0,
    p95_ms=1.1, p99_ms=1.2,
)  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path))
    return tmp_path


def put(modality: Modality = Modality.IMU, **changes: Any) -> Plan:
    """A plan for the Orin, unless it is changed."""
    made: dict[str, Any] = {
        "version": VERSION, "gpu": ORIN.name, "sm": ORIN.sm, "driver": ORIN.driver, **changes,
    }  # fmt: skip
    return put_plan(modality, **made)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An Orin with TensorRT and pycuda; tests take things away."""
    for module in (choice, engine):
        monkeypatch.setattr(module, "find_gpu", lambda: ORIN)
    monkeypatch.setattr(choice, "has_driver", lambda: True)
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__=VERSION))
    pycuda = SimpleNamespace(__spec__=ModuleSpec("pycuda", None))
    monkeypatch.setitem(sys.modules, "pycuda", pycuda)
    return monkeypatch


def test_the_plan_of_this_machine_is_found() -> None:
    plan = put()
    assert find_fitting(REQUEST, LIBRARY, ORIN) == plan


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": "10.3.0.30"}, r"was built by version 10\.3\.0\.30"),
        ({"gpu": "Thor", "sm": "110"}, r"is for Thor \(generation 110\), this is Orin .* \(87\)"),
        ({"driver": "13.0"}, r"under the driver's CUDA 13\.0, this is 12\.6"),
        ({"onnx_sha256": ("ab" * 32,)}, r"was built from another graph"),
        ({"backend": "tensorrt-rtx"}, r"is for tensorrt-rtx"),
    ],
)
def test_a_plan_of_something_else_is_named(changes: dict[str, Any], reason: str) -> None:
    plan = put(**changes)
    with pytest.raises(BackendError, match=rf"no plan of imu fits .*{reason}") as caught:
        find_fitting(REQUEST, LIBRARY, ORIN)
    assert plan.folder.name[:12] in str(caught.value)
    command = "sensebind engine build demo --backend tensorrt --modality imu"
    assert str(caught.value).endswith(f"Build one with: {command}")


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({"version": "10.0.1.6", "options": {"version_compatible": True}}, True),
        ({"gpu": "Orin NX", "options": {"hardware": "same_compute_capability"}}, True),
        ({"gpu": "A10", "sm": "86", "options": {"hardware": "same_compute_capability"}}, False),
        ({"gpu": "A10", "sm": "86", "options": {"hardware": "ampere_plus"}}, True),
        ({"gpu": "T4", "sm": "75", "options": {"hardware": "ampere_plus"}}, False),
        ({"gpu": "Orin NX", "options": {"hardware": "none"}}, False),
    ],
)
def test_plans_for_more_than_one_machine(changes: dict[str, Any], fits: bool) -> None:
    put(**changes)
    if fits:
        find_fitting(REQUEST, LIBRARY, ORIN)
    else:
        with pytest.raises(BackendError, match="no plan of imu fits"):
            find_fitting(REQUEST, LIBRARY, ORIN)


def test_plans_of_tensorrt_rtx_are_for_generations() -> None:
    library, ada = Library("tensorrt-rtx", None, VERSION), Gpu("RTX 4090", "89", "13.0")
    every: dict[str, Any] = {"backend": "tensorrt-rtx", "gpu": "", "sm": "", "driver": ""}
    put(**every, options={"compute_capabilities": ["86"]})
    with pytest.raises(BackendError, match=r"for the GPU generations \['86'\], this is 89"):
        find_fitting(REQUEST, library, ada)
    plan = put(**every, options={"compute_capabilities": ["86", "89"]})
    assert find_fitting(REQUEST, library, ada) == plan


def test_half_before_fp32_verified_before_not_newer_before_older() -> None:
    plans = [put(options={"level": level}) for level in range(4)]
    for age, plan in enumerate(plans):
        os.utime(plan.path, ns=(age, age))
    assert find_fitting(REQUEST, LIBRARY, ORIN) == plans[3]
    plans[1] = plans[1].with_verification(GOOD)
    assert find_fitting(REQUEST, LIBRARY, ORIN) == plans[1]
    half = msgspec.structs.replace(plans[0].record, precision="fp16")
    (plans[0].folder / RECORD_NAME).write_bytes(encode_record(half))
    assert find_fitting(REQUEST, LIBRARY, ORIN).folder == plans[0].folder


def test_a_plan_that_was_seen_to_differ_is_refused() -> None:
    bad = msgspec.structs.replace(GOOD, least_cosine=0.95)
    plan = put().with_verification(bad)
    with pytest.raises(BackendError, match=r"cosine of 0\.95000 .* asks for 0\.999\. Build one"):
        find_fitting(REQUEST, LIBRARY, ORIN)
    half = msgspec.structs.replace(plan.record, precision="fp16")
    (plan.folder / RECORD_NAME).write_bytes(encode_record(half))
    with pytest.raises(BackendError, match=r"asks for 0\.999 \(build it with --precision fp32\)"):
        find_fitting(REQUEST, LIBRARY, ORIN)


def test_a_record_that_cannot_be_read_is_told() -> None:
    (put().folder / RECORD_NAME).write_bytes(b"{")
    with pytest.raises(BackendError, match=r"no plan of imu fits .*cannot read .*plan\.json"):
        find_fitting(REQUEST, LIBRARY, ORIN)


def test_auto_takes_the_cpu_without_a_gpu(machine: pytest.MonkeyPatch) -> None:
    put()
    machine.setattr(choice, "find_gpu", lambda: NO_GPU)
    assert choose([REQUEST]) == (None, "no NVIDIA GPU was found, although a driver is here")
    machine.setattr(choice, "has_driver", lambda: False)
    assert choose([REQUEST]) == (None, "no NVIDIA GPU or driver was found")
    name, reason = resolve_backend("auto", [REQUEST])
    assert name == "onnxruntime"
    assert "no NVIDIA GPU or driver was found" in reason


def test_auto_imports_nothing_where_no_plan_was_built(machine: pytest.MonkeyPatch) -> None:
    put(onnx_sha256=("ab" * 32,))

    def too_much(*_given: object) -> NoReturn:
        raise AssertionError("this takes time")

    machine.setattr(choice, "open_library", too_much)
    machine.setattr(choice, "find_gpu", too_much)
    told = "no plan was built for the GPU (sensebind engine build demo)"
    assert choose([REQUEST]) == (None, told)


def test_auto_takes_plans_where_there_are_some(machine: pytest.MonkeyPatch) -> None:
    put()
    others = [plan_request(open_bundle("demo"), m) for m in (Modality.AUDIO, Modality.TEXT)]
    assert choose([REQUEST]) == ("tensorrt", f"tensorrt {VERSION} on {ORIN.name}")
    name, reason = choose([REQUEST, *others])
    assert name == "tensorrt"
    assert reason.endswith("no plan fits audio, text, computed by the CPU")


def test_auto_reads_the_records_once_for_all_encoders(machine: pytest.MonkeyPatch) -> None:
    put()
    read = []

    def counted() -> tuple[list[Plan], list[str]]:
        read.append(1)
        return all_plans()

    machine.setattr(choice, "all_plans", counted)
    every = [plan_request(open_bundle("demo"), modality) for modality in Modality]
    assert choose(every)[0] == "tensorrt"
    assert len(read) == 1


def test_auto_says_what_is_missing(machine: pytest.MonkeyPatch) -> None:
    put(version="10.3.0.30")
    explain = "sensebind engine explain demo --backend tensorrt"
    told = f"{ORIN.name} is there, but no plan fits tensorrt {VERSION} (see {explain})"
    assert choose([REQUEST]) == (None, told)
    machine.setitem(sys.modules, "tensorrt", None)
    assert choose([REQUEST]) == (None, f"{ORIN.name} is there, but tensorrt is not installed")
    machine.setattr(choice, "find_spec", lambda _name: None)
    assert "pycuda is not installed (pip install 'sensebind[tensorrt]')" in choose([REQUEST])[1]


def test_a_missing_library_is_named_with_its_fix(machine: pytest.MonkeyPatch) -> None:
    machine.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingExtraError, match=r"sensebind\[tensorrt\]'; TensorRT itself comes"):
        open_library("tensorrt")
    # Stubs alone leave a folder that can be imported and has nothing in it.
    machine.setitem(sys.modules, "tensorrt", SimpleNamespace())
    with pytest.raises(MissingExtraError, match=r"TensorRT needs packages"):
        open_library("tensorrt")
    with pytest.raises(InputError, match=r"'cuda'; there are: tensorrt, tensorrt-rtx"):
        open_library("cuda")


def test_asked_for_by_name_nothing_else_will_do(machine: pytest.MonkeyPatch) -> None:
    with (
        Bundle.load("demo", backend="tensorrt", threads=1) as bundle,
        pytest.raises(BackendError, match=r"none was built\. Build one with: sensebind engine"),
    ):
        bundle.encoder("imu")
    machine.setattr(engine, "find_gpu", lambda: NO_GPU)
    with (
        Bundle.load("demo", backend="tensorrt", threads=1) as bundle,
        pytest.raises(BackendError, match=r"needs an NVIDIA GPU .* use --backend onnxruntime"),
    ):
        bundle.encoder("imu")


def test_missing_pycuda_is_named_and_costs_auto_nothing(
    machine: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put()
    machine.setitem(sys.modules, "pycuda.driver", None)
    with (
        Bundle.load("demo", backend="tensorrt", threads=1) as bundle,
        pytest.raises(MissingExtraError, match=r"Running plans .*pip install 'sensebind\[tenso"),
    ):
        bundle.encoder("imu")
    with Bundle.load("demo", threads=1) as bundle:
        assert bundle.encoder("imu").backend == "onnxruntime"
    assert "imu runs on the CPU: Running plans" in caplog.text


@pytest.mark.parametrize("edit", [b"", b"EMULATED plan", b"changed"], ids=["empty", "cut", "other"])
def test_a_changed_plan_is_never_loaded(
    machine: pytest.MonkeyPatch, edit: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    put().path.write_bytes(edit)
    with (
        Bundle.load("demo", backend="tensorrt", threads=1) as bundle,
        pytest.raises(BackendError, match=r"was changed or cut short, and is not loaded; build"),
    ):
        bundle.encoder("imu")
    with Bundle.load("demo", threads=1) as bundle:
        assert bundle.encoder("imu").backend == "onnxruntime"
    assert "imu runs on the CPU: the plan" in caplog.text


def test_a_graph_alone_has_no_plan() -> None:
    spec, path = open_bundle("demo").encoder(Modality.IMU), open_bundle("demo").path / "imu.onnx"
    with pytest.raises(InputError, match=r"tensorrt runs plans of a bundle's encoders; load a Bun"):
        open_engine("tensorrt", path, spec.inputs, spec.output)
