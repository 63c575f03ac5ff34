"""The type of a vector of samples, how wide it is, and the LLVM code that the intrinsics share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import register_model

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "LANES_8",
    "LANES_16",
    "Intrinsic",
    "Lanes",
    "called",
    "difference",
    "lanes_of",
    "pointer_to",
    "splat",
    "vector_of",
    "widened",
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

Intrinsic = tuple[Any, "Callable[..., Any]"]
"""What numba wants of an intrinsic: its signature, and the function that builds its code."""


class Lanes(types.Type):  # type: ignore[misc]
    """Numba's type of a vector of `count` unsigned integers of `bits` bits."""

    def __init__(self, bits: int, count: int) -> None:
        self.bits, self.count = bits, count
        super().__init__(name=f"lanes({bits} x {count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: Lanes) -> None:
        super().__init__(manager, numba_type, vector_of(numba_type.bits, numba_type.count))


def vector_of(bits: int, count: int) -> ir.VectorType:
    """LLVM's type of a vector of `count` integers of `bits` bits."""
    return ir.VectorType(ir.IntType(bits), count)


def lanes_of(array: types.Array) -> Lanes:
    """What `load` makes of samples of this array: as many as fit a register."""
    return Lanes(8, LANES_8) if array.dtype.bitwidth == 8 else Lanes(16, LANES_16)


def splat(builder: ir.IRBuilder, vector: ir.VectorType, value: ir.Value) -> ir.Value:
    """The same value in every place of a vector."""
    undefined, index = ir.Constant(vector, ir.Undefined), ir.VectorType(ir.IntType(32), vector.count)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(index, None))


def pointer_to(context: Any, builder: ir.IRBuilder, array: Any, value: Any, index: Any, kind: ir.Type) -> Any:
    """Where `value[index]` lies, as a pointer to `kind`; `array` is numba's type of it."""
    data = context.make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


def called(builder: ir.IRBuilder, name: str, one: ir.Value, other: ir.Value) -> ir.Value:
    """LLVM's own function of two vectors."""
    vector = one.type
    kind = ir.FunctionType(vector, [vector, vector])
    full = f"llvm.{name}.v{vector.count}i{vector.element.width}"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, full), [one, other])


def difference(builder: ir.IRBuilder, one: ir.Value, other: ir.Value) -> ir.Value:
    """Absolute differences of two vectors' elements."""
    return builder.sub(called(builder, "umax", one, other), called(builder, "umin", one, other))


def widened(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Elements of 8 bits as 16; those of 16 as they are."""
    wide = vector_of(16, value.type.count)
    return value if value.type == wide else builder.zext(value, wide)
