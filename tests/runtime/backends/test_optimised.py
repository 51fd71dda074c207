# SPDX-License-Identifier: Apache-2.0
"""Optimised copies give the graph's bytes, are made once, and never stand in the way."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from sensebind.backends import machine_cache, optimised
from sensebind.backends.onnx_session import open_session
from sensebind.backends.optimised import (
    CopyRecord,
    Graph,
    made_up,
    open_graph,
    output_bytes,
    read_record,
)
from sensebind.bundle_folder import open_bundle
from sensebind.types import Modality

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache in which every graph may have a copy, whatever it gains."""
    monkeypatch.setenv("SENSEBIND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(optimised, "SMALLEST_BYTES", 0)
    monkeypatch.setattr(optimised, "LONGEST", float("inf"))
    return tmp_path / "cache" / "onnxruntime"


@pytest.fixture
def graph(bundle_copy: Path) -> Graph:
    spec = open_bundle(bundle_copy).encoder(Modality.DEPTH)
    path = bundle_copy / spec.onnx
    return Graph(path, spec.inputs, hashlib.sha256(path.read_bytes()).hexdigest())


def bytes_of(graph: Graph) -> bytes:
    return output_bytes(open_graph(graph, 1), made_up(graph.inputs))


def plain_bytes(graph: Graph) -> bytes:
    return output_bytes(open_session(str(graph.path), 1), made_up(graph.inputs))


def stamps(cache: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in cache.rglob("*") if p.is_file()}


def test_a_copy_is_made_once_and_gives_the_same_bytes(cache: Path, graph: Graph) -> None:
    assert read_record(graph) is None
    expected = plain_bytes(graph)
    assert bytes_of(graph) == expected
    record = read_record(graph)
    assert record is not None
    assert (record.refused, sorted(record.files)) == ("", ["graph.onnx", "graph.onnx.data"])
    made = {p: t for p, t in stamps(cache).items() if not p.endswith(".lock")}
    graph.path.write_bytes(b"")  # what is opened now is the copy
    assert bytes_of(graph) == expected
    assert {p: t for p, t in stamps(cache).items() if not p.endswith(".lock")} == made


@pytest.mark.parametrize("name", ["graph.onnx", "graph.onnx.data"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damaged_copies_are_made_anew(
    cache: Path, graph: Graph, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = bytes_of(graph)
    (path,) = cache.glob(f"*/{name}")
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content if damage == "flip" else content[:-1])
    with caplog.at_level(logging.WARNING):
        assert bytes_of(graph) == expected
    assert "the copy is made anew" in caplog.text
    caplog.clear()
    assert bytes_of(graph) == expected
    assert caplog.text == ""


def test_copies_that_were_moved_are_looked_at_and_used(cache: Path, graph: Graph) -> None:
    expected = bytes_of(graph)
    for path in cache.glob("*/graph.onnx*"):
        os.utime(path, ns=(0, 0))
    graph.path.write_bytes(b"")  # what is opened now is the copy
    assert bytes_of(graph) == expected


def test_copies_of_others_are_not_used(cache: Path, graph: Graph) -> None:
    expected = bytes_of(graph)
    (path,) = cache.glob("*/copy.json")
    record = msgspec.json.decode(path.read_bytes(), type=CopyRecord)
    other = msgspec.structs.replace(record.key, cpu="another")
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, key=other)))
    assert read_record(graph) is None
    assert bytes_of(graph) == expected
    made = read_record(graph)
    assert made is not None
    assert (made.key, made.files.keys()) == (record.key, record.files.keys())


def test_a_record_that_anybody_may_write_is_not_believed(cache: Path, graph: Graph) -> None:
    bytes_of(graph)
    (path,) = cache.glob("*/copy.json")
    path.chmod(0o666)
    assert read_record(graph) is None


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"not json", b'{"format": 2}', b'{"refused": "\xff"}']
)
def test_records_that_cannot_be_read_are_replaced(
    cache: Path, graph: Graph, content: bytes
) -> None:
    bytes_of(graph)
    (path,) = cache.glob("*/copy.json")
    path.write_bytes(content)
    assert bytes_of(graph) == plain_bytes(graph)
    assert read_record(graph) is not None


