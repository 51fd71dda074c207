# SPDX-License-Identifier: Apache-2.0
"""A copy of a bundle with half graphs of those encoders that stand it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind_engines.evaluation.features import features_of
from sensebind_engines.export.bundle import check_new
from sensebind_engines.export.derived import Derived, copy_with_graphs
from sensebind_engines.half.export import HALF_ROWS, export_half

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sensebind.bundle_folder import BundleFolder
    from sensebind.specs import HalfSpec, Int8Spec
    from sensebind.types import Features
    from sensebind_engines.half.islands import Softmax


def copy_with_half(
    source: BundleFolder,
    out: Path,
    data: str,
    softmax: Softmax,
    advance: Callable[[float], None] | None = None,
) -> Derived[HalfSpec]:
    """Write the bundle `out`: all of `source`, and half graphs of encoders that the data have.

    Args:
        source: a bundle, also one of weights that came from elsewhere.
        out: a new folder.
        data: what features are made of; see `features_of`.
        softmax: type of the softmax inside attention.
        advance: told the share done after each encoder.

    Raises:
        InputError: the data cannot be used, or `out` exists.
        BundleError: no encoder stands it; nothing is written.
        SinkError: the bundle cannot be written.
    """

    def make(path: Path, rows: Features) -> tuple[dict[str, HalfSpec | Int8Spec], HalfSpec]:
        half = export_half(path, rows, softmax)
        return {"fp16": half}, half

    check_new(out)
    features = features_of(source.manifest, data, HALF_ROWS)
    return copy_with_graphs(source, out, features, make, "half precision", advance)
