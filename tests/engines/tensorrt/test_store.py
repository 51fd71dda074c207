# SPDX-License-Identifier: Apache-2.0
"""Each plan is built once, by one process at a time, and is there whole or not at all."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from sensebind.bundle_folder import open_bundle
from sensebind.errors import BackendError, BundleError, SinkError
from sensebind.gpu import NO_GPU, Gpu
from sensebind.plans import PLAN_NAME, all_plans, find_plan, place_of, plans_folder
from sensebind.storage import data_folder
from sensebind.types import Modality
from sensebind_engines.commands.engine import engine_app
from sensebind_engines.tensorrt import store
from sensebind_engines.tensorrt.build import Built
from sensebind_engines.tensorrt.encoders import Target, target_of
from sensebind_engines.tensorrt.flavour import Flavour
from sensebind_engines.tensorrt.options import BuildOptions

if TYPE_CHECKING:
    from collections.abc import Callable

FLAVOUR = Flavour("tensorrt", None, "10.3.0.26")
ORIN = Gpu("Orin (nvgpu)", "87", "12.6")
BUILT = Built(b"plan", {"CONVOLUTION": {"HALF": 4}}, 71, 0.5, b"timed")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The builder is replaced; names of the graphs it was given."""
    given: list[str] = []

    def build_plan(_flavour: Flavour, path: Path, *_rest: object) -> Built:
        given.append(path.name)
        return BUILT

    monkeypatch.setattr(store, "build_plan", build_plan)
    return given


def target(modality: Modality = Modality.IMU) -> Target:
    return target_of(open_bundle("demo"), modality, FLAVOUR, ORIN, BuildOptions(), "fp32")


def kept(waiting: Callable[[], None] | None = None, *, force: bool = False) -> store.Kept:
    return store.build_into_cache(FLAVOUR, "demo", target(), force=force, waiting=waiting)


def test_a_plan_is_built_once(builds: list[str]) -> None:
    first, second = kept(), kept()
    assert (first.built, second.built) == (True, False)
    assert first.plan == second.plan == find_plan(target().key)
    assert first.plan.path.read_bytes() == b"plan"
    assert builds == ["imu.onnx"]
    assert kept(force=True).built


def test_what_was_timed_serves_the_next_build(builds: list[str], cache: Path) -> None:
    kept()
    (timing,) = (cache / "plans").glob("*.timing")
    assert timing.read_bytes() == b"timed"
    assert timing.name == "tensorrt-10.3.0.26-87.timing"


def test_a_changed_plan_is_refused_until_it_is_built_again(builds: list[str]) -> None:
    plan = kept().plan
    plan.path.write_bytes(b"evil")
    with pytest.raises(BackendError, match=r"is not loaded; build it again with .* --force"):
        kept()
    assert kept(force=True).plan.path.read_bytes() == b"plan"


def test_what_a_killed_build_left_is_removed(builds: list[str]) -> None:
    place = place_of(target().key)
    left = place.with_name(f".{place.name}.0badcafe.part")
    left.mkdir(parents=True)
    (left / PLAN_NAME).write_bytes(b"half a pl")
    assert find_plan(target().key) is None
    kept()
    assert not left.exists()


