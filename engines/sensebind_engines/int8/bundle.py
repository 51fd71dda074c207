# SPDX-License-Identifier: Apache-2.0
"""A copy of a bundle with INT8 graphs of those encoders that stand it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from sensebind.bundle_folder import MANIFEST_NAME
from sensebind.errors import BundleError, InputError
from sensebind.manifest import FileSpec, encode_manifest
from sensebind.storage import sha256_of_file
from sensebind_engines.export.bundle import new_bundle
from sensebind_engines.int8.export import Int8Made, export_int8
from sensebind_engines.int8.features import features_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sensebind.bundle_folder import BundleFolder
    from sensebind.types import Modality
    from sensebind_engines.int8.quantise import Method

ROWS = 128
"""Windows of each modality that are looked at."""


class Int8Bundle(NamedTuple):
    """What became of each encoder.

    Attributes:
        made: those that have an INT8 graph now.
        refused: why others have none.
    """

    made: dict[Modality, Int8Made]
    refused: dict[Modality, str]


def copy_with_int8(
    source: BundleFolder,
    out: Path,
    data: str,
    method: Method,
    advance: Callable[[float], None] | None = None,
) -> Int8Bundle:
    """Write the bundle `out`: all of `source`, and INT8 graphs of encoders that the data have.

    Ids stay as they are: an INT8 graph is another form of the same encoder.

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
    source.verify(list(manifest.files))
    features = features_of(manifest, data, ROWS)
    done = Int8Bundle({}, {})
    encoders, files = dict(manifest.encoders), dict(manifest.files)
    with new_bundle(out) as draft:
        for name in files:
            shutil.copyfile(source.file(name), draft.folder / name)
        for number, (modality, spec) in enumerate(manifest.encoders.items(), start=1):
            if modality not in features:
                done.refused[modality] = "the data have none of it"
                continue
            try:
                made = export_int8(draft.folder / spec.onnx, features[modality], method)
            except (BundleError, InputError) as error:
                done.refused[modality] = str(error)
                continue
            finally:
                if advance is not None:
                    advance(number / len(encoders))
            done.made[modality] = made
            encoders[modality] = msgspec.structs.replace(spec, int8=made.spec)
            written = draft.folder / made.spec.onnx
            files[written.name] = FileSpec(
                sha256=sha256_of_file(written), bytes=written.stat().st_size
            )
        if not done.made:
            why = "; ".join(f"{m.value}: {reason}" for m, reason in done.refused.items())
            raise BundleError(f"no encoder of {manifest.name!r} stands INT8: {why}")
        changed = msgspec.structs.replace(manifest, encoders=encoders, files=files)
        draft.put(MANIFEST_NAME, encode_manifest(changed))
    return done
