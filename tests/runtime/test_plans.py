# SPDX-License-Identifier: Apache-2.0
"""Plans are found by everything they depend on, and not used if their bytes changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from sensebind.errors import BackendError
from sensebind.plans import (
    FORMAT,
    PLAN_NAME,
    RECORD_NAME,
    Plan,
    PlanKey,
    PlanRecord,
    all_plans,
    differences,
    find_plan,
    place_of,
)
from sensebind.storage import sha256_of_file
from sensebind.types import Modality

if TYPE_CHECKING:
    from pathlib import Path

KEY = PlanKey(
    onnx_sha256=("ab" * 32,),
    backend="tensorrt",
    version="10.3.0.26",
    gpu="Orin (nvgpu)",
    sm="87",
    driver="12.6",
    options={"batch": [1, 1, 8], "level": 3, "precision": "fp16"},
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path))
    return tmp_path


def put(key: PlanKey, content: bytes = b"plan", modality: Modality = Modality.IMU) -> Plan:
    """A plan in the cache."""
    folder = place_of(key)
    folder.mkdir(parents=True)
    (folder / PLAN_NAME).write_bytes(content)
    record = PlanRecord(
        format=FORMAT,
        key=key,
        bundle="demo",
        modality=modality,
        precision="fp16",
        sha256=sha256_of_file(folder / PLAN_NAME),
        bytes=len(content),
        audit={"CONVOLUTION": {"HALF": 4}},
        layers=71,
        build_s=0.5,
    )
    (folder / RECORD_NAME).write_bytes(msgspec.json.encode(record))
    return Plan(folder, record)


OTHERS = {
    "onnx_sha256": ("cd" * 32,),
    "backend": "tensorrt-rtx",
    "version": "10.3.0.30",
    "gpu": "Thor",
    "sm": "110",
    "driver": "13.0",
    "options": {"batch": [1, 1, 4], "level": 3, "precision": "fp16"},
}


@pytest.mark.parametrize("field", list(OTHERS))
def test_a_plan_fits_one_key(field: str) -> None:
    plan = put(KEY)
    assert find_plan(KEY) == plan
    other = msgspec.structs.replace(KEY, **{field: OTHERS[field]})
    assert other.digest != KEY.digest
    assert find_plan(other) is None
    (told,) = differences(other, plan.record)
    assert "the plan's" in told


def test_differences_name_the_option() -> None:
    other = msgspec.structs.replace(KEY, options={**KEY.options, "level": 5})
    assert differences(other, put(KEY).record) == ["level is 5, the plan's 3"]


@pytest.mark.parametrize("content", [b"", b"pla", b"plan!", b"Plan"])
def test_a_changed_plan_is_refused(content: bytes) -> None:
    plan = put(KEY)
    plan.check()
    plan.path.write_bytes(content)
    with pytest.raises(BackendError, match=r"was changed or cut short, and is not loaded; build"):
        plan.check()


def test_a_missing_plan_is_named() -> None:
    plan = put(KEY)
    plan.path.unlink()
    with pytest.raises(BackendError, match=r"cannot read the plan .*encoder\.plan"):
        plan.check()


@pytest.mark.parametrize("content", [b"{", b'{"bundle": "\xff"}'])
def test_damaged_records_are_told_and_cost_no_other(content: bytes) -> None:
    plan = put(KEY)
    other = put(msgspec.structs.replace(KEY, sm="72"))
    (other.folder / RECORD_NAME).write_bytes(content)
    plans, damaged = all_plans()
    assert plans == [plan]
    (sentence,) = damaged
    assert f"remove {other.folder}" in sentence


def test_the_draft_of_a_killed_build_is_no_plan() -> None:
    plan = put(KEY)
    plan.folder.rename(plan.folder.with_name(f".{plan.folder.name}.0a1b2c3d.part"))
    assert all_plans() == ([], [])


def test_another_format_is_refused() -> None:
    plan = put(KEY)
    record = msgspec.structs.replace(plan.record, format=2)
    (plan.folder / RECORD_NAME).write_bytes(msgspec.json.encode(record))
    with pytest.raises(BackendError, match="has format 2, expected 1"):
        find_plan(KEY)
