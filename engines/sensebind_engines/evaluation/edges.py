# SPDX-License-Identifier: Apache-2.0
"""What a manifest's binding graph says of a pair of modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sensebind.manifest import Manifest
    from sensebind.types import Modality

Relation = Literal["anchor", "trained", "emergent", "unbound"]


def relation(manifest: Manifest, one: Modality, other: Modality) -> Relation:
    """How two modalities came to be comparable.

    Returns:
        "anchor" if both are the anchor's towers, "trained" if an edge between them was trained,
        "emergent" if trained edges and the anchor join them over others, else "unbound".
    """
    anchor = frozenset(manifest.anchor)
    if {one, other} <= anchor:
        return "anchor"
    edges = [frozenset((e.source, e.target)) for e in manifest.binding_graph if e.trained]
    if frozenset((one, other)) in edges:
        return "trained"
    reached, groups = {one}, [*edges, anchor]
    while grown := {m for g in groups if g & reached for m in g} - reached:
        reached |= grown
    return "emergent" if other in reached else "unbound"
