# SPDX-License-Identifier: Apache-2.0
"""`sensebind bundle list|show|verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import sensebind as sb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.runtime.cli.conftest import Ran

    Run = Callable[..., Ran]


def test_show_names_ids_windows_and_bindings(run: Run, bundle_folder: Path) -> None:
    ran = run("bundle", "show", bundle_folder)
    assert ran.code == 0
    with sb.Bundle.load(bundle_folder) as bundle:
        assert f"space_id   {bundle.space_id}" in ran.out
        assert bundle.manifest.encoder_id(sb.Modality.IMU)[:16] in ran.out
    assert "TEST (random weights, not a model)" in ran.out
    assert "imu - vision" in ran.out


def test_show_as_json_has_everything(run: Run, bundle_folder: Path) -> None:
    shown = run("bundle", "show", bundle_folder, "--json").json
    with sb.Bundle.load(bundle_folder) as bundle:
        manifest = bundle.manifest
        assert shown["bundle_id"] == bundle.folder.bundle_id
        assert set(shown["encoders"]) == {m.value for m in manifest.encoders}
        assert shown["encoders"]["imu"]["encoder_id"] == manifest.encoder_id(sb.Modality.IMU)
        assert set(shown["files"]) == set(manifest.files)
        assert shown["kind"] == "test"


def test_verify_counts_the_files(run: Run, bundle_folder: Path) -> None:
    ran = run("bundle", "verify", bundle_folder)
    assert ran.code == 0
    assert "9 files" in ran.out
    assert run("bundle", "verify", bundle_folder, "--json").json["verified"] is True


def test_verify_names_the_damaged_file(run: Run, bundle_copy: Path) -> None:
    engine = bundle_copy / "imu.onnx"
    damaged = bytearray(engine.read_bytes())
    damaged[100] ^= 1
    engine.write_bytes(damaged)
    ran = run("bundle", "verify", bundle_copy, "--json")
    assert ran.code == 2
    assert f"error: {engine} has sha256 " in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("command", ["show", "verify"])
def test_an_unknown_bundle_is_exit_2(run: Run, command: str) -> None:
    ran = run("bundle", command, "nowhere")
    assert ran.code == 2
    assert "error: no bundle 'nowhere'" in ran.err


def test_list_shows_the_built_in_bundles(
    run: Run, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensebind.bundle_folder.builtin_bundles", lambda: {"test": bundle_folder})
    ran = run("bundle", "list")
    header, row = ran.out.splitlines()
    assert header.split() == ["name", "kind", "dim", "size", "modalities"]
    assert row.startswith("test  TEST (random weights, not a model)")
    assert [b["name"] for b in run("bundle", "list", "--json").json] == ["test"]
