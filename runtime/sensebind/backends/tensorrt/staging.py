# SPDX-License-Identifier: Apache-2.0
"""Where features and vectors pass between host and GPU: made once, used for every run."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensebind.backends.tensorrt.device import Device


class Staged:
    """Page-locked memory of one tensor and its place on the GPU.

    Where the GPU shares the host's memory the two are the same and nothing is copied; elsewhere
    copies are queued, which takes memory that cannot be paged out.

    Attributes:
        address: of the tensor for the GPU.
    """

    def __init__(self, device: Device, dtype: str, largest: tuple[int, ...]) -> None:
        """Allocate.

        Args:
            device: the GPU; in its thread.
            dtype: name of the elements' type.
            largest: shape with the largest lengths.

        Raises:
            pycuda.driver.MemoryError: there is not as much memory.
        """
        cuda = device.cuda
        self._cuda = cuda
        self._dtype = np.dtype(dtype)
        size = prod(largest) * self._dtype.itemsize
        flags = cuda.host_alloc_flags.DEVICEMAP if device.integrated else 0
        self._host: NDArray[np.uint8] = cuda.pagelocked_empty((size,), np.uint8, mem_flags=flags)
        self._device: Any = None
        if device.integrated:
            self.address = int(self._host.base.get_device_pointer())
            return
        try:
            self._device = cuda.mem_alloc(size)
        except cuda.Error:
            self.free()
            raise
        self.address = int(self._device)

    def view(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The host's memory as a tensor of this shape, which is not larger than the largest."""
        return self._bytes(shape).view(self._dtype).reshape(shape)

    def queue_upload(self, shape: tuple[int, ...], stream: Any) -> None:  # noqa: ANN401
        """Have a tensor of this shape copied to the GPU, if it is not there anyway."""
        if self._device is not None:
            self._cuda.memcpy_htod_async(self._device, self._bytes(shape), stream)

    def queue_download(self, shape: tuple[int, ...], stream: Any) -> None:  # noqa: ANN401
        """Have a tensor of this shape copied to the host, if it is not there anyway."""
        if self._device is not None:
            self._cuda.memcpy_dtoh_async(self._bytes(shape), self._device, stream)

    def free(self) -> None:
        """Free both; views cannot be used afterwards."""
        if self._device is not None:
            self._device.free()
            self._device = None
        self._host.base.free()  # type: ignore[union-attr]

    def _bytes(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        return self._host[: prod(shape) * self._dtype.itemsize]
