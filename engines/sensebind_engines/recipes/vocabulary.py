# SPDX-License-Identifier: Apache-2.0
"""From what the senses learnt to `vocabulary.npz`, and the threshold of what counts as known.

The threshold is the one that best tells two committed lists of prompts apart: wordings of things
that are among the image tower's classes under another name, and things, actions and notions that
are not. Every other prompt of each list is for the choice, the others measure it.
"""

from __future__ import annotations

import io
import json
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sensebind_engines.models.efficientnet_lite import imagenet_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sensebind.bundle import Bundle
    from sensebind.types import Modality

LISTS = "vocabulary.json"


class Checked(NamedTuple):
    """How well the threshold tells prompts apart.

    Attributes:
        threshold: least cosine to the nearest known text.
        chosen_on: prompts of both lists it was chosen on.
        measured_on: prompts of both lists it was measured on.
        known_kept: share of the known ones at or above it.
        unknown_told: share of the unknown ones below it.
    """

    threshold: float
    chosen_on: int
    measured_on: int
    known_kept: float
    unknown_told: float


def measure_vocabulary(bundle: Bundle) -> Checked:
    """Choose the threshold and measure it, with a bundle's text tower."""
    text = (resources.files(__package__) / "prompts" / LISTS).read_text(encoding="utf-8")
    lists: dict[str, list[str]] = json.loads(text)
    names = bundle.encode_text(list(imagenet_names()))
    near = {
        which: (bundle.encode_text(prompts) @ names.T).max(axis=1).astype(np.float64)
        for which, prompts in lists.items()
    }
    known, unknown = near["known"], near["unknown"]
    threshold = round(_best(known[::2], unknown[::2]), 2)
    return Checked(
        threshold,
        len(known[::2]) + len(unknown[::2]),
        len(known[1::2]) + len(unknown[1::2]),
        float((known[1::2] >= threshold).mean()),
        float((unknown[1::2] < threshold).mean()),
    )


def vocabulary_arrays(
    bundle: Bundle, learnt: Mapping[Modality, Sequence[str]], threshold: float
) -> bytes:
    """The content of `vocabulary.npz`: see `sensebind.vocabulary`.

    Args:
        bundle: its text tower embeds.
        learnt: texts that each trained sense learnt; the image tower's are added.
        threshold: of `measure_vocabulary`.
    """
    known: dict[str, Sequence[str]] = {"vision": list(imagenet_names())}
    known |= {modality.value: texts for modality, texts in learnt.items()}
    arrays: dict[str, NDArray[np.generic]] = {"threshold": np.array(threshold)}
    for sense, texts in known.items():
        arrays[f"{sense}/texts"] = np.array(texts)
        arrays[f"{sense}/vectors"] = bundle.encode_text(list(texts)).astype(np.float16)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type, unused-ignore]
    return content.getvalue()


def _best(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> float:
    """The middle of the thresholds of highest balanced accuracy."""
    candidates = np.arange(0.0, 1.0, 0.01)
    right = [((known >= t).mean() + (unknown < t).mean()) / 2 for t in candidates]
    best = np.flatnonzero(np.isclose(right, max(right)))
    return float(candidates[best].mean())
