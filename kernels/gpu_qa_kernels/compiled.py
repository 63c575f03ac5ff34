"""Compile a kernel for the CPU when it is first needed, and keep the machine code where numba keeps it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compiled"]


@cache
def _sources() -> bytes:
    """Digest of the sources of all kernels; of nothing where they cannot be read (a frozen program)."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


def compiled(kernel: Callable[..., None], *argument_types: Any) -> Callable[..., None]:
    """Machine code of a function for these numba types, without the GIL, from numba's cache where it is there.

    Numba keeps the cache beside the source file, else in the user's cache directory, or in `NUMBA_CACHE_DIR` where
    that is set; where none can be written the function is compiled anew in every process. Numba itself would compile
    again only when the function's own file changes, and two processes that add different types of one function at
    the same time would spoil its index: so the sources and the types are made part of the name that it files by.
    """
    signature = numba.void(*argument_types)
    name = hashlib.sha256(_sources() + str(signature).encode()).hexdigest()[:16]
    if not isinstance(kernel, FunctionType):
        raise TypeError(f"{kernel!r} is no plain function")
    function = FunctionType(kernel.__code__, kernel.__globals__, kernel.__name__)
    function.__qualname__ = f"{function.__name__}_{name}"
    options: dict[str, Any] = {"nogil": True, "boundscheck": False}
    try:
        return _jit(function, signature, {**options, "cache": True})
    except (RuntimeError, OSError):  # No directory to cache in (RuntimeError), or its disk is full.
        return _jit(function, signature, options)


def _jit(function: FunctionType, signature: Any, options: dict[str, Any]) -> Callable[..., None]:
    kernel: Callable[..., None] = numba.njit(signature, **options)(function)
    return kernel
