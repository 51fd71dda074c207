# SPDX-License-Identifier: Apache-2.0
"""A copy of a bundle with further graphs of its encoders, made from the graphs that are there."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import msgspec

from sensebind.bundle_folder import MANIFEST_NAME
from sensebind.errors import BundleError, InputError
from sensebind.manifest import FileSpec, encode_manifest
from sensebind.storage import sha256_of_file
from sensebind_engines.export.bundle import new_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sensebind.bundle_folder import BundleFolder
    from sensebind.specs import HalfSpec, Int8Spec
    from sensebind.types import Features, Modality

Told = TypeVar("Told")


class Derived(NamedTuple, Generic[Told]):
    """What became of each encoder.

    Attributes:
        made: what is told of those that have the graph now.
        refused: why others have none.
    """

    made: dict[Modality, Told]
    refused: dict[Modality, str]


def copy_with_graphs(
    source: BundleFolder,
    out: Path,
    features: Mapping[Modality, Features],
    make: Callable[[Path, Features], tuple[dict[str, HalfSpec | Int8Spec], Told]],
    what: str,
    advance: Callable[[float], None] | None = None,
) -> Derived[Told]:
    """Write the bundle `out`: all of `source`, and one more graph of encoders that stand it.

    Ids stay as they are: such a graph is another form of the same encoder.

    Args:
        source: a bundle.
        out: a new folder.
        features: rows of each modality, to measure on.
        make: from an FP32 graph and features to the encoder's new fields in the manifest, and what
            is told of them; the graph lies beside the other then.
        what: the graphs' name, for messages.
        advance: told the share done after each encoder.

    Raises:
        InputError: `out` exists.
        BundleError: no encoder stands it, or `source` is damaged; nothing is written.
        SinkError: the bundle cannot be written.
    """
    manifest, done = source.manifest, Derived[Told]({}, {})
    source.verify(list(manifest.files))
    encoders, files = dict(manifest.encoders), dict(manifest.files)
    with new_bundle(out) as draft:
        for name in files:
            shutil.copyfile(source.file(name), draft.folder / name)
        for number, (modality, spec) in enumerate(manifest.encoders.items(), start=1):
            if modality not in features:
                done.refused[modality] = "the data have none of it"
                continue
            try:
                fields, done.made[modality] = make(draft.folder / spec.onnx, features[modality])
            except (BundleError, InputError) as error:
                done.refused[modality] = str(error)
                continue
            finally:
                if advance is not None:
                    advance(number / len(encoders))
            encoders[modality] = msgspec.structs.replace(spec, **fields)
            for graph in fields.values():
                files |= _listed(draft.folder, graph.onnx)
        if not done.made:
            why = "; ".join(f"{m.value}: {reason}" for m, reason in done.refused.items())
            raise BundleError(f"no encoder of {manifest.name!r} stands {what}: {why}")
        changed = msgspec.structs.replace(manifest, encoders=encoders, files=files)
        draft.put(MANIFEST_NAME, encode_manifest(changed))
    return done


def _listed(folder: Path, name: str) -> dict[str, FileSpec]:
    """Entries of a graph and of the weights beside it."""
    paths = [path for path in (folder / name, folder / f"{name}.data") if path.is_file()]
    return {
        path.name: FileSpec(sha256=sha256_of_file(path), bytes=path.stat().st_size)
        for path in paths
    }
