# SPDX-License-Identifier: Apache-2.0
"""Which pairs are trained, given or emergent, and graphs that are refused."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="training needs the train extra")

import msgspec

from sensebind.errors import ConfigError
from sensebind.types import Modality
from sensebind_engines.training.config_file import load_config, presets
from sensebind_engines.training.graph import BindingGraph, binding_graph
from tests.engines.training.fakes import graph_config

SENSES = [modality.value for modality in Modality]


def _pairs(found: set[frozenset[Modality]]) -> set[str]:
    return {"-".join(sorted(modality.value for modality in pair)) for pair in found}


def _graph(*edges: str, nodes: str = "audio vision depth", anchors: str = "") -> BindingGraph:
    pairs = [{"pair": edge.split("-")} for edge in edges]
    return binding_graph(graph_config(pairs, nodes.split(), anchors.split()))


def test_a_star_leaves_the_rest_to_emerge() -> None:
    graph = binding_graph(load_config("imagebind"))
    assert _pairs(graph.trained) == {
        "audio-vision", "depth-vision", "thermal-vision", "imu-vision"
    }  # fmt: skip
    assert _pairs(graph.given) == {"text-vision"}
    assert len(graph.emergent) == 15 - 4 - 1
    paths = {tuple(m.value for m in path) for path in graph.emergent.values()}
    assert ("audio", "vision", "depth") in {*paths, *(path[::-1] for path in paths)}
    assert ("text", "vision", "imu") in paths


@pytest.mark.parametrize(
    ("name", "trained", "emergent"),
    [("imagebind", 4, 10), ("languagebind", 4, 10), ("clip", 1, 0), ("audioclip", 3, 0),
     ("cmc", 10, 0), ("avid_cma", 1, 0), ("centroid", 6, 0)],
)  # fmt: skip
def test_presets(name: str, trained: int, emergent: int) -> None:
    graph = binding_graph(load_config(name))
    assert (len(graph.trained), len(graph.emergent)) == (trained, emergent)


def test_every_preset_is_listed_above() -> None:
    assert len(presets()) == 7


def test_modalities_choose_nodes_and_their_edges() -> None:
    config = msgspec.structs.replace(
        load_config("imagebind"), modalities=(Modality.AUDIO, Modality.VISION)
    )
    graph = binding_graph(config)
    assert list(graph.nodes) == [Modality.VISION, Modality.AUDIO]
    assert [edge.name for edge in graph.edges] == ["audio-vision"]
    stranger = msgspec.structs.replace(load_config("clip"), modalities=(Modality.IMU,))
    with pytest.raises(ConfigError, match="modalities names imu, which is no node"):
        binding_graph(stranger)


def test_a_disconnected_graph_names_its_components() -> None:
    message = r"not connected: audio, vision \| depth, imu \| thermal share no edge"
    with pytest.raises(ConfigError, match=message):
        _graph("audio-vision", "depth-imu", nodes="audio depth vision imu thermal")


@given(st.sets(st.sampled_from(list(combinations(SENSES, 2))), min_size=1))
def test_connected_exactly_if_a_walk_reaches_all(edges: set[tuple[str, str]]) -> None:
    labels = {sense: sense for sense in SENSES}
    for _ in SENSES:
        for a, b in edges:
            labels[a] = labels[b] = min(labels[a], labels[b])
    names = ["-".join(edge) for edge in sorted(edges)]
    if len(set(labels.values())) == 1:
        graph = _graph(*names, nodes=" ".join(SENSES))
        assert len(graph.trained) + len(graph.emergent) == 15
        for path in graph.emergent.values():
            assert all(frozenset(pair) in graph.trained for pair in pairwise(path))
    else:
        with pytest.raises(ConfigError, match="not connected"):
            _graph(*names, nodes=" ".join(SENSES))


def test_towers_of_one_anchor_are_joined() -> None:
    graph = _graph("audio-vision", nodes="audio vision text", anchors="vision text")
    assert _pairs(graph.given) == {"text-vision"}
    assert _pairs(set(graph.emergent)) == {"audio-text"}


def test_a_centroid_binds_all_its_members() -> None:
    graph = _graph("audio-centroid", "vision-centroid", "depth-centroid")
    assert len(graph.trained) == 3
    assert graph.centroids() == {"pairs": (Modality.AUDIO, Modality.VISION, Modality.DEPTH)}


@pytest.mark.parametrize(
    ("edges", "options", "message"),
    [
        (["audio-imu"], {}, r"'audio-imu' ends at 'imu', which is no node; .*\[nodes\.imu\]"),
        (["audio-vision", "vision-audio", "audio-depth"], {}, "'audio-vision' is given twice"),
        (["audio-vision", "vision-depth"], {"anchors": "audio vision"}, "'audio-vision' has noth"),
        (["audio-centroid", "vision-centroid"], {}, r"has 2 senses \(audio, vision\), expected at"),
    ],
)
def test_edges_that_are_refused(edges: list[str], options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _graph(*edges, **options)


def test_an_edge_with_several_data_is_named_after_them() -> None:
    edges = [{"pair": ["audio", "vision"], "data": name} for name in ("walks", "drives")]
    graph = binding_graph(graph_config(edges))
    assert graph.edge_names() == ["audio-vision@walks", "audio-vision@drives"]
