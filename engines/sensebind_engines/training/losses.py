# SPDX-License-Identifier: Apache-2.0
"""Contrastive losses that bind a modality to the anchor's space."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def multi_positive_infonce(
    embeddings: Tensor, targets: Tensor, groups: Tensor, scale: Tensor | float
) -> Tensor:
    """Symmetric InfoNCE where every pair of one group is a positive.

    With logits s = scale * <e_i, t_j> and P(i) = {j : group_j = group_i}, each direction is the
    cross-entropy between softmax(s) and the uniform distribution over P(i), averaged over the
    batch; the loss is the sum of embedding-to-target and target-to-embedding. With all groups
    different it is the symmetric InfoNCE of CLIP (Radford et al. 2021; there the mean, not the
    sum, of the directions) and of ImageBind (Girdhar et al. 2023, equation 1).

    Args:
        embeddings: (n, dim) unit vectors of the modality being bound.
        targets: (n, dim) unit vectors of the anchor, row i paired with embedding i.
        groups: int64 (n,) group of each pair, for example its class.
        scale: inverse temperature.

    Returns:
        the loss, a scalar.
    """
    logits = scale * embeddings @ targets.T
    same = (groups[:, None] == groups[None, :]).to(logits.dtype)
    positives = same / same.sum(dim=1, keepdim=True)
    to_targets = -(positives * logits.log_softmax(dim=1)).sum(dim=1).mean()
    to_embeddings = -(positives * logits.T.log_softmax(dim=1)).sum(dim=1).mean()
    return to_targets + to_embeddings
