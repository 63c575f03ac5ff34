"""Vectors of samples for numba's CPU kernels, so that pixel arithmetic is vector code by construction.

Left to itself the compiler finds vector code for such loops or does not, depending on its version and on casts that
numba puts in between. A `Lanes` is a vector of LLVM's own, any width on any processor: what does not fit the registers
of one is split. `load` makes one of samples; everything that is summed is 16 bits wide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic, register_model

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "LANES_8",
    "LANES_16",
    "TOTAL",
    "add",
    "add_to",
    "distance",
    "level",
    "load",
    "put",
    "read_only",
    "square_byte",
    "total",
    "zero",
]

LANES_8 = 64
"""Samples of 8 bits in a vector: one register of AVX-512; half as many took 8 % longer there."""
LANES_16 = 32
"""Samples of 16 bits in a vector."""
TOTAL = 64
"""Sums of 16 bits that `total` adds up at once."""

_Intrinsic = tuple[Any, "Callable[..., Any]"]


class Lanes(types.Type):  # type: ignore[misc]
    """Numba's type of a vector of `count` unsigned integers of `bits` bits."""

    def __init__(self, bits: int, count: int) -> None:
        self.bits, self.count = bits, count
        super().__init__(name=f"lanes({bits} x {count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: Lanes) -> None:
        super().__init__(manager, numba_type, _vector(numba_type.bits, numba_type.count))


def _vector(bits: int, count: int) -> ir.VectorType:
    return ir.VectorType(ir.IntType(bits), count)


def _lanes(array: types.Array) -> Lanes:
    return Lanes(8, LANES_8) if array.dtype.bitwidth == 8 else Lanes(16, LANES_16)


def _splat(builder: ir.IRBuilder, vector: ir.VectorType, value: ir.Value) -> ir.Value:
    undefined, index = ir.Constant(vector, ir.Undefined), ir.VectorType(ir.IntType(32), vector.count)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(index, None))


def _pointer(context: Any, builder: ir.IRBuilder, array: Any, value: Any, index: Any, vector: ir.VectorType) -> Any:
    data = context.make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def _widened(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    wide = _vector(16, value.type.count)
    return value if value.type == wide else builder.zext(value, wide)


@intrinsic
def load(typing_context: Any, array: Any, index: Any, shift: Any, mask: Any) -> _Intrinsic:
    """Samples from `array[index]` on as they are, 8 bits; 16 bits are shifted down and masked."""
    lanes = _lanes(array)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = _vector(lanes.bits, lanes.count)
        pointer = _pointer(context, builder, array, arguments[0], arguments[1], vector)
        value = builder.load(pointer, align=lanes.bits // 8)
        if lanes.bits == 8:
            return value
        by, kept = (builder.trunc(scalar, ir.IntType(16)) for scalar in arguments[2:])
        return builder.and_(builder.lshr(value, _splat(builder, vector, by)), _splat(builder, vector, kept))

    return lanes(array, types.intp, types.int64, types.int64), generate


@intrinsic
def zero(typing_context: Any, array: Any) -> _Intrinsic:
    """Sums of nothing, as many as `load` takes samples from this array."""
    count = _lanes(array).count

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(_vector(16, count), None)

    return Lanes(16, count)(array), generate


@intrinsic
def level(typing_context: Any, samples: Any) -> _Intrinsic:
    """The samples themselves, to be summed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _widened(builder, arguments[0])

    return Lanes(16, samples.count)(samples), generate


@intrinsic
def distance(typing_context: Any, one: Any, other: Any) -> _Intrinsic:
    """Absolute differences of samples."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = arguments
        is_above = builder.icmp_unsigned(">", a, b)
        return _widened(builder, builder.sub(builder.select(is_above, a, b), builder.select(is_above, b, a)))

    return Lanes(16, one.count)(one, other), generate


@intrinsic(prefer_literal=True)
def square_byte(typing_context: Any, samples: Any, which: Any) -> _Intrinsic:
    """Bits 0-7 (0), 8-15 (1) or 16-31 (2) of the samples' squares; `which` is a literal."""
    position = which.literal_value

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = _widened(builder, arguments[0])
        vector = value.type
        if position < 2:
            square = builder.mul(value, value)
            if position == 0:
                return builder.and_(square, ir.Constant(vector, [255] * vector.count))
            return builder.lshr(square, ir.Constant(vector, [8] * vector.count))
        if samples.bits == 8:
            return ir.Constant(vector, None)
        double = _vector(32, vector.count)
        wide = builder.zext(value, double)
        high = builder.lshr(builder.mul(wide, wide), ir.Constant(double, [16] * vector.count))
        return builder.trunc(high, vector)

    return Lanes(16, samples.count)(samples, which), generate


@intrinsic
def add(typing_context: Any, one: Any, other: Any) -> _Intrinsic:
    """Sums, modulo 65 536."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.add(*arguments)

    return one(one, other), generate


@intrinsic
def add_to(typing_context: Any, array: Any, index: Any, sums: Any) -> _Intrinsic:
    """Add to the uint16 from `array[index]` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, array, arguments[0], arguments[1], _vector(16, sums.count))
        builder.store(builder.add(builder.load(pointer, align=2), arguments[2]), pointer, align=2)
        return context.get_dummy_value()

    return types.void(array, types.intp, sums), generate


@intrinsic
def put(typing_context: Any, array: Any, index: Any, sums: Any) -> _Intrinsic:
    """Overwrite the uint16 from `array[index]` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, array, arguments[0], arguments[1], _vector(16, sums.count))
        builder.store(arguments[2], pointer, align=2)
        return context.get_dummy_value()

    return types.void(array, types.intp, sums), generate


@intrinsic
def total(typing_context: Any, array: Any, index: Any, count: Any) -> _Intrinsic:
    """Sum of `count` uint16 from `array[index]` on, `TOTAL` at most, of which that many are in memory."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, pairs = _vector(16, TOTAL), _vector(32, TOTAL // 2)
        pointer = _pointer(context, builder, array, arguments[0], arguments[1], vector)
        end = _splat(builder, vector, builder.trunc(arguments[2], ir.IntType(16)))
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


@intrinsic
def read_only(typing_context: Any, array: Any) -> _Intrinsic:
    """The same array, of the type that pictures have, which a kernel must not write to."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return impl_ret_borrowed(context, builder, signature.return_type, arguments[0])

    return types.Array(array.dtype, array.ndim, array.layout, readonly=True)(array), generate
