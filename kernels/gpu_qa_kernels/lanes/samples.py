"""Samples in vectors: how they are loaded, and what is computed of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic

from gpu_qa_kernels.lanes.vector import Lanes, called, difference, lanes_of, pointer_to, splat, vector_of, widened

if TYPE_CHECKING:
    from gpu_qa_kernels.lanes.vector import Intrinsic

__all__ = [
    "apart",
    "call_for",
    "distance",
    "excess",
    "larger",
    "level",
    "load",
    "read_only",
    "smaller",
    "square_byte",
]


@intrinsic
def load(typing_context: Any, array: Any, index: Any, shift: Any, mask: Any) -> Intrinsic:
    """Samples from `array[index]` on as they are, 8 bits; 16 bits are shifted down and masked."""
    lanes = lanes_of(array)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = vector_of(lanes.bits, lanes.count)
        pointer = pointer_to(context, builder, array, arguments[0], arguments[1], vector)
        value = builder.load(pointer, align=lanes.bits // 8)
        if lanes.bits == 8:
            return value
        by, kept = (builder.trunc(scalar, ir.IntType(16)) for scalar in arguments[2:])
        return builder.and_(builder.lshr(value, splat(builder, vector, by)), splat(builder, vector, kept))

    return lanes(array, types.intp, types.int64, types.int64), generate


@intrinsic
def call_for(typing_context: Any, array: Any, index: Any) -> Intrinsic:
    """Call for the memory around `array[index]`, which will be loaded soon; it need not be the array's."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = pointer_to(context, builder, signature.args[0], arguments[0], arguments[1], ir.IntType(8))
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        to_read, often, data = (ir.Constant(number, value) for value in (0, 3, 1))
        builder.call(prefetch, [pointer, to_read, often, data])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@intrinsic
def read_only(typing_context: Any, array: Any) -> Intrinsic:
    """The same array, of the type that pictures have, which a kernel must not write to."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return impl_ret_borrowed(context, builder, signature.return_type, arguments[0])

    return types.Array(array.dtype, array.ndim, array.layout, readonly=True)(array), generate


@intrinsic
def level(typing_context: Any, samples: Any) -> Intrinsic:
    """The samples themselves, to be summed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return widened(builder, arguments[0])

    return Lanes(16, samples.count)(samples), generate


@intrinsic(prefer_literal=True)
def square_byte(typing_context: Any, samples: Any, which: Any) -> Intrinsic:
    """Bits 0-7 (0), 8-15 (1) or 16-31 (2) of the samples' squares; `which` is a literal."""
    position = which.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = widened(builder, arguments[0])
        vector = value.type
        if position < 2:
            square = builder.mul(value, value)
            if position == 0:
                return builder.and_(square, ir.Constant(vector, [255] * vector.count))
            return builder.lshr(square, ir.Constant(vector, [8] * vector.count))
        if samples.bits == 8:
            return ir.Constant(vector, None)
        double = vector_of(32, vector.count)
        wide = builder.zext(value, double)
        high = builder.lshr(builder.mul(wide, wide), ir.Constant(double, [16] * vector.count))
        return builder.trunc(high, vector)

    return Lanes(16, samples.count)(samples, which), generate


@intrinsic
def distance(typing_context: Any, one: Any, other: Any) -> Intrinsic:
    """Absolute differences of samples."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = arguments
        is_above = builder.icmp_unsigned(">", a, b)
        return widened(builder, builder.sub(builder.select(is_above, a, b), builder.select(is_above, b, a)))

    return Lanes(16, one.count)(one, other), generate


@intrinsic
def apart(typing_context: Any, one: Any, other: Any) -> Intrinsic:
    """Absolute differences of samples, as wide as these."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return difference(builder, *arguments)

    return one(one, other), generate


@intrinsic
def larger(typing_context: Any, one: Any, other: Any) -> Intrinsic:
    """The larger of each two."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return called(builder, "umax", *arguments)

    return one(one, other), generate


@intrinsic
def smaller(typing_context: Any, one: Any, other: Any) -> Intrinsic:
    """The smaller of each two."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return called(builder, "umin", *arguments)

    return one(one, other), generate


@intrinsic
def excess(typing_context: Any, one: Any, other: Any) -> Intrinsic:
    """By how much `one` is above `other`; 0 where it is not."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return called(builder, "usub.sat", *arguments)

    return one(one, other), generate
