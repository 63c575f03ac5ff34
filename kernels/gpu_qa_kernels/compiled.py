"""Compile a kernel for the CPU when it is first needed, and keep the machine code where numba keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["compiled"]


def compiled(function: Callable[..., None], *argument_types: Any) -> Callable[..., None]:
    """Machine code of a function for these numba types, without the GIL, from numba's cache where it is there.

    Numba writes the cache beside the source file, else to the user's cache directory, else to `NUMBA_CACHE_DIR`; where
    none can be written the function is compiled anew in every process.
    """
    options: dict[str, Any] = {"nogil": True, "boundscheck": False}
    signature = numba.void(*argument_types)
    try:
        return _jit(function, signature, {**options, "cache": True})
    except (RuntimeError, OSError):  # No directory to cache in (RuntimeError), or its disk is full.
        return _jit(function, signature, options)


def _jit(function: Callable[..., None], signature: Any, options: dict[str, Any]) -> Callable[..., None]:
    kernel: Callable[..., None] = numba.njit(signature, **options)(function)
    return kernel
