# SPDX-License-Identifier: Apache-2.0
"""What our code calls of TensorRT exists: in NVIDIA's stubs of 10.13, and in TensorRT for RTX.

The names are read off our sources, so that a new call is held against both without being listed
here. TensorRT 10.3 and 11 could not be looked at where the tests run.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RUNTIME = ROOT / "runtime" / "sensebind" / "backends" / "tensorrt"
FACTORY = ROOT / "engines" / "sensebind_engines" / "tensorrt"

_BUILDING = {
    "trt": "", "builder": "Builder", "network": "INetworkDefinition", "parser": "OnnxParser",
    "config": "IBuilderConfig", "profile": "IOptimizationProfile", "cache": "ITimingCache",
    "tensor": "ITensor", "layer": "ILayer", "error": "ParserError",
}  # fmt: skip
_RUNNING = {
    "trt": "", "_trt": "", "runtime": "Runtime", "engine": "ICudaEngine", "_engine": "ICudaEngine",
    "context": "IExecutionContext",
}  # fmt: skip
SOURCES = {
    FACTORY / "build.py": _BUILDING,
    FACTORY / "network.py": _BUILDING,
    FACTORY / "flavour.py": {"trt": ""},
    FACTORY / "progress.py": {"trt": ""},
    RUNTIME / "logging.py": {"trt": ""},
    RUNTIME / "network.py": _RUNNING,
}
"""Names of variables to the class of TensorRT they hold; "" is the module."""

ONLY_RTX = {
    ("", "ComputeCapability"),
    ("IBuilderConfig", "num_compute_capabilities"),
    ("IBuilderConfig", "set_compute_capability"),
}
"""Asked for behind `Flavour.is_rtx`."""
OF_PYTHON = {"__version__", "__members__"}


def used() -> list[tuple[str, str]]:
    """Class and attribute of everything our sources ask of TensorRT's objects."""
    found = set()
    for path, owners in SOURCES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Attribute):
                continue
            chain = _chain(node)
            if len(chain) > 1 and chain[-2] in owners:
                found.add((owners[chain[-2]], chain[-1]))
            if len(chain) > 2 and owners.get(chain[-3]) == "" and chain[-2][0].isupper():
                found.add((chain[-2], chain[-1]))
    return sorted((owner, name) for owner, name in found if name not in OF_PYTHON)


def _chain(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Attribute):
        return [*_chain(node.value), node.attr]
    return [node.id] if isinstance(node, ast.Name) else [""]


@cache
def stubs() -> dict[str, set[str]]:
    """Names by class in the stubs, "" for the module's; inherited ones included."""
    try:
        listed = files("tensorrt-stubs") or []
    except PackageNotFoundError:
        pytest.skip("tensorrt-stubs is not installed: it would stand in for TensorRT itself")
    (path,) = (Path(str(file.locate())) for file in listed if file.name == "tensorrt.pyi")
    classes: dict[str, set[str]] = {"": set()}
    owner = ""
    for line in path.read_text().splitlines():  # as text: their syntax is not Python's throughout
        if top := re.match(r"(?:class|def) (\w+)(?:\((\w+)\):)?", line):
            owner = top[1]
            classes[""].add(owner)
            classes[owner] = set(classes.get(top[2] or owner, ()))
        elif member := re.match(r"    (?:def )?(\w+)(?:\(|: )", line):
            classes[owner].add(member[1])
    return classes


def test_the_sources_are_read() -> None:
    names = used()
    assert ("", "Builder") in names
    assert ("Builder", "build_serialized_network") in names
    assert ("MemoryPoolType", "WORKSPACE") in names
    assert ("ExecutionContextAllocationStrategy", "USER_MANAGED") in names
    assert ("IExecutionContext", "execute_async_v3") in names
    assert set(ONLY_RTX) <= set(names)


def test_tensorrt_10_13_has_it_all() -> None:
    known = stubs()
    wanted = [pair for pair in used() if pair not in ONLY_RTX]
    assert [pair for pair in wanted if pair[1] not in known[pair[0]]] == []
    # As it would be if a name were misspelt, or TensorRT 10.13 had what only RTX has.
    assert [pair for pair in sorted(ONLY_RTX) if pair[1] in known[pair[0]]] == []


def test_tensorrt_rtx_has_it_all() -> None:
    if find_spec("tensorrt_rtx_bindings") is None:
        pytest.skip("TensorRT-RTX is not installed (extra tensorrt-rtx)")
    trt = import_module("tensorrt_rtx_bindings")
    owners = {owner: getattr(trt, owner) if owner else trt for owner, _ in used()}
    assert [pair for pair in used() if not hasattr(owners[pair[0]], pair[1])] == []
