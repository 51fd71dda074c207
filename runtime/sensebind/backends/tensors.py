# SPDX-License-Identifier: Apache-2.0
"""Checks of tensors against the manifest, the same for every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensebind.errors import BackendError, BundleError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sensebind.specs import TensorSpec
    from sensebind.types import Features

    GraphTensors = Mapping[str, tuple[str, Sequence[int | str | None]]]
    """NumPy dtype name and axes of a graph's tensors, by name; dynamic axes are strings or None."""


def check_graph_tensor(
    where: str, spec: TensorSpec, name: str, dtype: str, shape: Sequence[int | str | None]
) -> None:
    """Compare one tensor of a loaded graph with the manifest's.

    Args:
        where: file and role, for the message.
        spec: what the manifest says.
        name: the graph's name for it.
        dtype: its NumPy dtype name.
        shape: its axes; strings and None are dynamic.

    Raises:
        BundleError: naming what differs.
    """
    same_axes = len(shape) == len(spec.shape) and all(
        axis == (expected if isinstance(expected, int) else axis)
        and isinstance(axis, int) == isinstance(expected, int)
        for axis, expected in zip(shape, spec.shape, strict=True)
    )
    if name != spec.name or dtype != spec.dtype or not same_axes:
        raise BundleError(
            f"{where} is {name!r} {dtype} {_axes(shape)}, the manifest says {spec.name!r} "
            f"{spec.dtype} {_axes(spec.shape)}; export the bundle again"
        )


def check_graph_tensors(
    path: Path,
    role: str,
    specs: tuple[TensorSpec, ...],
    found: GraphTensors,
) -> None:
    """Compare all inputs, or outputs, of a loaded graph with the manifest's.

    Args:
        path: the graph.
        role: "input" or "output".
        specs: what the manifest says.
        found: the graph's tensors.

    Raises:
        BundleError: naming what differs.
    """
    expected = {spec.name for spec in specs}
    if set(found) != expected:
        raise BundleError(
            f"{path}: the graph's {role}s are {sorted(found)}, the manifest says "
            f"{sorted(expected)}; export the bundle again"
        )
    for spec in specs:
        check_graph_tensor(f"{path}: {role}", spec, spec.name, *found[spec.name])


def check_inputs(specs: tuple[TensorSpec, ...], inputs: Mapping[str, NDArray[Any]]) -> int:
    """Check the arrays of one run and return their batch size.

    Raises:
        InputError: naming the input, its dtype and shape and what was expected.
    """
    if len(inputs) != len(specs):
        raise InputError(
            f"inputs are {sorted(inputs)}, expected {sorted(spec.name for spec in specs)}"
        )
    axes: dict[str, int] = {}
    for spec in specs:
        array = inputs.get(spec.name)
        if array is None:
            raise InputError(f"input {spec.name!r} is missing; given are {sorted(inputs)}")
        fits = array.dtype.name == spec.dtype and array.ndim == len(spec.shape) and array.size > 0
        if not fits or not all(
            length == (axis if isinstance(axis, int) else axes.setdefault(axis, length))
            for length, axis in zip(array.shape, spec.shape, strict=True)
        ):
            bound = [axes.get(a, a) if isinstance(a, str) else a for a in spec.shape]
            raise InputError(
                f"input {spec.name!r} is {array.dtype} {_axes(array.shape)}, expected "
                f"{spec.dtype} {_axes(bound)}, not empty"
            )
    return int(inputs[specs[0].name].shape[0])


def single_rows(batch: Mapping[str, NDArray[Any]]) -> Iterator[Features]:
    """Batches of one, in order, of the rows of a batch; nothing is copied."""
    for row in range(len(next(iter(batch.values())))):
        yield {name: array[row : row + 1] for name, array in batch.items()}


def check_output(spec: TensorSpec, output: NDArray[Any], batch: int) -> None:
    """Check what a run gave.

    Raises:
        BackendError: if it is not float32 (batch, dim).
    """
    if output.dtype != "float32" or output.shape != (batch, spec.shape[1]):
        raise BackendError(
            f"output {spec.name!r} is {output.dtype} {_axes(output.shape)}, expected float32 "
            f"{_axes((batch, spec.shape[1]))}; the bundle's graph is not what it claims"
        )


def _axes(shape: Sequence[int | str | None]) -> str:
    return "[" + ", ".join("?" if axis is None else str(axis) for axis in shape) + "]"
