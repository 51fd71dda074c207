# SPDX-License-Identifier: Apache-2.0
"""The GPU at hand, asked of the driver."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

_NAME_BYTES = 256
_MAJOR, _MINOR = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of cuda.h."""


class Gpu(NamedTuple):
    """The first GPU: its name, generation ("87") and the CUDA version of its driver ("12.6")."""

    name: str
    sm: str
    driver: str


NO_GPU = Gpu("", "", "")


def has_driver() -> bool:
    """Whether NVIDIA's driver is there; looking for the GPU itself may take a part of a second."""
    return _driver() is not None


def find_gpu() -> Gpu:
    """The first GPU, or `NO_GPU` without a driver or device."""
    cuda = _driver()
    if cuda is None:
        return NO_GPU
    device, version = ctypes.c_int(), ctypes.c_int()
    major, minor = ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(_NAME_BYTES)
    found = (
        cuda.cuInit(0) == 0
        and cuda.cuDriverGetVersion(ctypes.byref(version)) == 0
        and cuda.cuDeviceGet(ctypes.byref(device), 0) == 0
        and cuda.cuDeviceGetName(name, _NAME_BYTES, device) == 0
        and cuda.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device) == 0
        and cuda.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device) == 0
    )
    if not found:
        return NO_GPU
    told = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return Gpu(name.value.decode(errors="replace"), f"{major.value}{minor.value}", told)


def _driver() -> Any:  # noqa: ANN401
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
