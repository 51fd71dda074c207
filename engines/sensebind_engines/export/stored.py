# SPDX-License-Identifier: Apache-2.0
"""Graphs read from their files with the large weights left there, each read when it is asked for.

A parser would copy all weights of a file into a message, gigabytes of them. So the few levels of
the file that hold weights are walked here, and only the rest of it is parsed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, TensorProto, helper

from sensebind.errors import BundleError
from sensebind_engines.export.lean import SMALL_BYTES, LeanGraph, data_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

_GRAPH = ModelProto.DESCRIPTOR.fields_by_name["graph"].number
_INITIALIZER = GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
_RAW_DATA = TensorProto.DESCRIPTOR.fields_by_name["raw_data"].number
_LENGTH_DELIMITED = 2
_FIXED_BYTES = {1: 8, 5: 4}
"""Of wire types whose content has one length."""


class _Field(NamedTuple):
    """A field of a message: where its key, its content and the next field begin in the file."""

    number: int
    begin: int
    content: int
    end: int


def read_lean(path: Path) -> LeanGraph:
    """Read a graph; its large weights, inside the file or beside it, are mapped when asked for.

    Args:
        path: the graph's file. It must stay as it is while weights are read.

    Raises:
        BundleError: the file is no ONNX graph, or has weights in another folder.
    """
    model = ModelProto()
    weights: dict[str, Callable[[], NDArray[Any]]] = {}
    try:
        content = np.memmap(path, np.uint8, "r")
        for field in _fields(content, 0, len(content)):
            if field.number != _GRAPH:
                model.MergeFromString(_piece(content, field))
                continue
            for part in _fields(content, field.content, field.end):
                if part.number != _INITIALIZER:
                    model.graph.MergeFromString(_piece(content, part))
                    continue
                weight, place = _initialiser(content, part)
                model.graph.initializer.append(weight)
                if place is not None:
                    weights[weight.name] = partial(_mapped, path, place, weight)
    except (DecodeError, IndexError, ValueError) as error:
        raise BundleError(
            f"{path.name} is no ONNX graph ({error}); copy or export it again"
        ) from error
    for weight in model.graph.initializer:
        if weight.external_data:
            weights[weight.name] = _beside(path, weight)
            del weight.external_data[:]
    return LeanGraph(model, weights)


def _initialiser(content: Bytes, field: _Field) -> tuple[TensorProto, int | None]:
    """A weight, and where its values begin in the file if they were left there."""
    weight, place = TensorProto(), None
    for part in _fields(content, field.content, field.end):
        if part.number == _RAW_DATA and part.end - part.content >= SMALL_BYTES:
            place = part.content
        else:
            weight.MergeFromString(_piece(content, part))
    if place is not None:
        weight.data_location = TensorProto.EXTERNAL
    return weight, place


def _beside(path: Path, weight: TensorProto) -> Callable[[], NDArray[Any]]:
    entries = {entry.key: entry.value for entry in weight.external_data}
    file = path.parent / entries.get("location", "")
    if file.parent != path.parent:
        raise BundleError(
            f"{path.name} has the weight {weight.name!r} in {entries.get('location', '')!r}, "
            "expected a file beside it; export it again"
        )
    return partial(_mapped, file, int(entries.get("offset", 0)), weight)


def _mapped(path: Path, begin: int, weight: TensorProto) -> NDArray[Any]:
    """A weight's values; the file is mapped as long as the array lives."""
    dtype = helper.tensor_dtype_to_np_dtype(weight.data_type)
    content = np.memmap(path, np.uint8, "r", offset=begin, shape=(data_bytes(weight),))
    values: NDArray[Any] = np.asarray(content).view(dtype).reshape(tuple(weight.dims))
    return values


def _piece(content: Bytes, field: _Field) -> bytes:
    return content[field.begin : field.end].tobytes()


def _fields(content: Bytes, begin: int, end: int) -> Iterator[_Field]:
    """Fields of the message that lies in these bytes, in order."""
    while begin < end:
        key, content_begin = _base_128(content, begin)
        number, wire_type = key >> 3, key & 7
        if wire_type == _LENGTH_DELIMITED:
            length, content_begin = _base_128(content, content_begin)
            after = content_begin + length
        elif wire_type in _FIXED_BYTES:
            after = content_begin + _FIXED_BYTES[wire_type]
        elif wire_type == 0:
            _, after = _base_128(content, content_begin)
        else:
            raise ValueError(f"wire type {wire_type} at byte {begin}")
        if after > end:
            raise ValueError(f"a field at byte {begin} ends at {after}, beyond {end}")
        yield _Field(number, begin, content_begin, after)
        begin = after


def _base_128(content: Bytes, begin: int) -> tuple[int, int]:
    """A number written in base 128, low digits first, and where it ends."""
    number, shift = 0, 0
    while True:
        digit = int(content[begin])
        begin += 1
        number |= (digit & 127) << shift
        if digit < 128:
            return number, begin
        shift += 7
