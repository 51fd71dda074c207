# SPDX-License-Identifier: Apache-2.0
"""Vectors of float32 as values inside Numba kernels, one lane count per machine.

`+`, `-`, `*` and the functions below become LLVM vector instructions, on every lane alike and
without reassociation: what a lane computes depends on nothing but that lane. `muladd` is fused
wherever the processor can fuse.
Arrays are indexed along their last axis, which must be contiguous, without check or wrap-around.

Numba's cache on disk is keyed by processor and features, which determine `LANES`.
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import inspect
import operator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.cgutils import get_or_insert_function
from numba.core.registry import cpu_target
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from sensebind.preprocess._log_polynomial import LN2_HIGH, LN2_LOW, LOG_TERMS, SQRT_HALF_BITS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numba.core.base import BaseContext
    from numba.core.typing.templates import Signature

    Builder: TypeAlias = ir.IRBuilder
    Value: TypeAlias = ir.Value
    Vector: TypeAlias = Any
    Generator = Callable[..., Value | None]


def _lanes_of_host() -> int:
    """Floats per vector register of the processor Numba compiles for."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    has = set(features.split(","))
    if "+avx512f" in has:
        return 16
    return 8 if "+avx2" in has else 4


LANES: int = _lanes_of_host()

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTS = ir.VectorType(ir.IntType(32), LANES)


class _VectorType(types.Type):
    """LANES times float32."""


_vector = _VectorType(name=f"float32x{LANES}")


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: object, kind: object) -> None:
        super().__init__(manager, kind, _FLOATS)


def _define(sign: Callable[[Any, Any], Any], instruction: str) -> None:
    class _Typing(ConcreteTemplate):  # type: ignore[misc]
        cases = (signature(_vector, _vector, _vector),)

    def lower(
        _context: BaseContext, builder: Builder, _signature: Signature, args: Sequence[Value]
    ) -> Value:
        return getattr(builder, instruction)(*args)

    infer_global(sign)(_Typing)
    lower_builtin(sign, _vector, _vector)(lower)


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")


def _function(result: types.Type) -> Callable[[Generator], Callable[..., Any]]:
    """Make a function for kernels of one that writes LLVM instructions.

    It is given a builder and the arguments: arrays as the address of their first element, all else
    by value. It returns the result, None if `result` is void.
    """

    def decorate(generate: Generator) -> Callable[..., Any]:
        def lower(
            context: BaseContext, builder: Builder, sig: Signature, args: Sequence[Value]
        ) -> Value:
            operands = [
                context.make_array(kind)(context, builder, value).data
                if isinstance(kind, types.Array)
                else value
                for kind, value in zip(sig.args, args, strict=True)
            ]
            made = generate(builder, *operands)
            return context.get_dummy_value() if made is None else made

        def typed(_context: object, *kinds: types.Type) -> tuple[Signature, Callable[..., Value]]:
            return result(*kinds), lower

        typed.__name__, typed.__doc__ = generate.__name__, generate.__doc__
        typed.__signature__ = inspect.signature(generate)  # type: ignore[attr-defined]
        function: Callable[..., Any] = intrinsic(typed)
        return function

    return decorate


@_function(_vector)
def load(builder: Builder, array: Value, index: Value) -> Value:
    """LANES neighbours of an array."""
    return _read(builder, builder.gep(array, [index]))


@_function(types.void)
def store(builder: Builder, array: Value, index: Value, value: Value) -> None:
    """Write LANES neighbours of an array."""
    _write(builder, value, builder.gep(array, [index]))


@_function(types.void)
def store_first(builder: Builder, array: Value, index: Value, value: Value, count: Value) -> None:
    """Write the first `count` lanes to neighbours of an array."""
    for lane in range(LANES):
        with builder.if_then(builder.icmp_signed("<", count.type(lane), count)):
            number = builder.extract_element(value, ir.Constant(ir.IntType(32), lane))
            address = builder.gep(array, [builder.add(index, index.type(lane))])
            builder.store(number, address)


@_function(_vector)
def splat(builder: Builder, scalar: Value) -> Value:
    """One float32 in all lanes."""
    return _repeat(builder, scalar)


@_function(_vector)
def splat_at(builder: Builder, array: Value, index: Value) -> Value:
    """One element of an array in all lanes."""
    return _repeat(builder, builder.load(builder.gep(array, [index])))


