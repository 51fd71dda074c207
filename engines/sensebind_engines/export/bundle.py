# SPDX-License-Identifier: Apache-2.0
"""Bundle folders: written beside their place, moved there when they are whole."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from sensebind.bundle_folder import MANIFEST_NAME, BundleFolder, open_bundle
from sensebind.errors import InputError, SinkError
from sensebind.manifest import EdgeSpec, FileSpec, Manifest, encode_manifest
from sensebind.specs import EncoderSpec, TextSpec
from sensebind.storage import atomic_folder, atomic_path, sha256_of_file
from sensebind_engines.export.encoder import BATCHES, ExportedEncoder, export_encoder
from sensebind_engines.half.export import export_half

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.types import Features, Modality
    from sensebind_engines.half.islands import Softmax
    from sensebind_engines.models.encoder import Encoder

GOLDEN = "golden.npz"
EVALUATION = "EVALUATION.md"
_NOTICES = ("LICENSE", "LICENCE", "NOTICE")


class BundleDraft:
    """A bundle being written.

    Attributes:
        folder: where its files are put.
        encoders: the manifest's entries so far.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.encoders: dict[Modality, EncoderSpec] = {}
        self._golden: dict[str, NDArray[Any]] = {}

    def export(self, encoder: Encoder, batches: Sequence[int] = BATCHES) -> ExportedEncoder:
        """Add an encoder by exporting it; see `export_encoder`."""
        exported = export_encoder(encoder, self.folder, batches)
        self.add(encoder.config.modality, exported.spec, exported.golden)
        return exported

    def add_half(self, modality: Modality, features: Features, softmax: Softmax = "fp32") -> None:
        """Add the half graph of an encoder that is here already; see `export_half`."""
        spec = self.encoders[modality]
        half = export_half(self.folder / spec.onnx, features, softmax)
        self.encoders[modality] = msgspec.structs.replace(spec, fp16=half)

    def adopt(self, source: BundleFolder, modality: Modality) -> None:
        """Add an encoder as it is in another bundle, byte by byte, with that bundle's licences.

        Raises:
            BundleError: the other bundle lacks it, or its files are not as listed.
            InputError: a file of that name is here already and has other bytes.
        """
        spec = source.encoder(modality)
        listed = source.manifest.files
        names = [name for files in source.graphs(modality).values() for name in files]
        names += [] if spec.int8 is msgspec.UNSET else [spec.int8.onnx]
        if isinstance(spec.preprocess, TextSpec):
            names.append(spec.preprocess.tokenizer)
        names += [name for name in listed if name.startswith(_NOTICES)]
        source.verify(names)
        for name in names:
            self.put(name, source.file(name).read_bytes())
        self.add(modality, spec, _golden_of(source, modality))

    def put(self, name: str, content: bytes) -> None:
        """Add a file such as a tokenizer or a licence.

        Raises:
            InputError: it is here already and has other bytes.
        """
        path = self.folder / name
        if path.exists() and path.read_bytes() != content:
            raise InputError(
                f"two parts of the bundle bring a file {name!r} with different content; "
                "rename one of them"
            )
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)

    def finish(
        self,
        *,
        name: str,
        anchor: Sequence[Modality],
        licence: str,
        kind: Literal["model", "test"] = "model",
        binding_graph: Sequence[EdgeSpec] = (),
        training: Mapping[str, object] | None = None,
        evaluation: str | None = None,
    ) -> Manifest:
        """Write the golden file, the evaluation and the manifest.

        Args:
            name: of the bundle.
            anchor: modalities that span the space.
            licence: of the weights.
            kind: "test" for random weights.
            binding_graph: pairs that were trained, and those that emerged.
            training: provenance, as plain values.
            evaluation: text of EVALUATION.md; without it the bundle has none.

        Raises:
            BundleError: what was given does not make a valid manifest.
        """
        content = io.BytesIO()
        np.savez(content, **self._golden)  # type: ignore[arg-type, unused-ignore]
        self.put(GOLDEN, content.getvalue())
        if evaluation is not None:
            self.put(EVALUATION, evaluation.encode())
        manifest = Manifest(
            format=1,
            name=name,
            kind=kind,
            dim=int(next(iter(self.encoders.values())).output.shape[1]),
            anchor=tuple(anchor),
            encoders=self.encoders,
            files=self._files(),
            licence=licence,
            binding_graph=tuple(binding_graph),
            golden=GOLDEN,
            evaluation=None if evaluation is None else EVALUATION,
            training=dict(training or {}),
        )
        self.put(MANIFEST_NAME, encode_manifest(manifest))
        return manifest

    def add(
        self, modality: Modality, spec: EncoderSpec, golden: Mapping[str, NDArray[Any]]
    ) -> None:
        """Add an encoder whose files were put already, with its golden arrays by tensor.

        Raises:
            InputError: the bundle has one of that modality.
        """
        if modality in self.encoders:
            raise InputError(f"the bundle has a {modality.value!r} encoder already")
        self.encoders[modality] = spec
        self._golden |= {f"{modality}/{name}": array for name, array in golden.items()}

    def _files(self) -> dict[str, FileSpec]:
        return {
            path.name: FileSpec(sha256=sha256_of_file(path), bytes=path.stat().st_size)
            for path in sorted(self.folder.iterdir())
        }


def check_new(out: Path) -> None:
    """Check that a bundle can be written, before any work is done for it.

    Raises:
        InputError: `out` exists and is not an empty folder, or what it is to lie in is none that
            can be written.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{str(out)!r} exists; name a new folder for the bundle")
    there = next(folder for folder in out.absolute().parents if folder.exists())
    if not there.is_dir():
        raise InputError(f"cannot write {str(out)!r}: {str(there)!r} is no folder; name another")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(
            f"cannot write {str(out)!r}: the folder {str(there)!r} is read-only for you; name "
            "another"
        )


@contextmanager
def new_bundle(out: Path) -> Iterator[BundleDraft]:
    """Yield a draft; it becomes the folder `out` when the block ends well, and vanishes if not.

    Raises:
        InputError: see `check_new`.
        SinkError: it cannot be written, for example because the disk is full.
    """
    check_new(out)
    try:
        with atomic_folder(out) as draft:
            yield BundleDraft(draft)
            open_bundle(draft)  # a block that ends well has finished it
    except OSError as error:
        raise SinkError(
            f"the bundle {str(out)!r} cannot be written: {error}; nothing was left behind"
        ) from error


def _golden_of(source: BundleFolder, modality: Modality) -> dict[str, NDArray[Any]]:
    name = source.manifest.golden
    if name is None:
        return {}
    source.verify([name])
    prefix = f"{modality}/"
    with np.load(source.file(name), allow_pickle=False) as arrays:
        return {key[len(prefix) :]: arrays[key] for key in arrays if key.startswith(prefix)}