def test_each_version_and_processor_has_its_own(
    cache: Path, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    bytes_of(graph)
    monkeypatch.setattr(machine_cache, "VERSION", "0.0")
    assert read_record(graph) is None
    bytes_of(graph)
    monkeypatch.setattr(machine_cache, "_cpu_features", lambda: "another")
    assert read_record(graph) is None
    bytes_of(graph)
    assert len(list(cache.glob("*/copy.json"))) == 3


def test_a_copy_that_gives_other_bytes_is_refused_for_good(
    cache: Path, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = iter([b"graph", b"copy"])
    monkeypatch.setattr(optimised, "_TIMED", 1)
    monkeypatch.setattr(optimised, "output_bytes", lambda _session, _features: next(runs))
    open_graph(graph, 1)
    record = read_record(graph)
    assert record is not None
    assert (record.refused, record.files) == ("its vectors have other bytes", {})
    monkeypatch.undo()
    monkeypatch.setenv("SENSEBIND_CACHE", str(cache.parent))
    monkeypatch.setattr(optimised, "SMALLEST_BYTES", 0)
    assert bytes_of(graph) == plain_bytes(graph)
    assert [p.name for p in cache.glob("*/*")] == ["copy.json"]


def test_a_copy_that_opens_no_faster_is_not_kept(
    cache: Path, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimised, "LONGEST", 0.0)
    assert bytes_of(graph) == plain_bytes(graph)
    record = read_record(graph)
    assert record is not None
    assert (record.refused, record.files) == ("it opens no faster", {})
    assert [p.name for p in cache.glob("*/*")] == ["copy.json"]


def test_small_graphs_unknown_ones_and_those_with_outer_weights_have_none(
    cache: Path, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_graph(graph._replace(sha256=""), 1)
    monkeypatch.setattr(optimised, "SMALLEST_BYTES", graph.path.stat().st_size + 1)
    open_graph(graph, 1)
    monkeypatch.setattr(optimised, "SMALLEST_BYTES", 0)
    graph.path.with_name(f"{graph.path.name}.data").write_bytes(b"")
    open_graph(graph, 1)
    assert not cache.exists()


def test_two_processes_do_not_wait_for_each_other(cache: Path, graph: Graph) -> None:
    place = machine_cache.place_of(machine_cache.key_of(graph.sha256))
    assert place is not None
    with machine_cache.alone(place) as may:
        assert may
        assert bytes_of(graph) == plain_bytes(graph)
        assert read_record(graph) is None


def test_what_a_killed_process_left_is_removed(cache: Path, graph: Graph) -> None:
    place = machine_cache.place_of(machine_cache.key_of(graph.sha256))
    assert place is not None
    left = place.with_name(f".{place.name}.0a1b2c3d.part")
    left.mkdir(parents=True)
    (left / "graph.onnx").write_bytes(b"half")
    assert bytes_of(graph) == plain_bytes(graph)
    assert not left.exists()


def test_a_process_killed_while_it_makes_a_copy_leaves_no_half_one(
    cache: Path, graph: Graph
) -> None:
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from sensebind.backends import optimised\n"
        "from sensebind.bundle_folder import open_bundle\n"
        "optimised.SMALLEST_BYTES = 0\n"
        "optimised.output_bytes = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "spec = open_bundle(sys.argv[1]).encoder('depth')\n"
        "graph = optimised.Graph(Path(sys.argv[1]) / spec.onnx, spec.inputs, sys.argv[2])\n"
        "optimised.open_graph(graph, 1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(graph.path.parent), graph.sha256],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    assert len(list(cache.glob("*.part"))) == 1
    assert read_record(graph) is None
    assert bytes_of(graph) == plain_bytes(graph)
    assert list(cache.glob("*.part")) == []


def test_a_cache_that_cannot_be_written_is_survived(
    cache: Path, graph: Graph, caplog: pytest.LogCaptureFixture
) -> None:
    cache.parent.write_text("not a folder")
    with caplog.at_level(logging.INFO):
        assert bytes_of(graph) == plain_bytes(graph)
    assert "no optimised copy of" in caplog.text


def test_a_full_disk_is_survived(
    cache: Path, graph: Graph, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(optimised, "atomic_folder", full)
    with caplog.at_level(logging.INFO):
        assert bytes_of(graph) == plain_bytes(graph)
    assert "No space left on device" in caplog.text
    assert list(cache.glob("*.part")) == []
    assert read_record(graph) is None


def test_a_graph_that_is_none_fails_as_without_a_cache(cache: Path, graph: Graph) -> None:
    graph.path.write_bytes(b"not a graph")
    with pytest.raises(Exception, match=r"Protobuf|ModelProto|INVALID|Load model"):
        open_graph(graph, 1)
    assert list(cache.glob("*/copy.json")) == []
