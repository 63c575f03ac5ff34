"""Sums of samples, 16 bits a column: how they are made, added to memory, and totalled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from gpu_qa_kernels.lanes.vector import Lanes, lanes_of, pointer_to, splat, vector_of

if TYPE_CHECKING:
    from gpu_qa_kernels.lanes.vector import Intrinsic

__all__ = ["TOTAL", "add", "add_to", "put", "total", "zero"]

TOTAL = 64
"""Sums of 16 bits that `total` adds up at once."""


@intrinsic
def zero(typing_context: Any, array: Any) -> Intrinsic:
    """Sums of nothing, as many as `load` takes samples from this array."""
    count = lanes_of(array).count

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(vector_of(16, count), None)

    return Lanes(16, count)(array), generate


@intrinsic
def add(typing_context: Any, one: Any, other: Any) -> Intrinsic:
    """Sums, modulo 65 536."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.add(*arguments)

    return one(one, other), generate


@intrinsic
def add_to(typing_context: Any, array: Any, index: Any, sums: Any) -> Intrinsic:
    """Add to the uint16 from `array[index]` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = pointer_to(context, builder, array, arguments[0], arguments[1], vector_of(16, sums.count))
        builder.store(builder.add(builder.load(pointer, align=2), arguments[2]), pointer, align=2)
        return context.get_dummy_value()

    return types.void(array, types.intp, sums), generate


@intrinsic
def put(typing_context: Any, array: Any, index: Any, sums: Any) -> Intrinsic:
    """Overwrite the uint16 from `array[index]` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = pointer_to(context, builder, array, arguments[0], arguments[1], vector_of(16, sums.count))
        builder.store(arguments[2], pointer, align=2)
        return context.get_dummy_value()

    return types.void(array, types.intp, sums), generate


@intrinsic
def total(typing_context: Any, array: Any, index: Any, count: Any) -> Intrinsic:
    """Sum of `count` uint16 from `array[index]` on, `TOTAL` at most, of which that many are in memory."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, pairs = vector_of(16, TOTAL), vector_of(32, TOTAL // 2)
        pointer = pointer_to(context, builder, array, arguments[0], arguments[1], vector)
        end = splat(builder, vector, builder.trunc(arguments[2], ir.IntType(16)))
        is_meant = builder.icmp_unsigned("<", ir.Constant(vector, list(range(TOTAL))), end)
        kept = builder.select(is_meant, builder.load(pointer, align=2), ir.Constant(vector, None))
        both = builder.bitcast(kept, pairs)
        even = builder.and_(both, ir.Constant(pairs, [65535] * pairs.count))
        odd = builder.lshr(both, ir.Constant(pairs, [16] * pairs.count))
        reduce = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.IntType(32), [pairs]), f"llvm.vector.reduce.add.v{pairs.count}i32"
        )
        return builder.zext(builder.call(reduce, [builder.add(even, odd)]), ir.IntType(64))

    return types.int64(array, types.intp, types.int64), generate
