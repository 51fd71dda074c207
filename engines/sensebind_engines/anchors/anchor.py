# SPDX-License-Identifier: Apache-2.0
"""The towers of one bundle, frozen, with their embeddings kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from sensebind.bundle import Bundle
from sensebind.errors import InputError
from sensebind.storage import cache_folder
from sensebind_engines.anchors.cache import VectorCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from typing_extensions import Self

    from sensebind.bundle_folder import BundleFolder
    from sensebind.specs import EncoderSpec
    from sensebind.types import Features, Modality


class Anchor:
    """A frozen bundle; threads may share it.

    Every input is encoded alone, so a vector depends on nothing but its input, and is the one that
    the runtime computes.
    """

    def __init__(self, bundle: Bundle, cache: Path | None = None) -> None:
        """Take over an opened bundle.

        Args:
            bundle: its engines are used under a lock.
            cache: folder of embeddings; the user's cache folder if None.
        """
        self._bundle = bundle
        self._folder = cache or cache_folder() / "embeddings"
        self._caches: dict[Modality, VectorCache] = {}
        self._lock = Lock()

    @classmethod
    def open(
        cls, source: str | Path, modalities: Sequence[Modality] = (), cache: Path | None = None
    ) -> Self:
        """Open a bundle by name or folder, or the towers of a file of weights.

        Args:
            source: a bundle's name or folder, or a file of weights.
            modalities: towers that will be used; a file of weights is imported with these.
            cache: folder of embeddings; the user's cache folder if None.

        Raises:
            BundleError, InputError: there is no such anchor, or it lacks one of `modalities`.
        """
        anchor = cls(Bundle.load(anchor_folder(source, modalities)), cache)
        for modality in modalities:
            anchor.folder.encoder(modality)
        return anchor

    @property
    def folder(self) -> BundleFolder:
        """The bundle, as it lies on disk."""
        return self._bundle.folder

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self._bundle.dim

    @property
    def space_id(self) -> str:
        """Identity of the space."""
        return self._bundle.space_id

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Towers it has."""
        return self._bundle.modalities

    def tower(self, modality: Modality) -> Tower:
        """One of its towers.

        Raises:
            BundleError: if the bundle lacks it.
        """
        return Tower(self, modality, self.folder.encoder(modality))

    def encode(self, modality: Modality, inputs: Sequence[str | Features]) -> NDArray[np.float32]:
        """Embed inputs, or take their vectors from the disk.

        Args:
            modality: which tower.
            inputs: texts for text (or their token ids as features), features of windows else.

        Returns:
            float32 (len(inputs), dim), rows of length 1.

        Raises:
            BundleError: if the bundle lacks the tower.
            InputError: an input has the wrong names, dtype or shape.
        """
        cache = self._cache(modality)
        vectors = np.empty((len(inputs), self.dim), np.float32)
        for row, content in enumerate(inputs):
            key = content_sha256(content)
            found = cache.get(key)
            if found is None:
                found = self._encode(modality, content)
                cache.put(key, found)
            vectors[row] = found
        return vectors

    def close(self) -> None:
        """Free the engines."""
        with self._lock:
            self._bundle.close()

    def _encode(self, modality: Modality, content: str | Features) -> NDArray[np.float32]:
        with self._lock:  # one thread at a time may use an engine
            if isinstance(content, str):
                vectors = self._bundle.encode_text([content])
            else:
                vectors = self._bundle.encoder(modality).encode([content])
        first: NDArray[np.float32] = vectors[0]
        return first

    def _cache(self, modality: Modality) -> VectorCache:
        if modality not in self._caches:
            self.folder.encoder(modality)
            encoder_id = self.folder.manifest.encoder_id(modality)
            self._caches[modality] = VectorCache(self._folder / encoder_id, self.dim)
        return self._caches[modality]


@dataclass(frozen=True)
class Tower:
    """One frozen tower.

    Attributes:
        anchor: the bundle it is of.
        modality: what it embeds.
        spec: its part of the manifest; its front end makes the features.
    """

    anchor: Anchor
    modality: Modality
    spec: EncoderSpec

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.anchor.dim

    @property
    def encoder_id(self) -> str:
        """Identity of its vectors."""
        return self.anchor.folder.manifest.encoder_id(self.modality)

    def vectors(self, contents: Sequence[str | Features]) -> NDArray[np.float32]:
        """Unit embeddings float32 (n, dim) of texts, or of the features of windows."""
        return self.anchor.encode(self.modality, contents)


def anchor_folder(source: str | Path, modalities: Sequence[Modality] = ()) -> str | Path:
    """The bundle of an anchor: its name or folder, or where its weights were imported to.

    Raises:
        InputError: a file that holds no towers that can be imported.
    """
    if not Path(source).is_file():
        return source
    from sensebind_engines.anchors.weights import bundle_of_weights

    return bundle_of_weights(Path(source), modalities)


def content_sha256(content: str | Features) -> str:
    """64 hex digits of one input: a text, or arrays by name with their dtypes and shapes."""
    digest = hashlib.sha256()
    if isinstance(content, str):
        digest.update(b"text\0" + content.encode())
        return digest.hexdigest()
    if not isinstance(content, Mapping):
        raise InputError(
            f"an input is a {type(content).__name__}, expected a text or features by name"
        )
    for name in sorted(content):
        array = np.ascontiguousarray(content[name])
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.data)
    return digest.hexdigest()
