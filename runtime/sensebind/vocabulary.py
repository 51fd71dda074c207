# SPDX-License-Identifier: Apache-2.0
"""What the senses of a bundle know, as texts, and whether a prompt lies near any of it.

A classifier behind an embedding gives every prompt a score, also one about things it never learnt.
A bundle may bring `vocabulary.npz`: for each sense "<sense>/texts" and their unit text embeddings
"<sense>/vectors", and "threshold": a prompt whose cosine to all of them is below it is outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensebind.types import Modality

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from typing_extensions import Self

    from sensebind.bundle import Bundle

VOCABULARY_NAME = "vocabulary.npz"


@dataclass(frozen=True, slots=True)
class Nearest:
    """What a sense knows that is nearest to a prompt, and the cosine of the two."""

    text: str
    similarity: float


class Vocabulary:
    """The texts that each sense of a bundle knows.

    Attributes:
        threshold: least cosine of a prompt to the nearest of them that counts as known.
    """

    def __init__(
        self, known: dict[Modality, tuple[list[str], NDArray[np.float32]]], threshold: float
    ) -> None:
        self._known = known
        self.threshold = threshold

    @classmethod
    def of(cls, bundle: Bundle) -> Self | None:
        """The vocabulary that a bundle brings; None if it brings none.

        Raises:
            BundleError: the file is not that of the manifest.
        """
        if VOCABULARY_NAME not in bundle.manifest.files:
            return None
        bundle.folder.verify([VOCABULARY_NAME])
        with np.load(bundle.folder.file(VOCABULARY_NAME), allow_pickle=False) as arrays:
            senses = [m for m in Modality if f"{m}/texts" in arrays]
            known = {
                m: (arrays[f"{m}/texts"].tolist(), arrays[f"{m}/vectors"].astype(np.float32))
                for m in senses
            }
            return cls(known, float(arrays["threshold"]))

    def nearest(self, modality: Modality, vector: NDArray[np.float32]) -> Nearest | None:
        """What is nearest to a text's vector (dim,); None for a sense nothing is told of."""
        if modality not in self._known:
            return None
        texts, vectors = self._known[modality]
        cosines = vectors @ vector
        best = int(cosines.argmax())
        return Nearest(texts[best], float(cosines[best]))

    def notes(
        self,
        prompts: Sequence[str],
        vectors: NDArray[np.float32],
        modalities: Iterable[Modality],
    ) -> list[str]:
        """A sentence for each prompt and sense that knows nothing like it.

        Args:
            prompts: texts.
            vectors: float32 (n, dim), their embeddings.
            modalities: senses that are compared with them.
        """
        notes = []
        for prompt, vector in zip(prompts, vectors, strict=True):
            for modality in modalities:
                found = self.nearest(modality, vector)
                if found is not None and found.similarity < self.threshold:
                    notes.append(
                        f"{modality} learnt nothing near {prompt!r} (nearest: {found.text!r}, "
                        f"cosine {found.similarity:.2f}, expected {self.threshold:.2f} or more); "
                        "what it says of this has low confidence"
                    )
        return notes
