# SPDX-License-Identifier: Apache-2.0
"""A copy of a bundle with INT8 graphs of those encoders that stand it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.errors import InputError
from sensebind_engines.evaluation.features import features_of
from sensebind_engines.export.bundle import check_new
from sensebind_engines.export.derived import Derived, copy_with_graphs
from sensebind_engines.int8.export import INT8_ROWS, Int8Made, export_int8

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sensebind.bundle_folder import BundleFolder
    from sensebind.specs import HalfSpec, Int8Spec
    from sensebind.types import Features
    from sensebind_engines.int8.quantise import Method


def copy_with_int8(
    source: BundleFolder,
    out: Path,
    data: str,
    method: Method,
    advance: Callable[[float], None] | None = None,
) -> Derived[Int8Made]:
    """Write the bundle `out`: all of `source`, and INT8 graphs of encoders that the data have.

    Args:
        source: a bundle with trained weights.
        out: a new folder.
        data: what features are made of; see `features_of`.
        method: "dynamic" or "static".
        advance: told the share done after each encoder.

    Raises:
        InputError: the weights are random, the data cannot be used, or `out` exists.
        BundleError: no encoder stands it; nothing is written.
        SinkError: the bundle cannot be written.
    """
    manifest = source.manifest
    if manifest.kind == "test":
        raise InputError(
            f"{manifest.name!r} is a test bundle: how near INT8 comes can only be measured on "
            "trained weights"
        )

    def make(path: Path, rows: Features) -> tuple[dict[str, HalfSpec | Int8Spec], Int8Made]:
        made = export_int8(path, rows, method)
        return {"int8": made.spec}, made

    check_new(out)
    features = features_of(manifest, data, INT8_ROWS)
    return copy_with_graphs(source, out, features, make, "INT8", advance)
