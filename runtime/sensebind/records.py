# SPDX-License-Identifier: Apache-2.0
"""What every sink writes: one record per embedding, and the metadata of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from sensebind.errors import InputError
from sensebind.types import Fused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sensebind.types import Embedding

METADATA_PREFIX = "sensebind."
UNKNOWN = "unknown"
"""Label of what no class fits."""


def joined(names: Iterable[str]) -> str:
    """The backends, or precisions, of several engines in one field of the metadata."""
    return "+".join(sorted(set(names)))


@dataclass(frozen=True, slots=True)
class Record:
    """An embedding with, where prompts were given, its label and scores.

    Attributes:
        embedding: the vector and its window.
        label: name of the best class, smoothed as the run was asked to, or UNKNOWN; None without
            prompts.
        scores: float32 (classes,), in the order of the metadata's `labels`, None without prompts;
            of this window alone. NaN for classes of other prompt sets than the record's.
        prompt_set: name of the prompt set that was in use; "" where a run has one only.
        members: streams whose vectors a joint embedding was made of; empty for all others.
    """

    embedding: Embedding
    label: str | None = None
    scores: NDArray[np.float32] | None = None
    prompt_set: str = ""
    members: tuple[str, ...] = ()


class StreamMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """How one stream of a run was windowed; replay of a recording uses it again."""

    modality: str
    encoder_id: str
    length_s: float
    hop_s: float
    trigger: str
    lateness_s: float
    min_coverage: float


class RunMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """Metadata of a run, stored under `sensebind.<field>`, each value JSON.

    Attributes:
        version: SenseBind version.
        space_id: identity of the vectors' space.
        bundle: name of the bundle.
        bundle_id: hash of its manifest.
        encoder_ids: encoder_id per modality: that of its streams, and where they have several, the
            bundle's own. `windows` tells each stream's.
        dim: length of a vector.
        backend: engine backend.
        precision: what the engines compute in.
        calibration: hash of the calibration file, "" for none.
        calibrated: kinds of its sections that were applied, by stream.
        source: name of the recording.
        source_sha256: hash of its bytes, "" where it has none.
        order: "stamp" or "log".
        windows: how each stream was windowed.
        labels: class names, the order of `scores`; empty without prompts.
        prompt_sets: where a run has several, the labels of each by its name; `labels` are theirs
            together.
    """

    version: str
    space_id: str
    bundle: str
    bundle_id: str
    encoder_ids: dict[str, str]
    dim: int
    backend: str
    precision: str
    source: str
    source_sha256: str
    order: str
    windows: dict[str, StreamMetadata]
    calibration: str = ""
    calibrated: dict[str, tuple[str, ...]] = {}
    labels: tuple[str, ...] = ()
    prompt_sets: dict[str, tuple[str, ...]] = {}

    @property
    def has_joint(self) -> bool:
        """Whether joint embeddings are among the records."""
        return Fused.JOINT.value in self.encoder_ids

    def encoder_id(self, stream: str, modality: str) -> str:
        """Identity of what made a stream's vectors."""
        known = self.windows.get(stream)
        return self.encoder_ids[modality] if known is None else known.encoder_id

    def encode(self) -> dict[str, str]:
        """Key-value form for file metadata: `sensebind.<field>` to its JSON text."""
        return {
            METADATA_PREFIX + name: msgspec.json.encode(getattr(self, name)).decode()
            for name in self.__struct_fields__
        }

    @classmethod
    def decode(cls, keys: Mapping[str, str], where: str) -> RunMetadata:
        """The inverse of `encode`; keys that are not ours are ignored.

        Raises:
            InputError: naming `where` and what is missing or wrong.
        """
        ours = {
            name: msgspec.Raw(keys[METADATA_PREFIX + name].encode())
            for name in cls.__struct_fields__
            if METADATA_PREFIX + name in keys
        }
        try:
            return msgspec.json.decode(msgspec.json.encode(ours), type=cls)
        except msgspec.MsgspecError as error:
            raise InputError(
                f"{where}: the metadata of a SenseBind run is missing or damaged ({error}); "
                "expected what 'sensebind replay' writes"
            ) from None
