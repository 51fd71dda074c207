# SPDX-License-Identifier: Apache-2.0
"""Bundles: a folder of engines and the manifest that makes their vectors reproducible."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from msgspec import UNSET

from sensebind.errors import BundleError
from sensebind.manifest import Manifest, decode_manifest
from sensebind.storage import data_folder, sha256_of_file

if TYPE_CHECKING:
    from sensebind.specs import EncoderSpec
    from sensebind.types import Modality

Precision = Literal["fp32", "fp16"]

MANIFEST_NAME = "bundle.json"
MANIFEST_LIMIT_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class BundleFolder:
    """A validated manifest and the folder its files lie in.

    Attributes:
        path: the folder.
        manifest: the decoded manifest.
        bundle_id: hash of the manifest's bytes; for integrity, not for comparing vectors.
    """

    path: Path
    manifest: Manifest
    bundle_id: str

    def encoder(self, modality: Modality) -> EncoderSpec:
        """Return the encoder of `modality`.

        Raises:
            BundleError: if the bundle has none, naming those it has.
        """
        try:
            return self.manifest.encoders[modality]
        except KeyError:
            have = ", ".join(sorted(m.value for m in self.manifest.encoders))
            raise BundleError(
                f"bundle {self.manifest.name!r} has no {modality.value!r} encoder; it has {have}"
            ) from None

    def file(self, name: str) -> Path:
        """Path of a listed file.

        Raises:
            BundleError: if the file is not listed, leaves the folder or is missing.
        """
        if name not in self.manifest.files:
            raise BundleError(f"{name!r} is not listed in {self.path / MANIFEST_NAME}")
        path = _inside(self.path, name)
        if not _is_file(path):
            raise BundleError(f"{path} is missing; the bundle is incomplete, copy it again")
        return path

    def graphs(self, modality: Modality) -> dict[Precision, list[str]]:
        """Files of each graph of an encoder, FP32 first; the graph itself comes before its weights.

        Raises:
            BundleError: if the bundle has no such encoder.
        """
        spec = self.encoder(modality)
        named: dict[Precision, str] = {"fp32": spec.onnx}
        if spec.fp16 is not UNSET:
            named["fp16"] = spec.fp16.onnx
        listed = self.manifest.files
        return {
            precision: [name, *(data for data in [f"{name}.data"] if data in listed)]
            for precision, name in named.items()
        }

    @property
    def argument(self) -> str:
        """What commands take for this bundle: a built-in one's name, else the folder."""
        builtin = builtin_bundles().get(self.manifest.name)
        return self.manifest.name if builtin == self.path else str(self.path)

    def verify(self, names: list[str] | None = None) -> None:
        """Check size and sha256 of `names`; if None, of all files, and that no other is there.

        Raises:
            BundleError: naming the first file that differs and both hashes, or is not listed.
        """
        if names is None:
            self._refuse_unlisted()
        for name in self.manifest.files if names is None else names:
            path, spec = self.file(name), self.manifest.files[name]
            size = path.stat().st_size
            if size != spec.bytes:
                raise BundleError(
                    f"{path} has {size} bytes, the manifest says {spec.bytes}; "
                    "copy the bundle again"
                )
            found = sha256_of_file(path)
            if found != spec.sha256:
                raise BundleError(
                    f"{path} has sha256 {found}, the manifest says {spec.sha256}; "
                    "the file was changed or damaged, copy the bundle again"
                )

    def _refuse_unlisted(self) -> None:
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path).as_posix()
            if path.is_file() and name != MANIFEST_NAME and name not in self.manifest.files:
                raise BundleError(
                    f"{path} is not listed in {MANIFEST_NAME}; remove it, nothing vouches for it"
                )


def open_bundle(bundle: str | Path) -> BundleFolder:
    """Open a bundle by built-in name or folder and validate its manifest and paths.

    Hashes are checked by `BundleFolder.verify`, which loading an encoder does for its files.

    Raises:
        BundleError: if there is no such bundle or its manifest is not valid.
    """
    path = find_bundle(bundle)
    manifest_path = path / MANIFEST_NAME
    try:
        size = manifest_path.stat().st_size
        if size > MANIFEST_LIMIT_BYTES:
            raise BundleError(f"{manifest_path} has {size} bytes, at most {MANIFEST_LIMIT_BYTES}")
        text = manifest_path.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot read {manifest_path}: {error.strerror}") from None
    try:
        manifest = decode_manifest(text)
    except BundleError as error:
        raise BundleError(f"{manifest_path}: {error}") from None
    for name in manifest.files:
        _inside(path, name)
    return BundleFolder(path, manifest, hashlib.sha256(text).hexdigest())


def find_bundle(bundle: str | Path) -> Path:
    """Folder of a built-in bundle (by name) or of a path to a bundle.

    A built-in name wins over a folder of that name, so that it means the same everywhere; write
    "./name" for the folder.

    Raises:
        BundleError: naming what was looked for and the built-in names.
    """
    builtin = builtin_bundles()
    if isinstance(bundle, str) and bundle in builtin:
        return builtin[bundle]
    path = Path(bundle)
    if _is_file(path / MANIFEST_NAME):
        return path
    found = "there is no such folder"
    with suppress(OSError, ValueError):
        if path.is_dir():
            found = f"the folder {path} has no {MANIFEST_NAME}"
    names = ", ".join(builtin) or "none"
    raise BundleError(
        f"no bundle {str(bundle)!r}: {found}, and the built-in bundles are: {names}. "
        f"Give a folder that holds a {MANIFEST_NAME} or a built-in name"
    )


def builtin_bundles() -> dict[str, Path]:
    """Names and folders of the bundles shipped with SenseBind."""
    root = data_folder() / "bundles"
    if not root.is_dir():
        return {}
    return {p.name: p for p in sorted(root.iterdir()) if (p / MANIFEST_NAME).is_file()}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long; a null character
        return False


def _inside(folder: Path, name: str) -> Path:
    """Join a listed name to its folder; nothing may point outside, not even by symbolic link."""
    pure = PurePosixPath(name)
    path = folder / name
    safe = pure.parts and not pure.is_absolute() and ".." not in pure.parts and "\\" not in name
    try:
        safe = safe and path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links; a null character
        safe = False
    if not safe:
        raise BundleError(
            f"file name {name!r} in {folder / MANIFEST_NAME} leaves the bundle's folder; "
            "names must be relative and stay inside"
        )
    return path
