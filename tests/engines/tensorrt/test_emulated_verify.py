# SPDX-License-Identifier: Apache-2.0
"""`sensebind engine verify` on the EMULATED GPU: cosines are real, times mean nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest
from typer.testing import CliRunner

from tests.support.emulated.driver import missing

if missing() is not None:
    pytest.skip(f"EMULATED GPU: {missing()}", allow_module_level=True)

from sensebind.bundle import Bundle
from sensebind.bundle_folder import MANIFEST_NAME, open_bundle
from sensebind.errors import BackendError
from sensebind.manifest import encode_manifest
from sensebind.plans import all_plans
from sensebind.types import Modality
from sensebind_engines.commands.engine import engine_app
from sensebind_engines.tensorrt import verify
from tests.support.emulated.plans import put_plan

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from tests.support.emulated.driver import EmulatedDriver

ALL = list(open_bundle("demo").manifest.encoders)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(engine_app, list(arguments))


def test_every_encoder_of_the_demo_agrees(
    emulated: EmulatedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_RUNS", 20)
    for modality in ALL:
        put_plan(modality)
    done = invoke("verify", "demo")
    assert done.exit_code == 0, done.output
    for modality in ALL:
        assert f"{modality} fp32 on EMULATED GPU\n  cosine of" in done.output
    assert done.output.count("CUDA graphs on") == len(ALL) - 1  # text has no fixed length
    for plan in all_plans()[0]:
        seen = plan.record.verified
        assert seen is not None
        assert 0.9999 < seen.least_cosine <= seen.p1_cosine <= seen.mean_cosine < 1.000001
        assert 0 < seen.p50_ms <= seen.p95_ms <= seen.p99_ms
        assert seen.runs == 20
        plan.check()
    assert "1.0000" in invoke("list").output


def test_a_plan_that_computes_something_else_is_refused(
    emulated: EmulatedDriver, caplog: pytest.LogCaptureFixture
) -> None:
    put_plan(Modality.IMU, noise=0.02)
    with Bundle.load("demo", backend="tensorrt", threads=1) as bundle:
        assert bundle.encoder("imu").backend == "tensorrt"  # nobody knows yet
    done = invoke("verify", "demo", "--modality", "imu")
    assert done.exit_code == 1
    assert "asks for a cosine of 0.999: this plan will be refused; run this encoder" in done.output
    with (
        Bundle.load("demo", backend="tensorrt", threads=1) as bundle,
        pytest.raises(BackendError, match=r"has a cosine of 0\.\d+ .* the bundle asks for 0\.999"),
    ):
        bundle.encoder("imu")
    with Bundle.load("demo", threads=1) as bundle:
        assert bundle.backend == bundle.encoder("imu").backend == "onnxruntime"
        assert "no plan fits tensorrt" in bundle.backend_reason
    # A plan that is not verified yet is better than one that is known to be wrong.
    put_plan(Modality.IMU, options={"level": 5})
    with Bundle.load("demo", backend="tensorrt", threads=1) as bundle:
        assert bundle.encoder("imu").backend == "tensorrt"


def test_a_bundle_may_ask_for_less(emulated: EmulatedDriver, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(open_bundle("demo").path, folder)
    manifest = open_bundle(folder).manifest
    imu = msgspec.structs.replace(manifest.encoders[Modality.IMU], engine_cosine=0.5)
    encoders = {**manifest.encoders, Modality.IMU: imu}
    changed = msgspec.structs.replace(manifest, name="lenient", encoders=encoders)
    (folder / MANIFEST_NAME).write_bytes(encode_manifest(changed))
    put_plan(Modality.IMU, bundle=str(folder), noise=0.02)
    done = invoke("verify", str(folder), "--modality", "imu")
    assert done.exit_code == 0, done.output
    with Bundle.load(folder, backend="tensorrt", threads=1) as bundle:
        assert bundle.encoder("imu").backend == "tensorrt"
    assert open_bundle(folder).manifest.encoder_id(Modality.IMU) == manifest.encoder_id(
        Modality.IMU
    )


def test_without_golden_rows_nothing_is_claimed(emulated: EmulatedDriver, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(open_bundle("demo").path, folder)
    changed = msgspec.structs.replace(open_bundle(folder).manifest, golden=None)
    (folder / MANIFEST_NAME).write_bytes(encode_manifest(changed))
    put_plan(Modality.IMU, bundle=str(folder))
    done = invoke("verify", str(folder), "--modality", "imu")
    assert "has no golden rows to compare with; export it again" in str(done.exception)


def test_a_robot_need_not_have_plans_of_all_senses(emulated: EmulatedDriver) -> None:
    put_plan(Modality.IMU)
    done = invoke("verify", "demo")
    assert done.exit_code == 0
    assert done.output.count("no plan of") == len(ALL) - 1
    assert "imu fp32 on EMULATED GPU\n  cosine of" in done.output


def test_missing_plans_are_named(emulated: EmulatedDriver) -> None:
    done = invoke("verify", "demo", "--modality", "depth")
    assert "no plan of depth fits" in str(done.exception)
    assert "sensebind engine build demo --backend tensorrt --modality depth" in str(done.exception)
