# SPDX-License-Identifier: Apache-2.0
"""A board with a GPU and TensorRT, both stand-ins; a process of the test builds its plans."""

from __future__ import annotations

import json
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec

from sensebind.backends import open_engine
from sensebind.backends.tensorrt.choice import find_fitting
from sensebind.backends.tensorrt.library import Library
from sensebind.gpu import Gpu
from sensebind.preprocess._compile import kernel_cache
from sensebind.robot import commands, wanted_plans
from tests.support import builder
from tests.support.named_engine import NamedEngine

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from sensebind.backends.base import Engine
    from tests.support.builder import Script

ROOT = Path(__file__).parents[2]
ORIN = Gpu("Orin (nvgpu)", "87", "12.6")
VERSION = "10.3.0.26"
KEY = {"gpu": ORIN.name, "sm": ORIN.sm, "driver": ORIN.driver, "version": VERSION}


class StandInBuilder:
    """Has commands of `sensebind engine` run by tests/support/builder.py, in a folder of theirs."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, key: Mapping[str, str] = KEY
    ) -> None:
        self._folder = folder
        folder.mkdir()
        (folder / "machine.json").write_text(json.dumps(key))
        self.script()
        stand_in = (sys.executable, builder.__file__, str(folder))
        monkeypatch.setattr(commands, "COMMAND", stand_in)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, sys.path)]))

    def script(self, **scripts: Script) -> None:
        """What becomes of the plan of each modality."""
        (self._folder / "script.json").write_bytes(msgspec.json.encode(scripts))

    def let(self, name: str) -> None:
        """Let builds go on that wait for this."""
        (self._folder / name).touch()

    def calls(self) -> list[str]:
        """Verb and modality of each command so far."""
        return [f"{words[0]} {words[5]}" for words in self._calls()]

    def arguments(self) -> list[str]:
        """Whole commands so far, but for the bundle."""
        return [" ".join([verb, *rest]) for verb, _bundle, *rest in self._calls()]

    def _calls(self) -> list[list[str]]:
        path = self._folder / "calls"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


class Board(StandInBuilder):
    """An Orin in a folder: plans, and what is done to make them.

    Attributes:
        gpu: what is found; a test may take it away.
        opened: the engines of plans that were opened.
        broken: what is raised where a plan is to be opened; None if one can be.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, monkeypatch)
        self.gpu = ORIN
        self.opened: list[NamedEngine] = []
        self.broken: type[Exception] | None = None
        monkeypatch.setattr(wanted_plans, "find_gpu", lambda: self.gpu)
        monkeypatch.setattr("sensebind.bundle.open_engine", self._open)
        kernel_cache()  # chosen once: kernels stay in that of the machine
        monkeypatch.setenv("SENSEBIND_CACHE", str(folder / "cache"))
        pycuda = SimpleNamespace(__spec__=ModuleSpec("pycuda", None))
        monkeypatch.setitem(sys.modules, "pycuda", pycuda)
        monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__=VERSION))

    def _open(self, backend: str, *given: Any) -> Engine:
        """A plan if one fits, else the CPU; only a plan if asked for by name."""
        try:
            return self._open_plan(given) if backend != "onnxruntime" else self._open_graph(given)
        except Exception:
            if backend != "auto":
                raise
            return self._open_graph(given)

    def _open_plan(self, given: tuple[Any, ...]) -> NamedEngine:
        find_fitting(given[5], Library("tensorrt", None, VERSION), ORIN)
        if self.broken is not None:
            raise self.broken("the GPU has no memory left")
        self.opened.append(NamedEngine("tensorrt", self._open_graph(given)))
        return self.opened[-1]

    def _open_graph(self, given: tuple[Any, ...]) -> Engine:
        return open_engine("onnxruntime", *given)
