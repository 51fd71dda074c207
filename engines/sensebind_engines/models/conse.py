# SPDX-License-Identifier: Apache-2.0
"""ConSE: an image is the mix of the class names that a classifier sees in it.

Norouzi et al. 2014, "Zero-Shot Learning by Convex Combination of Semantic Embeddings": the text
embeddings of the most probable classes, weighted by their probabilities. It puts a classifier
into a text tower's space with no training; it knows the classifier's nouns and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FloatArray: TypeAlias = NDArray[np.float32]

TOP_CLASSES = 10
"""The paper's usual T (it reports 1, 10 and 1000)."""

TEMPLATES = ("a photo of a {}", "{}", "a picture of a {}", "the {}")
"""Each class name is embedded in all of them, and the mean is taken."""


class ConseTower(nn.Module):
    """Normalised RGB in, unit embeddings in the text tower's space out."""

    class_embeddings: Tensor

    def __init__(
        self, classifier: nn.Module, class_embeddings: FloatArray, top: int = TOP_CLASSES
    ) -> None:
        """Join a classifier and its classes' unit text embeddings, float32 (classes, dim)."""
        super().__init__()
        self.classifier = classifier
        self.top = top
        self.register_buffer("class_embeddings", torch.from_numpy(class_embeddings))

    def forward(self, features: Tensor) -> Tensor:
        """Map what the classifier takes to float32 (batch, dim), rows of length 1."""
        probabilities, classes = self.classifier(features).softmax(-1).topk(self.top)
        weights = probabilities / probabilities.sum(-1, keepdim=True)
        mixed = weights[:, None, :] @ functional.embedding(classes, self.class_embeddings)
        return functional.normalize(mixed.squeeze(1), dim=-1)


def embed_class_names(
    names: Sequence[str], embed_texts: Callable[[Sequence[str]], FloatArray]
) -> FloatArray:
    """Return each name's mean embedding over `TEMPLATES`: float32 (n, dim), rows of length 1."""
    total = sum(embed_texts([template.format(name) for name in names]) for template in TEMPLATES)
    embeddings: FloatArray = np.asarray(total, np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings
