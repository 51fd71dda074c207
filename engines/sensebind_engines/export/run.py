# SPDX-License-Identifier: Apache-2.0
"""A finished training run to a bundle: trained encoders and the frozen towers they are bound to."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import UNSET

from sensebind.bundle_folder import BundleFolder, open_bundle
from sensebind.errors import InputError
from sensebind.manifest import EdgeSpec
from sensebind.types import Modality
from sensebind_engines.anchors.anchor import anchor_folder
from sensebind_engines.export.bundle import check_new, new_bundle
from sensebind_engines.export.encoder import TOKENIZER
from sensebind_engines.half.calibration import training_features
from sensebind_engines.half.export import HALF_ROWS
from sensebind_engines.int8.export import INT8_ROWS, Int8Made, export_int8
from sensebind_engines.models.build import build_encoder
from sensebind_engines.training.graph import binding_graph
from sensebind_engines.training.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sensebind.specs import HalfSpec
    from sensebind_engines.export.bundle import BundleDraft
    from sensebind_engines.half.islands import Softmax
    from sensebind_engines.int8.quantise import Method
    from sensebind_engines.models.encoder import Encoder
    from sensebind_engines.training.config import GraphConfig
    from sensebind_engines.training.graph import BindingGraph

OWN_LICENCE = "LicenseRef-unspecified"
"""Of a bundle whose weights are all the user's and who said nothing."""


class ExportedRun(NamedTuple):
    """What `export_run` made.

    Attributes:
        modalities: encoders of the bundle.
        anchor: modalities whose towers name the space.
        differences: max |ONNX Runtime - torch| of each trained encoder.
        halves: manifest entries of the half graphs that were written.
        int8: the INT8 graphs that were written.
    """

    modalities: tuple[Modality, ...]
    anchor: tuple[Modality, ...]
    differences: dict[Modality, float]
    halves: dict[Modality, HalfSpec]
    int8: dict[Modality, Int8Made]


def export_run(
    run: Path,
    out: Path,
    *,
    name: str | None = None,
    licence: str | None = None,
    half: Softmax | None = None,
    int8: Method | None = None,
    advance: Callable[[float], None] | None = None,
) -> ExportedRun:
    """Write the bundle `out` from the finished run in the folder `run`.

    Frozen towers are taken over byte by byte, and with them the other towers that name their
    bundle's space, so that the new bundle's vectors may be compared with that bundle's: `space_id`
    is the same. A run without frozen towers makes a space of its own, named by vision and text
    where it trained them, else by all its encoders.

    Args:
        run: folder of `sensebind train`.
        out: a new folder.
        name: of the bundle; the folder's name if None.
        licence: of the bundle; that of its frozen towers if None.
        half: write half graphs of the trained encoders too, with attention's softmax in this type;
            they need the training data once more.
        int8: write INT8 graphs of them by this method; they need the data, too.
        advance: told the share done after each encoder.

    Raises:
        InputError: the run is not finished or damaged, or `out` exists.
        BundleError: an exported graph differs from its encoder, or half or INT8 loses its vectors.
        SinkError: the bundle cannot be written.
    """
    check_new(out)
    folder = RunFolder(run)
    config, edges = folder.config(), folder.edges()
    graph = binding_graph(config)
    configs = folder.encoders()
    sources = _frozen_towers(graph)
    _require_same_towers(folder, sources)
    differences: dict[Modality, float] = {}
    quantised: dict[Modality, Int8Made] = {}
    with new_bundle(out) as draft:
        adopted = _adopt(draft, sources, trained=set(configs))
        for modality in configs:
            exported = draft.export(_trained(draft, folder, modality))
            differences[modality] = exported.largest_difference
            gc.collect()
            if half is not None:
                _add_half(draft, config, modality, half)
            if int8 is not None:
                quantised[modality] = _add_int8(draft, config, modality, int8)
            if advance is not None:
                advance(len(differences) / len(configs))
        anchor = adopted or _own_anchor(tuple(draft.encoders))
        draft.finish(
            name=name or out.name,
            anchor=anchor,
            licence=licence or _licence(sources),
            binding_graph=_edges(graph, {e.pair: (e.loss, e.temperature) for e in edges}),
            training={
                "config": msgspec.to_builtins(config),
                "versions": folder.versions(),
                "data": msgspec.to_builtins(folder.data()),
            },
        )
    halves = {m: spec.fp16 for m, spec in draft.encoders.items() if spec.fp16 is not UNSET}
    return ExportedRun(tuple(draft.encoders), anchor, differences, halves, quantised)


def _frozen_towers(graph: BindingGraph) -> dict[Modality, BundleFolder]:
    """The bundle of each frozen node."""
    return {
        modality: open_bundle(anchor_folder(node.anchor, (modality,)))
        for modality, node in graph.nodes.items()
        if node.anchor is not None
    }


def _require_same_towers(folder: RunFolder, sources: dict[Modality, BundleFolder]) -> None:
    for modality, record in folder.anchors().items():
        found = sources[modality].manifest.encoder_id(modality)
        if found != record.encoder_id:
            raise InputError(
                f"the run {str(folder.path)!r} was bound to the {modality} tower "
                f"{record.encoder_id[:16]} of {record.source!r}, which is {found[:16]} now; bring "
                "the bundle back that it was trained with"
            )


def _adopt(
    draft: BundleDraft, sources: dict[Modality, BundleFolder], trained: set[Modality]
) -> tuple[Modality, ...]:
    """Take over frozen towers and, of each one's bundle, the others that name its space."""
    for modality, source in sources.items():
        draft.adopt(source, modality)
    for source in sources.values():
        for modality in source.manifest.anchor:
            if modality not in trained and modality not in draft.encoders:
                draft.adopt(source, modality)
    return tuple(draft.encoders)


def _trained(draft: BundleDraft, folder: RunFolder, modality: Modality) -> Encoder:
    encoder = build_encoder(folder.encoders()[modality])
    try:
        encoder.load_state_dict(folder.weights(modality))
    except RuntimeError as error:
        raise InputError(
            f"{folder.node(modality)} does not fit the run's {modality} encoder: {error}"
        ) from None
    if modality is Modality.TEXT:
        draft.put(TOKENIZER, folder.tokenizer.read_bytes())
    return encoder


def _add_half(
    draft: BundleDraft, config: GraphConfig, modality: Modality, softmax: Softmax
) -> None:
    features = training_features(config, draft.encoders[modality], modality, HALF_ROWS)
    draft.add_half(modality, features, softmax)


def _add_int8(
    draft: BundleDraft, config: GraphConfig, modality: Modality, method: Method
) -> Int8Made:
    spec = draft.encoders[modality]
    features = training_features(config, spec, modality, INT8_ROWS)
    made = export_int8(draft.folder / spec.onnx, features, method)
    draft.encoders[modality] = msgspec.structs.replace(spec, int8=made.spec)
    return made


def _own_anchor(modalities: tuple[Modality, ...]) -> tuple[Modality, ...]:
    ends = tuple(m for m in modalities if m in (Modality.VISION, Modality.TEXT))
    return ends or modalities


def _licence(sources: dict[Modality, BundleFolder]) -> str:
    licences = dict.fromkeys(source.manifest.licence for source in sources.values())
    return " AND ".join(licences) or OWN_LICENCE


def _edges(
    graph: BindingGraph, trained: dict[tuple[str, str], tuple[str, float]]
) -> list[EdgeSpec]:
    """Every pair of the graph: with its loss where it was trained, "none" where it emerged."""
    named = {frozenset(pair): told for pair, told in trained.items()}
    edges = []
    for pair in [*graph.trained, *graph.emergent]:
        source, target = (modality for modality in graph.nodes if modality in pair)
        bound = pair in graph.trained
        # Two senses bound to a centroid have no edge of their own.
        loss, temperature = named.get(pair, ("centroid" if bound else "none", None))
        edges.append(
            EdgeSpec(
                source=source, target=target, loss=loss, trained=bound, temperature=temperature
            )
        )
    return sorted(edges, key=lambda edge: (not edge.trained, edge.source, edge.target))
