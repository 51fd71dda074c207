# SPDX-License-Identifier: Apache-2.0
"""Compiled plans of this machine: what each was built from and for, and whether it is unharmed.

A plan is executable code that fits one graph, one TensorRT and one GPU. It lies in a folder of its
own in the user's cache, named by a hash of everything it depends on, with a record of its bytes; a
plan whose bytes are not those is never loaded. Plans are no part of a bundle.
"""

from __future__ import annotations

import hashlib
from pathlib import Path  # noqa: TC003 - types of fields are looked up
from typing import Literal

import msgspec

from sensebind.errors import BackendError, SinkError
from sensebind.json_text import NOT_JSON
from sensebind.storage import atomic_path, cache_folder, sha256_of_file
from sensebind.types import Modality  # noqa: TC001 - as above

PLAN_NAME = "encoder.plan"
RECORD_NAME = "plan.json"
FORMAT = 1


class PlanKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything a plan depends on.

    Attributes:
        onnx_sha256: of the graph and of the weights beside it.
        backend: "tensorrt" or "tensorrt-rtx".
        version: of it, in full.
        gpu: name of the GPU, "" where plans are built without one.
        sm: its generation, as in "87".
        driver: version of the driver's CUDA, as in "12.6".
        options: of the builder, as plain values.
    """

    onnx_sha256: tuple[str, ...]
    backend: Literal["tensorrt", "tensorrt-rtx"]
    version: str
    gpu: str
    sm: str
    driver: str
    options: dict[str, object]

    @property
    def digest(self) -> str:
        """64 hex digits."""
        canonical = msgspec.json.encode(msgspec.to_builtins(self), order="sorted")
        return hashlib.sha256(canonical).hexdigest()


class Verification(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a plan's vectors compare with the bundle's golden FP32 ones, on the device itself.

    Attributes:
        rows: number of golden rows.
        least_cosine: smallest cosine of a row.
        p1_cosine: first percentile of the cosines.
        mean_cosine: mean over the rows.
        runs: number of runs that were timed, of one row each.
        p50_ms: median time of a run in milliseconds, features in to vector out.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
    """

    rows: int
    least_cosine: float
    p1_cosine: float
    mean_cosine: float
    runs: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class PlanRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is known of a plan.

    Attributes:
        format: of this record.
        key: what it was built from and for.
        bundle: name of the bundle.
        modality: of the encoder.
        precision: "fp16" or "fp32".
        sha256: of the plan.
        bytes: its size.
        audit: kinds of layers, the types they compute in, and how many do.
        layers: of the network.
        build_s: seconds the build took.
        verified: None until `sensebind engine verify` ran on the device.
    """

    format: int
    key: PlanKey
    bundle: str
    modality: Modality
    precision: Literal["fp16", "fp32"]
    sha256: str
    bytes: int
    audit: dict[str, dict[str, int]]
    layers: int
    build_s: float
    verified: Verification | None = None


class Plan(msgspec.Struct, frozen=True):
    """A plan's folder and record."""

    folder: Path
    record: PlanRecord

    @property
    def path(self) -> Path:
        """Of the plan itself."""
        return self.folder / PLAN_NAME

    def check(self) -> None:
        """See that the plan's bytes are those it was built with.

        Raises:
            BackendError: naming the file and what to do.
        """
        damage = self.damage()
        if damage is not None:
            raise BackendError(damage)

    def damage(self) -> str | None:
        """What is wrong with the plan's bytes, in a sentence; None if they are as built."""
        try:
            return self._difference(sha256_of_file(self.path))
        except OSError as error:
            return self._unreadable(error)

    def read(self) -> bytes:
        """The plan's bytes, which are those it was built with: it is these that were looked at.

        Raises:
            BackendError: naming the file and what to do.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise BackendError(self._unreadable(error)) from None
        damage = self._difference(hashlib.sha256(content).hexdigest())
        if damage is not None:
            raise BackendError(damage)
        return content

    def with_verification(self, verified: Verification) -> Plan:
        """Note how the plan compares; its bytes are left alone.

        Raises:
            SinkError: the record cannot be written.
        """
        record = msgspec.structs.replace(self.record, verified=verified)
        try:
            with atomic_path(self.folder / RECORD_NAME) as temporary:
                temporary.write_bytes(encode_record(record))
        except OSError as error:
            raise SinkError(f"cannot write {self.folder / RECORD_NAME}: {error}") from None
        return Plan(self.folder, record)

    def _unreadable(self, error: OSError) -> str:
        return f"cannot read the plan {self.path}: {error}; {_REBUILD}"

    def _difference(self, found: str) -> str | None:
        if found == self.record.sha256:
            return None
        return (
            f"the plan {self.path} has SHA-256 {found[:16]}…, its record says "
            f"{self.record.sha256[:16]}…: it was changed or cut short, and is not loaded; "
            f"{_REBUILD}"
        )


_REBUILD = "build it again with sensebind engine build --force"


def encode_record(record: PlanRecord) -> bytes:
    """The readable bytes of a record."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1)


def plans_folder() -> Path:
    """Where the plans of this user lie."""
    return cache_folder() / "plans"


def place_of(key: PlanKey) -> Path:
    """Folder of the plan with this key, whether it is there or not."""
    return plans_folder() / key.digest[:32]


def find_plan(key: PlanKey) -> Plan | None:
    """The plan with this key; None if there is none. Its bytes are not looked at yet.

    Raises:
        BackendError: its record cannot be read.
    """
    folder = place_of(key)
    if not (folder / RECORD_NAME).is_file():
        return None
    plan = Plan(folder, _read_record(folder / RECORD_NAME))
    return plan if plan.record.key == key else None


def all_plans() -> tuple[list[Plan], list[str]]:
    """Every plan, by bundle and modality, and a sentence for each record that cannot be read."""
    # Hidden folders are drafts, whole but for their name where a process was killed.
    read = [_try_record(path) for path in sorted(plans_folder().glob(f"[!.]*/{RECORD_NAME}"))]
    plans = [plan for plan in read if isinstance(plan, Plan)]
    damaged = [told for told in read if isinstance(told, str)]
    return sorted(plans, key=lambda p: (p.record.bundle, p.record.modality, p.folder)), damaged


def differences(wanted: PlanKey, record: PlanRecord) -> list[str]:
    """Why a plan does not fit: every part of the key that differs, in words."""
    names = {
        "onnx_sha256": "the graph", "backend": "the backend", "version": "its version",
        "gpu": "the GPU", "sm": "the GPU's generation", "driver": "the driver's CUDA",
    }  # fmt: skip
    told = [
        f"{said} is {getattr(wanted, name)!r}, the plan's {getattr(record.key, name)!r}"
        for name, said in names.items()
        if getattr(wanted, name) != getattr(record.key, name)
    ]
    options = {**record.key.options, **wanted.options}
    told += [
        f"{name} is {wanted.options.get(name)!r}, the plan's {record.key.options.get(name)!r}"
        for name in sorted(options)
        if wanted.options.get(name) != record.key.options.get(name)
    ]
    return told


def _try_record(path: Path) -> Plan | str:
    try:
        return Plan(path.parent, _read_record(path))
    except BackendError as error:
        return str(error)


def _read_record(path: Path) -> PlanRecord:
    try:
        record = msgspec.json.decode(path.read_bytes(), type=PlanRecord)
    except (OSError, *NOT_JSON) as error:
        raise BackendError(f"cannot read {path}: {error}; remove {path.parent}") from None
    if record.format != FORMAT:
        raise BackendError(
            f"{path} has format {record.format}, expected {FORMAT}; remove {path.parent} and build "
            "the plan again"
        )
    return record
