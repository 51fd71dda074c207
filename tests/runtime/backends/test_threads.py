# SPDX-License-Identifier: Apache-2.0
"""Threads change no byte: a graph that gives others with several keeps to one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from sensebind.backends import threads
from sensebind.backends.optimised import Graph, made_up, open_graph, output_bytes
from sensebind.backends.threads import open_with_threads
from sensebind.bundle_folder import open_bundle
from sensebind.types import Modality

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def graph(bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Graph:
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path))
    monkeypatch.setattr(threads, "SHORT_S", 0.0)
    spec = open_bundle(bundle_folder).encoder(Modality.IMU)
    path = bundle_folder / spec.onnx
    return Graph(path, spec.inputs, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Threads of every session that is opened."""
    counts: list[int] = []

    def noted(graph: Graph, count: int) -> Any:
        counts.append(count)
        return open_graph(graph, count)

    monkeypatch.setattr(threads, "open_graph", noted)
    return counts


def test_one_thread_is_not_tried(graph: Graph, opened: list[int], tmp_path: Path) -> None:
    open_with_threads(graph, 1)
    assert opened == [1]
    assert list(tmp_path.iterdir()) == []


def test_several_are_tried_once_on_a_machine(graph: Graph, opened: list[int]) -> None:
    open_with_threads(graph, 2)
    assert opened == [1, 2]
    open_with_threads(graph, 2)
    assert opened == [1, 2, 2]
    open_with_threads(graph, 3)
    assert opened == [1, 2, 2, 1, 3]


def test_a_graph_that_gives_other_bytes_keeps_to_one(
    graph: Graph, opened: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = iter([b"one", b"several"])
    monkeypatch.setattr(threads, "output_bytes", lambda *_: next(outputs))
    open_with_threads(graph, 2)
    assert opened == [1, 2, 1]
    open_with_threads(graph, 2)
    assert opened == [1, 2, 1, 1]


def test_short_runs_keep_to_one(
    graph: Graph, opened: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "SHORT_S", 1e9)
    open_with_threads(graph, 2)
    open_with_threads(graph, 2)
    assert opened == [1, 1]


def test_without_a_cache_they_are_tried_each_time(
    graph: Graph, opened: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path / "file" / "below"))
    (tmp_path / "file").write_text("")
    open_with_threads(graph, 2)
    open_with_threads(graph, 2)
    assert opened == [1, 2, 1, 2]


@pytest.mark.parametrize("modality", list(Modality))
def test_no_vector_of_the_demo_depends_on_threads(
    modality: Modality, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path))
    monkeypatch.setattr(threads, "SHORT_S", 0.0)
    folder = open_bundle("demo")
    spec = folder.encoder(modality)
    graph = Graph(folder.file(spec.onnx), spec.inputs)
    features = made_up(spec.inputs)
    expected = output_bytes(open_with_threads(graph, 1), features)
    for count in (2, 3):
        assert output_bytes(open_with_threads(graph, count), features) == expected
