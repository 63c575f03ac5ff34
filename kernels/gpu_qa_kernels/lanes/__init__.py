"""Vectors of samples for numba's CPU kernels, so that pixel arithmetic is vector code by construction.

Left to itself the compiler finds vector code for such loops or does not, depending on its version and on casts that
numba puts in between. A `Lanes` is a vector of LLVM's own, any width on any processor: what does not fit the registers
of one is split. `load` makes one of samples. What is summed is 16 bits wide: samples of 8 bits are made so, or are
summed as `pairs`, which takes half as many instructions.
"""

from gpu_qa_kernels.lanes.packed import pairs, put_pairs, put_quads, quad_seams, second, zero_pairs, zero_quads
from gpu_qa_kernels.lanes.samples import (
    apart,
    call_for,
    distance,
    excess,
    larger,
    level,
    load,
    read_only,
    smaller,
    square_byte,
)
from gpu_qa_kernels.lanes.sums import TOTAL, add, add_to, put, total, zero
from gpu_qa_kernels.lanes.vector import LANES_8, LANES_16

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
