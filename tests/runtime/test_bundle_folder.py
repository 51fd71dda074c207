# SPDX-License-Identifier: Apache-2.0
"""No file of a bundle leaves its folder, and none is used unless it is what it claims."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sensebind import bundle_folder as module
from sensebind.bundle_folder import builtin_bundles, find_bundle, open_bundle
from sensebind.errors import BundleError
from sensebind.types import Modality


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def listed(folder: Path) -> dict[str, Any]:
    files: dict[str, Any] = json.loads((folder / "bundle.json").read_text())["files"]
    return files


def test_a_whole_bundle_verifies(bundle_folder: Path) -> None:
    folder = open_bundle(bundle_folder)
    folder.verify()
    assert folder.path == bundle_folder
    assert folder.file("imu.onnx") == bundle_folder / "imu.onnx"
    assert len(folder.bundle_id) == 64
    assert folder.encoder(Modality.IMU).onnx == "imu.onnx"


def test_another_manifest_is_another_bundle(bundle_copy: Path) -> None:
    before = open_bundle(bundle_copy)
    edit(bundle_copy, licence="MIT")
    after = open_bundle(bundle_copy)
    assert after.bundle_id != before.bundle_id
    assert after.manifest.space_id == before.manifest.space_id


@pytest.mark.parametrize(
    "name",
    ["../outside.bin", "a/../../x", "/etc/passwd", "..\\x", ".", "", "a\0b", "x" * 300 + "/.."],
)
def test_names_that_leave_the_folder_are_refused(bundle_copy: Path, name: str) -> None:
    files = {**listed(bundle_copy), name: {"sha256": "0" * 64, "bytes": 1}}
    edit(bundle_copy, files=files)
    with pytest.raises(BundleError, match=r"leaves the bundle's folder; names must be relative"):
        open_bundle(bundle_copy)


def test_links_that_leave_the_folder_are_refused(bundle_copy: Path, tmp_path: Path) -> None:
    (bundle_copy / "imu.onnx").rename(tmp_path / "imu.onnx")
    (bundle_copy / "imu.onnx").symlink_to(tmp_path / "imu.onnx")
    with pytest.raises(BundleError, match=r"'imu.onnx' in .* leaves the bundle's folder"):
        open_bundle(bundle_copy)


def test_links_that_run_in_circles_are_refused(bundle_copy: Path) -> None:
    (bundle_copy / "imu.onnx").unlink()
    (bundle_copy / "imu.onnx").symlink_to("imu.onnx")
    with pytest.raises(BundleError, match=r"imu.onnx.* (leaves the bundle's folder|is missing)"):
        open_bundle(bundle_copy).file("imu.onnx")


def test_a_file_put_in_its_place_later_is_refused(bundle_copy: Path, tmp_path: Path) -> None:
    folder = open_bundle(bundle_copy)
    (bundle_copy / "imu.onnx").rename(tmp_path / "imu.onnx")
    (bundle_copy / "imu.onnx").symlink_to(tmp_path / "imu.onnx")
    with pytest.raises(BundleError, match="leaves the bundle's folder"):
        folder.file("imu.onnx")


def test_unlisted_files_are_refused(bundle_copy: Path) -> None:
    (bundle_copy / "extra").mkdir()
    (bundle_copy / "extra" / "plan.bin").write_bytes(b"x")
    folder = open_bundle(bundle_copy)
    with pytest.raises(BundleError, match=r"'extra/plan.bin' is not listed in .*bundle.json"):
        folder.file("extra/plan.bin")
    with pytest.raises(BundleError, match=r"plan.bin is not listed in bundle.json; remove it"):
        folder.verify()


def test_changed_files_are_refused(bundle_copy: Path) -> None:
    content = bytearray((bundle_copy / "imu.onnx").read_bytes())
    content[-1] ^= 1
    (bundle_copy / "imu.onnx").write_bytes(content)
    folder = open_bundle(bundle_copy)
    with pytest.raises(BundleError, match=r"imu.onnx has sha256 \w{64}, the manifest says \w{64}"):
        folder.verify()
    folder.verify(["text.onnx"])


def test_cut_files_are_refused(bundle_copy: Path) -> None:
    content = (bundle_copy / "imu.onnx").read_bytes()
    (bundle_copy / "imu.onnx").write_bytes(content[:-10])
    with pytest.raises(BundleError, match=rf"has {len(content) - 10} bytes, the manifest says"):
        open_bundle(bundle_copy).verify(["imu.onnx"])


def test_missing_files_are_named(bundle_copy: Path) -> None:
    (bundle_copy / "imu.onnx").unlink()
    with pytest.raises(BundleError, match=r"imu.onnx is missing; the bundle is incomplete"):
        open_bundle(bundle_copy).verify()


def test_missing_modalities_are_named(bundle_copy: Path) -> None:
    content = json.loads((bundle_copy / "bundle.json").read_text())
    del content["encoders"]["imu"]
    edit(bundle_copy, encoders=content["encoders"])
    with pytest.raises(
        BundleError, match=r"'test' has no 'imu' encoder; it has audio, depth, text"
    ):
        open_bundle(bundle_copy).encoder(Modality.IMU)


def test_manifest_errors_name_the_file(bundle_copy: Path) -> None:
    (bundle_copy / "bundle.json").write_text('{"format": 1,')
    with pytest.raises(BundleError, match=r"copy/bundle.json: bundle.json is not a valid manifest"):
        open_bundle(bundle_copy)


def test_oversized_manifests_are_not_read(bundle_copy: Path) -> None:
    with (bundle_copy / "bundle.json").open("r+b") as stream:
        stream.truncate(5 << 20)
    with pytest.raises(BundleError, match=r"has 5242880 bytes, at most 4194304"):
        open_bundle(bundle_copy)


@pytest.mark.parametrize("name", ["none", "x" * 5000, "a\0b"])
def test_missing_bundles_are_named(name: str) -> None:
    with pytest.raises(
        BundleError, match=r"no bundle .*: there is no such folder, and the built-in"
    ):
        open_bundle(name)


def test_folders_without_a_manifest_are_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"the folder .* has no bundle.json"):
        open_bundle(tmp_path)


def test_built_in_names_win_over_folders(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (tmp_path / "data" / "bundles" / "demo", tmp_path / "demo"):
        place.mkdir(parents=True)
        (place / "bundle.json").write_text("{}")
    (tmp_path / "data" / "bundles" / "unfinished").mkdir()
    monkeypatch.setattr(module, "data_folder", lambda: tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    assert builtin_bundles() == {"demo": tmp_path / "data" / "bundles" / "demo"}
    assert find_bundle("demo") == tmp_path / "data" / "bundles" / "demo"
    assert find_bundle("./demo") == Path("demo")
    assert find_bundle(Path("demo")) == Path("demo")
    with pytest.raises(BundleError, match=r"no bundle 'demon': .* bundles are: demo"):
        find_bundle("demon")


def test_without_data_there_are_no_built_in_bundles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "data_folder", lambda: tmp_path)
    assert builtin_bundles() == {}
