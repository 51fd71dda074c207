# SPDX-License-Identifier: Apache-2.0
"""What is said about OpenVINO where it is not, and where it is but nobody asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from sensebind.backends import resolve_backend
from sensebind.bundle import Bundle
from sensebind.errors import MissingExtraError
from sensebind.types import Modality

if TYPE_CHECKING:
    from pathlib import Path


def test_without_the_library_the_extra_is_named(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with (
        Bundle.load(bundle_folder, backend="openvino") as bundle,
        pytest.raises(MissingExtraError, match=r"'openvino' needs .*sensebind\[openvino\]"),
    ):
        bundle.encoder(Modality.IMU)


def test_what_is_installed_is_told_but_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for found in (None, object()):
        monkeypatch.setattr("sensebind.backends.find_spec", lambda _name, found=found: found)
        name, reason = resolve_backend("auto")
        assert name == "onnxruntime"
        assert ("bench --backend onnxruntime,openvino" in reason) == (found is not None)
        assert "\n" not in reason
