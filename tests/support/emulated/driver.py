# SPDX-License-Identifier: Apache-2.0
"""The EMULATED libcuda.so.1: built with gcc, loaded before pycuda, and what it counted."""

from __future__ import annotations

import atexit
import ctypes
import re
import shutil
import subprocess
import tempfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sensebind.gpu import find_gpu

_SOURCE = Path(__file__).with_name("driver.c")
_NOT_SUPPORTED = 801
"""CUDA_ERROR_NOT_SUPPORTED"""


def missing() -> str | None:
    """Why the driver cannot be emulated here; None if it can."""
    if find_spec("pycuda") is None:
        return "pycuda is not installed (extra tensorrt)"
    if find_gpu().name not in ("", "EMULATED GPU"):
        return "a real driver is here, and a process can load only one"
    return None


@lru_cache(maxsize=1)
def loaded_driver() -> EmulatedDriver:
    """The driver of this process, built when it is first asked for."""
    folder = Path(tempfile.mkdtemp(prefix="EMULATED-"))
    atexit.register(shutil.rmtree, folder)
    return EmulatedDriver(build(folder))


def build(folder: Path) -> Path:
    """Compile it; what pycuda links to and the source does not define fails when it is called."""
    spec = find_spec("pycuda")
    assert spec is not None
    assert spec.origin is not None
    (extension,) = Path(spec.origin).parent.glob("_driver*.so")
    linked = subprocess.run(
        ["nm", "-D", "--undefined-only", extension], check=True, capture_output=True, text=True
    ).stdout
    source = _SOURCE.read_text()
    defined = set(re.findall(r"^int (cu\w+)\(", source, re.MULTILINE))
    wanted = set(re.findall(r" (cu[A-Z]\w+)", linked)) - defined
    stubs = "".join(f"int {name}(void) {{ return {_NOT_SUPPORTED}; }}\n" for name in sorted(wanted))
    whole, library = folder / "emulated.c", folder / "libcuda.so.1"
    whole.write_text(source + stubs)
    subprocess.run(
        ["gcc", "-O1", "-g", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", library, whole],
        check=True,
    )
    return library


class EmulatedDriver:
    """The library in this process, which everything that asks for libcuda.so.1 gets."""

    def __init__(self, library: Path) -> None:
        self.library = library
        self._functions: Any = ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
        self._functions.emulated_kind.restype = ctypes.c_char_p
        for name in ("living", "made", "launches"):
            self._functions[f"emulated_{name}"].restype = ctypes.c_long
        self._functions.emulated_device_bit.restype = ctypes.c_uint64
        self._functions.emulated_limit.argtypes = [ctypes.c_size_t]
        self.launch_host_function = self._functions.cuLaunchHostFunc
        self.launch_host_function.argtypes = [ctypes.c_void_p] * 3

    def living(self) -> dict[str, int]:
        """What was made and not destroyed, by kind; kinds of which there are none are left out."""
        counts = ((kind, self._functions.emulated_living(i)) for i, kind in self._kinds())
        return {kind: count for kind, count in counts if count}

    def made(self) -> dict[str, int]:
        """How many of each kind there ever were."""
        return {kind: self._functions.emulated_made(i) for i, kind in self._kinds()}

    def launches(self) -> int:
        """How often a graph was launched."""
        return int(self._functions.emulated_launches())

    def integrate(self, *, integrated: bool) -> None:
        """Whether the GPU shares the host's memory; as on a Jetson."""
        self._functions.emulated_integrate(int(integrated))

    def limit(self, size: int) -> None:
        """Bytes of memory there are."""
        self._functions.emulated_limit(size)

    def fault(self) -> None:
        """Have the GPU fault, as by an illegal address: nothing works until the context is gone."""
        self._functions.emulated_fault()

    def host_address(self, address: int) -> int:
        """Where a device address lies for the host; what a GPU would do is done there."""
        return int(address & ~self._functions.emulated_device_bit())

    def _kinds(self) -> list[tuple[int, str]]:
        kinds: list[tuple[int, str]] = []
        while (name := self._functions.emulated_kind(len(kinds))) is not None:
            kinds.append((len(kinds), name.decode()))
        return kinds