@_function(_vector)
def muladd(builder: Builder, a: Value, b: Value, c: Value) -> Value:
    """Product of a and b, plus c; rounded once where the processor can."""
    return _call(builder, "fmuladd", a, b, c)


@_function(_vector)
def square_root(builder: Builder, value: Value) -> Value:
    """Square root."""
    return _call(builder, "sqrt", value)


@_function(_vector)
def at_least(builder: Builder, value: Value, least: Value) -> Value:
    """The greater of two; `least` for NaN."""
    return builder.select(builder.fcmp_ordered(">", value, least), value, least)


@_function(_vector)
def log(builder: Builder, value: Value) -> Value:
    """Natural logarithm of positive normal numbers; `_log_polynomial.py` tells how."""
    bits = builder.bitcast(value, _INTS)
    exponent = builder.ashr(builder.sub(bits, _whole(SQRT_HALF_BITS)), _whole(23))
    bits = builder.sub(bits, builder.shl(exponent, _whole(23)))
    z = builder.fsub(builder.bitcast(bits, _FLOATS), _number(1))
    e = builder.sitofp(exponent, _FLOATS)
    q = _number(LOG_TERMS[-1])
    for term in LOG_TERMS[-2::-1]:
        q = _call(builder, "fmuladd", q, z, _number(term))
    square = builder.fmul(z, z)
    cube = builder.fmul(builder.fmul(q, z), square)
    rest = _call(builder, "fmuladd", e, _number(LN2_LOW), cube)
    rest = _call(builder, "fmuladd", square, _number(-0.5), rest)
    return _call(builder, "fmuladd", e, _number(LN2_HIGH), builder.fadd(z, rest))


@_function(types.void)
def load_columns(
    builder: Builder,
    array: Value,
    first: Value,
    step: Value,
    count: Value,
    quiet: Value,
    columns: Value,
    at: Value,
) -> None:
    """Turn a square of samples: lane j of the i-th vector made is array[first + j·step + i].

    Lanes from `count` on repeat lane `count - 1`. Magnitudes below `quiet` become 0. The vectors go
    to `columns` from index `at`, one after the other.
    """
    index, threshold, silence = first.type, _repeat(builder, quiet), _number(0)
    rows = []
    for lane in range(LANES):
        in_use = builder.icmp_signed("<", index(lane), count)
        taken = builder.select(in_use, index(lane), builder.sub(count, index(1)))
        offset = builder.add(first, builder.mul(taken, step))
        row = _read(builder, builder.gep(array, [offset]))
        loud = builder.fcmp_unordered(">=", _call(builder, "fabs", row), threshold)
        rows.append(builder.select(loud, row, silence))
    for i, column in enumerate(_transposed(builder, rows)):
        offset = builder.add(at, index(i * LANES))
        _write(builder, column, builder.gep(columns, [offset]))


def _transposed(builder: Builder, rows: Sequence[Value]) -> Sequence[Value]:
    """Columns of a square of vectors: swap off-diagonal blocks, of 1 first, then of 2, 4 and 8."""
    block = 1
    while block < LANES:
        lanes = range(LANES)
        upper = [LANES + (k ^ block) if k & block else k for k in lanes]
        lower = [LANES + k if k & block else k ^ block for k in lanes]
        swapped = list(rows)
        for i in lanes:
            if not i & block:
                pair = rows[i], rows[i | block]
                swapped[i] = builder.shuffle_vector(*pair, ir.Constant(_INTS, upper))
                swapped[i | block] = builder.shuffle_vector(*pair, ir.Constant(_INTS, lower))
        rows = swapped
        block *= 2
    return rows


def _read(builder: Builder, address: Value) -> Value:
    return builder.load(builder.bitcast(address, _FLOATS.as_pointer()), align=4)


def _write(builder: Builder, value: Value, address: Value) -> None:
    builder.store(value, builder.bitcast(address, _FLOATS.as_pointer()), align=4)


def _repeat(builder: Builder, scalar: Value) -> Value:
    nothing = ir.Constant(_FLOATS, ir.Undefined)
    single = builder.insert_element(nothing, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(single, nothing, _whole(0))


def _call(builder: Builder, name: str, *args: Value) -> Value:
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * len(args))
    function = get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32")
    return builder.call(function, args)


def _number(constant: float) -> Value:
    # As a float32 holds it: LLVM takes no others for constants of that type.
    return ir.Constant(_FLOATS, [float(np.float32(constant))] * LANES)


def _whole(constant: int) -> Value:
    return ir.Constant(_INTS, [constant] * LANES)
