"""Torch tensors on a card and in host memory, as NumPy and numba's kernels take them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator


def empty(shape: tuple[int, ...], kind: Any, device: Any) -> Any:
    """Memory of a device, contents undefined, for elements of a NumPy type."""
    import torch

    return torch.empty(shape, dtype=getattr(torch, np.dtype(kind).name), device=device)


def pinned(shape: tuple[int, ...], kind: Any, device: Any) -> Any:
    """Host memory that a card can copy from and to without help of the CPU."""
    import torch

    return torch.empty(shape, dtype=getattr(torch, np.dtype(kind).name), pin_memory=device.type == "cuda")


def for_kernel(tensor: Any) -> Any:
    """A tensor as numba's kernels take it: making that costs more than a launch, so it is kept where it can be."""
    if not tensor.is_cuda:
        return tensor.numpy()
    from numba import cuda

    return cuda.as_cuda_array(tensor)


@contextmanager
def launching_on(device: Any) -> Iterator[None]:
    """Within it torch and numba work on this device, both on its legacy default stream, and hence in order.

    Numba launches there unless told otherwise, on whichever device is current. Torch's other streams are non-blocking:
    they neither wait for that stream nor it for them.
    """
    if device.type != "cuda":
        yield
        return
    import torch
    from numba import cuda

    stream = torch.cuda.default_stream(device)
    with torch.cuda.device(device), torch.cuda.stream(stream), cuda.gpus[stream.device.index]:
        yield
