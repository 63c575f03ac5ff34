"""Vectors of samples for numba's CPU kernels, so that pixel arithmetic is vector code by construction.

Left to itself the compiler finds vector code for such loops or does not, depending on its version and on casts that
numba puts in between. A `Lanes` is a vector of LLVM's own, any width on any processor: what does not fit the registers
of one is split. `load` makes one of samples. What is summed is 16 bits wide: samples of 8 bits are made so, or are
summed as `pairs`, which takes half as many instructions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import binding, ir
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
    "apart",
    "call_for",
    "distance",
    "excess",
    "larger",
    "level",
    "load",
    "pairs",
    "put",
    "put_pairs",
    "put_quads",
    "quad_seams",
    "read_only",
    "second",
    "smaller",
    "square_byte",
    "total",
    "zero",
    "zero_pairs",
    "zero_quads",
]


def _has_wide_registers() -> bool:
    """Whether this processor's registers hold 64 bytes."""
    try:
        return bool(binding.get_host_cpu_features().get("avx512bw"))
    except RuntimeError:  # LLVM does not know.
        return False


LANES_8 = 64 if _has_wide_registers() else 32
"""Samples of 8 bits in a vector: one register. Half as many took 8 % longer with AVX-512, twice as many 9 % with AVX2,
where the sums of `luma_stats` no longer fit the registers."""
LANES_16 = LANES_8 // 2
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


def _pointer(context: Any, builder: ir.IRBuilder, array: Any, value: Any, index: Any, kind: ir.Type) -> Any:
    data = context.make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


def _called(builder: ir.IRBuilder, name: str, one: ir.Value, other: ir.Value) -> ir.Value:
    """LLVM's own function of two vectors."""
    vector = one.type
    kind = ir.FunctionType(vector, [vector, vector])
    full = f"llvm.{name}.v{vector.count}i{vector.element.width}"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, full), [one, other])


def _apart(builder: ir.IRBuilder, one: ir.Value, other: ir.Value) -> ir.Value:
    return builder.sub(_called(builder, "umax", one, other), _called(builder, "umin", one, other))


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
def call_for(typing_context: Any, array: Any, index: Any) -> _Intrinsic:
    """Call for the memory around `array[index]`, which will be loaded soon; it need not be the array's."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], arguments[0], arguments[1], ir.IntType(8))
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        to_read, often, data = (ir.Constant(number, value) for value in (0, 3, 1))
        builder.call(prefetch, [pointer, to_read, often, data])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


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


@intrinsic
def apart(typing_context: Any, one: Any, other: Any) -> _Intrinsic:
    """Absolute differences of samples, as wide as these."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _apart(builder, *arguments)

    return one(one, other), generate


@intrinsic
def larger(typing_context: Any, one: Any, other: Any) -> _Intrinsic:
    """The larger of each two."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _called(builder, "umax", *arguments)

    return one(one, other), generate


@intrinsic
def smaller(typing_context: Any, one: Any, other: Any) -> _Intrinsic:
    """The smaller of each two."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _called(builder, "umin", *arguments)

    return one(one, other), generate


@intrinsic
def excess(typing_context: Any, one: Any, other: Any) -> _Intrinsic:
    """By how much `one` is above `other`; 0 where it is not."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _called(builder, "usub.sat", *arguments)

    return one(one, other), generate


@intrinsic
def zero_pairs(typing_context: Any, array: Any) -> _Intrinsic:
    """Sums of no `pairs` of this array's samples."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(_vector(16, LANES_16), None)

    return Lanes(16, LANES_16)(array), generate


@intrinsic
def pairs(typing_context: Any, samples: Any) -> _Intrinsic:
    """Two neighbours of 8 bits as one number, first + 256 · second; samples of 16 bits as they are. To be summed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], _vector(16, LANES_16))

    return Lanes(16, LANES_16)(samples), generate


@intrinsic
def second(typing_context: Any, samples: Any) -> _Intrinsic:
    """The second of each two neighbours of 8 bits; 0 where samples have 16. To be summed beside `pairs`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = _vector(16, LANES_16)
        if samples.bits == 16:
            return ir.Constant(vector, None)
        return builder.lshr(builder.bitcast(arguments[0], vector), ir.Constant(vector, [8] * LANES_16))

    return Lanes(16, LANES_16)(samples), generate


@intrinsic
def put_pairs(typing_context: Any, samples: Any, array: Any, index: Any, both: Any, seconds: Any) -> _Intrinsic:
    """Overwrite the uint16 from `array[index]` on with sums of `pairs` and of `second` of samples as `samples` has.

    Sums of pairs are modulo 65 536: what remains without the second ones is the sum of the first, if that fits.
    """
    is_paired = samples.dtype.bitwidth == 8

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, target, at, sums, odd = arguments
        vector = _vector(16, LANES_8 if is_paired else LANES_16)
        if is_paired:
            even = builder.sub(sums, builder.shl(odd, ir.Constant(sums.type, [8] * LANES_16)))
            order = [lane // 2 + LANES_16 * (lane % 2) for lane in range(LANES_8)]
            sums = builder.shuffle_vector(even, odd, ir.Constant(ir.VectorType(ir.IntType(32), LANES_8), order))
        pointer = _pointer(context, builder, signature.args[1], target, at, vector)
        builder.store(sums, pointer, align=2)
        return context.get_dummy_value()

    return types.void(samples, array, types.intp, both, seconds), generate


@intrinsic
def zero_quads(typing_context: Any, array: Any) -> _Intrinsic:
    """Sums of no `quad_seams` of this array's samples."""
    lanes = _quads(_lanes(array))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(_vector(lanes.bits, lanes.count), None)

    return lanes(array), generate


def _quads(samples: Lanes) -> Lanes:
    return Lanes(4 * samples.bits, samples.count // 4)


@intrinsic
def quad_seams(typing_context: Any, samples: Any) -> _Intrinsic:
    """Of each four neighbours a, b, c, d: max(0, |b − c| − max(|a − b|, |c − d|)). To be summed."""
    lanes = _quads(samples)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        flat, quads = value.type, _vector(lanes.bits, lanes.count)

        def later(vector: ir.Value, count: int) -> ir.Value:
            by = ir.Constant(quads, [count * samples.bits] * lanes.count)
            return builder.bitcast(builder.lshr(builder.bitcast(vector, quads), by), flat)

        steps = _apart(builder, value, later(value, 1))
        beside = _called(builder, "umax", steps, later(steps, 2))
        seams = builder.bitcast(_called(builder, "usub.sat", later(steps, 1), beside), quads)
        return builder.and_(seams, ir.Constant(quads, [(1 << samples.bits) - 1] * lanes.count))

    return lanes(samples), generate


@intrinsic
def put_quads(typing_context: Any, array: Any, index: Any, sums: Any) -> _Intrinsic:
    """Overwrite the uint32 from `array[index]` on with sums of `quad_seams`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = _vector(32, sums.count)
        value = arguments[2] if sums.bits == 32 else builder.trunc(arguments[2], vector)
        pointer = _pointer(context, builder, array, arguments[0], arguments[1], vector)
        builder.store(value, pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, sums), generate


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
