"""Sums of two or four neighbours as one number: samples of 8 bits need not be widened for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gpu_qa_kernels.lanes.vector import LANES_8, LANES_16, Lanes, called, difference, lanes_of, pointer_to, vector_of

if TYPE_CHECKING:
    from gpu_qa_kernels.lanes.vector import Intrinsic

__all__ = ["pairs", "put_pairs", "put_quads", "quad_seams", "second", "zero_pairs", "zero_quads"]


@intrinsic
def zero_pairs(typing_context: Any, array: Any) -> Intrinsic:
    """Sums of no `pairs` of this array's samples."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(vector_of(16, LANES_16), None)

    return Lanes(16, LANES_16)(array), generate


@intrinsic
def pairs(typing_context: Any, samples: Any) -> Intrinsic:
    """Two neighbours of 8 bits as one number, first + 256 · second; samples of 16 bits as they are. To be summed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], vector_of(16, LANES_16))

    return Lanes(16, LANES_16)(samples), generate


@intrinsic
def second(typing_context: Any, samples: Any) -> Intrinsic:
    """The second of each two neighbours of 8 bits; 0 where samples have 16. To be summed beside `pairs`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = vector_of(16, LANES_16)
        if samples.bits == 16:
            return ir.Constant(vector, None)
        return builder.lshr(builder.bitcast(arguments[0], vector), ir.Constant(vector, [8] * LANES_16))

    return Lanes(16, LANES_16)(samples), generate


@intrinsic
def put_pairs(typing_context: Any, samples: Any, array: Any, index: Any, both: Any, seconds: Any) -> Intrinsic:
    """Overwrite the uint16 from `array[index]` on with sums of `pairs` and of `second` of samples as `samples` has.

    Sums of pairs are modulo 65 536: what remains without the second ones is the sum of the first, if that fits.
    """
    is_paired = samples.dtype.bitwidth == 8

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, target, at, sums, odd = arguments
        vector = vector_of(16, LANES_8 if is_paired else LANES_16)
        if is_paired:
            even = builder.sub(sums, builder.shl(odd, ir.Constant(sums.type, [8] * LANES_16)))
            order = [lane // 2 + LANES_16 * (lane % 2) for lane in range(LANES_8)]
            sums = builder.shuffle_vector(even, odd, ir.Constant(ir.VectorType(ir.IntType(32), LANES_8), order))
        pointer = pointer_to(context, builder, signature.args[1], target, at, vector)
        builder.store(sums, pointer, align=2)
        return context.get_dummy_value()

    return types.void(samples, array, types.intp, both, seconds), generate


def _quads(samples: Lanes) -> Lanes:
    return Lanes(4 * samples.bits, samples.count // 4)


@intrinsic
def zero_quads(typing_context: Any, array: Any) -> Intrinsic:
    """Sums of no `quad_seams` of this array's samples."""
    lanes = _quads(lanes_of(array))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(vector_of(lanes.bits, lanes.count), None)

    return lanes(array), generate


@intrinsic
def quad_seams(typing_context: Any, samples: Any) -> Intrinsic:
    """Of each four neighbours a, b, c, d: max(0, |b − c| − max(|a − b|, |c − d|)). To be summed."""
    lanes = _quads(samples)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        flat, quads = value.type, vector_of(lanes.bits, lanes.count)

        def later(vector: ir.Value, count: int) -> ir.Value:
            by = ir.Constant(quads, [count * samples.bits] * lanes.count)
            return builder.bitcast(builder.lshr(builder.bitcast(vector, quads), by), flat)

        steps = difference(builder, value, later(value, 1))
        beside = called(builder, "umax", steps, later(steps, 2))
        seams = builder.bitcast(called(builder, "usub.sat", later(steps, 1), beside), quads)
        return builder.and_(seams, ir.Constant(quads, [(1 << samples.bits) - 1] * lanes.count))

    return lanes(samples), generate


@intrinsic
def put_quads(typing_context: Any, array: Any, index: Any, sums: Any) -> Intrinsic:
    """Overwrite the uint32 from `array[index]` on with sums of `quad_seams`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = vector_of(32, sums.count)
        value = arguments[2] if sums.bits == 32 else builder.trunc(arguments[2], vector)
        pointer = pointer_to(context, builder, array, arguments[0], arguments[1], vector)
        builder.store(value, pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, sums), generate
