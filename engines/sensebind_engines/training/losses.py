# SPDX-License-Identifier: Apache-2.0
"""Contrastive losses that bind one sense to another.

All take unit vectors (n, dim) whose rows i belong together, and the inverse temperature `scale`.
`keys` (int64 (n,), or None if all differ) tells which rows are not each other's negatives: clips of
one recording, items of one class.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def infonce(
    embeddings: Tensor, targets: Tensor, scale: Tensor | float, keys: Tensor | None = None
) -> Tensor:
    """Symmetric InfoNCE: of all targets, row i's own is to be found, and the other way round.

    Rows with equal keys are left out of each other's denominators. The sum of both directions, as
    `multi_positive_infonce`, which it equals where all keys differ.

    Returns:
        the loss, a scalar; 0 for one row.
    """
    logits = scale * (embeddings @ targets.T)
    if keys is not None:
        logits = logits.masked_fill(_other_of_same_key(keys), -math.inf)
    rows = torch.arange(len(logits), device=logits.device)
    return functional.cross_entropy(logits, rows) + functional.cross_entropy(logits.T, rows)


def siglip(
    embeddings: Tensor,
    targets: Tensor,
    scale: Tensor | float,
    bias: Tensor | float,
    keys: Tensor | None = None,
) -> Tensor:
    """A sigmoid per pair: does target j belong to embedding i? (Zhai et al. 2023, equation 1).

    Pairs of different rows with equal keys are left out.

    Args:
        embeddings: (n, dim).
        targets: (n, dim).
        scale: inverse temperature.
        bias: added to the logits; negative, as most pairs do not belong together.
        keys: int64 (n,) or None.

    Returns:
        the summed loss of all pairs, divided by n, a scalar.
    """
    logits = scale * (embeddings @ targets.T) + bias
    n = len(logits)
    # +1 on the diagonal and -1 elsewhere.
    signs = 2 * torch.eye(n, dtype=logits.dtype, device=logits.device) - 1
    losses = -functional.logsigmoid(signs * logits)
    if keys is not None:
        losses = losses.masked_fill(_other_of_same_key(keys), 0.0)
    return losses.sum() / n


def agreement(
    embeddings: Tensor,
    targets: Tensor,
    scale: Tensor | float,
    positives: int,
    within: float = 1.0,
    keys: Tensor | None = None,
) -> Tensor:
    """InfoNCE across the senses, and inside each sense towards rows on which both senses agree.

    AVID-CMA (Morgado et al. 2021): two rows are as alike as the sense says that finds them less
    alike, and the most alike ones are positives. Here they are looked for in the batch, not in a
    memory of the whole data, and no gradient flows through the choice.

    Args:
        embeddings: (n, dim).
        targets: (n, dim).
        scale: inverse temperature.
        positives: rows chosen for each row, at most n - 1.
        within: weight of the loss inside each sense.
        keys: rows with equal keys are masked across the senses; they may be positives inside one.

    Returns:
        `infonce` plus `within` times the mean over both senses, a scalar.
    """
    across = infonce(embeddings, targets, scale, keys)
    chosen = min(positives, len(embeddings) - 1)
    if chosen < 1:
        return across
    itself = torch.eye(len(embeddings), dtype=torch.bool, device=embeddings.device)
    with torch.no_grad():
        likeness = torch.minimum(embeddings @ embeddings.T, targets @ targets.T)
        rows = likeness.masked_fill(itself, -math.inf).topk(chosen, dim=1).indices
    inside = [_towards(vectors, scale, itself, rows) for vectors in (embeddings, targets)]
    return across + within * 0.5 * (inside[0] + inside[1])


def centroid(members: Sequence[Tensor]) -> Tensor:
    """The normalised mean of other senses' vectors, (n, dim): an anchor that moves with them.

    CentroBind (arXiv:2410.02086) puts it in place of a fixed anchor. Gradients flow through it.
    """
    return functional.normalize(torch.stack(tuple(members)).mean(dim=0), dim=-1)


def _towards(vectors: Tensor, scale: Tensor | float, itself: Tensor, rows: Tensor) -> Tensor:
    """Mean cross-entropy from each row to its positives among the other rows of the same sense."""
    logits = (scale * (vectors @ vectors.T)).masked_fill(itself, -math.inf)
    return -logits.log_softmax(dim=1).gather(1, rows).mean()


def _other_of_same_key(keys: Tensor) -> Tensor:
    """Bool (n, n): pairs of different rows with equal keys."""
    same = keys[:, None] == keys[None, :]
    return same.fill_diagonal_(False)
