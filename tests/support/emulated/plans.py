# SPDX-License-Identifier: Apache-2.0
"""EMULATED plans of a bundle's encoders, put into the cache as `sensebind engine build` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sensebind.bundle_folder import open_bundle
from sensebind.gpu import find_gpu
from sensebind.plans import (
    FORMAT,
    PLAN_NAME,
    RECORD_NAME,
    Plan,
    PlanKey,
    PlanRecord,
    encode_record,
    place_of,
)
from sensebind.specs import TextSpec
from sensebind.storage import sha256_of_file
from tests.support.emulated.library import VERSION, Profile, made_plan

if TYPE_CHECKING:
    from sensebind.types import Modality

_BATCH = (1, 1, 4)


def put_plan(
    modality: Modality,
    *,
    bundle: str = "demo",
    version: str = VERSION,
    batch: tuple[int, int, int] = _BATCH,
    noise: float = 0.0,
    options: dict[str, Any] | None = None,
    **key: Any,
) -> Plan:
    """A plan of an encoder for the EMULATED GPU; `key` replaces parts of its key."""
    folder, gpu = open_bundle(bundle), find_gpu()
    spec, files = folder.encoder(modality), folder.graphs(modality)["fp32"]
    profile: Profile = {}
    for tensor in spec.inputs:
        most = spec.preprocess.max_tokens if isinstance(spec.preprocess, TextSpec) else 0
        shapes = [
            tuple(
                rows if place == 0 else axis if isinstance(axis, int) else length
                for place, axis in enumerate(tensor.shape)
            )
            for rows, length in zip(batch, (1, 16, most), strict=True)
        ]
        profile[tensor.name] = (shapes[0], shapes[1], shapes[2])
    made = PlanKey(
        onnx_sha256=tuple(folder.manifest.files[name].sha256 for name in files),
        backend="tensorrt",
        version=version,
        gpu=gpu.name,
        sm=gpu.sm,
        driver=gpu.driver,
        options={"batch": list(batch), **(options or {})},
    )
    made = msgspec.structs.replace(made, **key)
    place = place_of(made)
    place.mkdir(parents=True, exist_ok=True)
    content = folder.file(spec.onnx).read_bytes()
    (place / PLAN_NAME).write_bytes(made_plan(content, profile, version=version, noise=noise))
    record = PlanRecord(
        format=FORMAT,
        key=made,
        bundle=folder.manifest.name,
        modality=modality,
        precision="fp32",
        sha256=sha256_of_file(place / PLAN_NAME),
        bytes=(place / PLAN_NAME).stat().st_size,
        audit={},
        layers=0,
        build_s=0.0,
    )
    (place / RECORD_NAME).write_bytes(encode_record(record))
    return Plan(place, record)