def test_a_failed_build_leaves_the_old_plan(
    builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept()

    def fail(*_given: object) -> Built:
        raise BackendError("no")

    monkeypatch.setattr(store, "build_plan", fail)
    with pytest.raises(BackendError, match="no"):
        kept(force=True)
    found = find_plan(target().key)
    assert found is not None
    found.check()


def test_two_builds_at_once_build_once(monkeypatch: pytest.MonkeyPatch) -> None:
    building, waiting, go_on = threading.Event(), threading.Event(), threading.Event()
    count = []

    def build_plan(*_given: object) -> Built:
        count.append(1)
        building.set()
        assert go_on.wait(30)
        return BUILT

    monkeypatch.setattr(store, "build_plan", build_plan)
    results: list[bool] = []
    first = threading.Thread(target=lambda: results.append(kept().built))
    second = threading.Thread(target=lambda: results.append(kept(waiting.set).built))
    first.start()
    assert building.wait(30)
    second.start()
    assert waiting.wait(30)
    go_on.set()
    first.join(30)
    second.join(30)
    assert sorted(results) == [False, True]
    assert len(count) == 1


def test_a_cache_that_cannot_be_written_is_named(builds: list[str], cache: Path) -> None:
    cache.mkdir()
    (cache / "plans").write_text("a file")
    with pytest.raises(SinkError, match=r"cannot be (kept|written)"):
        kept()


def test_a_plan_is_not_built_for_a_cache_that_does_not_last(
    builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENSEBIND_CACHE", "/proc/read-only")
    with pytest.raises(SinkError, match=r"/proc/read-only cannot be written.* SENSEBIND_CACHE"):
        kept()
    assert builds == []


def test_a_full_disk_leaves_nothing(builds: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, _content: bytes) -> int:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(SinkError, match=r"No space left on device.* SENSEBIND_CACHE"):
        kept()
    assert not [path for path in plans_folder().iterdir() if path.is_dir()]


def test_a_damaged_graph_is_refused(tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(data_folder() / "bundles" / "demo", copy)
    with (copy / "imu.onnx").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(BundleError, match=r"imu\.onnx"):
        target_of(open_bundle(copy), Modality.IMU, FLAVOUR, ORIN, BuildOptions(), "fp32")


def test_without_a_gpu_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    tensorrt = SimpleNamespace(__version__="10.3.0.26")
    monkeypatch.setitem(sys.modules, "tensorrt", tensorrt)
    monkeypatch.setattr("sensebind.gpu.find_gpu", lambda: NO_GPU)
    for arguments in (["build"], ["build", "demo"], ["explain"], ["verify", "demo"]):
        done = CliRunner().invoke(engine_app, arguments)
        assert "no GPU or driver was found here; run this on the robot" in str(done.exception)


def test_the_demos_plans_are_meant_where_no_bundle_is_named(
    builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tensorrt = SimpleNamespace(__version__="10.3.0.26")
    monkeypatch.setitem(sys.modules, "tensorrt", tensorrt)
    monkeypatch.setattr("sensebind.gpu.find_gpu", lambda: ORIN)
    done = CliRunner().invoke(engine_app, ["build", "--modality", "imu"])
    assert "imu fp16: built in 0.5 s" in done.output
    assert "unharmed" in CliRunner().invoke(engine_app, ["explain", "--modality", "imu"]).output
    assert {plan.record.bundle for plan in all_plans()[0]} == {"demo"}


def test_bytes_are_verified_without_a_bundle_and_of_all_plans(builds: list[str]) -> None:
    plan = kept().plan
    assert CliRunner().invoke(engine_app, ["verify"]).output == "1 plan, 0 damaged\n"
    plan.path.write_bytes(b"evil")
    done = CliRunner().invoke(engine_app, ["verify"])
    assert (done.exit_code, "1 plan, 1 damaged" in done.output) == (1, True)
    done = CliRunner().invoke(engine_app, ["verify", "--modality", "imu"])
    assert "--modality chooses among a bundle's plans; name the bundle" in str(done.exception)


def test_without_tensorrt_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    done = CliRunner().invoke(engine_app, ["build", "demo"])
    assert "TensorRT itself comes with JetPack" in str(done.exception)


def test_half_is_not_made_up() -> None:
    with pytest.raises(BundleError, match=r"has no half graph of text; export it with --fp16"):
        target_of(open_bundle("demo"), Modality.TEXT, FLAVOUR, ORIN, BuildOptions(), "fp16")


def test_a_file_system_without_locks_is_named(
    builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object, **_more: object) -> None:
        raise OSError(37, "the file system has no locks")

    monkeypatch.setattr(store, "acquire", refuse)
    with pytest.raises(SinkError, match=r"has no locks; free space .* with SENSEBIND_CACHE"):
        kept()
    assert builds == []
