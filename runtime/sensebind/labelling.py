# SPDX-License-Identifier: Apache-2.0
"""From embeddings to records: with prompts, each gets its scores and its best label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensebind.records import Record

if TYPE_CHECKING:
    from sensebind.types import Embedding
    from sensebind.zero_shot import ZeroShot


def labelled(embedding: Embedding, classes: ZeroShot | None) -> Record:
    """The record of an embedding; without `classes` it has no label.

    Raises:
        InputError: if the vector is not of the classes' dimension.
    """
    if classes is None:
        return Record(embedding)
    scores = classes.scores(embedding.vector)
    return Record(embedding, classes.labels[int(scores.argmax())], scores)
