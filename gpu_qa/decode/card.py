"""Card: a graphics card as decoding uses it: its memory, and streams on which pictures are copied."""

from __future__ import annotations

import ctypes
import functools
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from gpu_qa.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Sequence

_NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING: does not wait for the NULL stream."""


class CopyStream(Protocol):
    """A CUDA stream of one decoder: NVDEC writes its pictures on it, and they are copied on it, in order."""

    @property
    def address(self) -> int:
        """Of the stream; never the NULL stream, which waits for all others."""

    def copy(self, pieces: Sequence[tuple[int, int]], size: int) -> Any:
        """Have pieces of device memory copied, without waiting for it.

        Args:
            pieces: Addresses from which and to which.
            size: Bytes of a piece.

        Returns:
            An event (`torch.cuda.Event`) that comes after these copies, and perhaps after later ones.
        """

    def synchronize(self) -> None:
        """Wait until all work on the stream is done."""


class Card(Protocol):
    """A card."""

    @property
    def number(self) -> int:
        """As CUDA counts them."""

    @property
    def name(self) -> str:
        """As the driver calls it."""

    @property
    def title(self) -> str:
        """Number and name, for messages."""

    def memory(self, size: int) -> Any:
        """A new 1-D uint8 torch tensor of `size` bytes.

        Raises:
            DeviceError: There is no room for it.
        """

    def free_bytes(self) -> int:
        """Memory that no process has."""

    def stream(self) -> CopyStream:
        """A new stream."""


class CudaCard:
    """A card of this machine."""

    def __init__(self, number: int) -> None:
        """Open card `number`.

        Raises:
            DeviceError: The card cannot be used.
        """
        import torch

        self._torch = torch
        self.number = number
        """As CUDA counts them."""
        try:
            self._device = torch.device("cuda", number)
            self.name = str(torch.cuda.get_device_name(self._device))
            """As the driver calls it."""
            torch.cuda.mem_get_info(self._device)
        except (RuntimeError, AssertionError) as error:
            raise DeviceError(f"card {number} cannot be used: {first_line(error)}") from error

    @property
    def title(self) -> str:
        """Number and name."""
        return f"card {self.number} ({self.name})"

    def memory(self, size: int) -> Any:
        """A new 1-D uint8 tensor on the card; see `Card.memory`."""
        try:
            return self._torch.empty(size, dtype=self._torch.uint8, device=self._device)
        except RuntimeError as error:
            raise DeviceError(f"no room for {size >> 20} MiB of pictures on {self.title}") from error

    def free_bytes(self) -> int:
        """Memory that no process has, and what torch keeps for later use."""
        free, _ = self._torch.cuda.mem_get_info(self._device)
        kept = self._torch.cuda.memory_reserved(self._device) - self._torch.cuda.memory_allocated(self._device)
        return int(free) + int(kept)

    def stream(self) -> CudaStream:
        """A new stream."""
        return CudaStream(self.number)


class CudaStream:
    """A CUDA stream and the event behind its latest copies.

    The driver makes it, since torch hands out the same 32 again and again. Copies go straight to the driver as well, in
    a tenth of the time of a torch operation, and with the GIL held: a thread that lets go of it for two microseconds
    may wait milliseconds to get it back.
    """

    def __init__(self, card: int) -> None:
        """Make a stream on card number `card`.

        Raises:
            DeviceError: The card cannot be used.
        """
        import torch

        self._cuda = _cuda()
        self._context = _primary_context(card)
        made = ctypes.c_void_p()
        self._within(self._cuda.cuStreamCreate, ctypes.byref(made), _NON_BLOCKING)
        self.address = int(made.value or 0)
        """Of the stream."""
        self._stream = torch.cuda.ExternalStream(self.address, device=card)
        # Who waits for it waits for the copies recorded until then: one event serves all pictures of the stream.
        self._event = torch.cuda.Event()

    def copy(self, pieces: Sequence[tuple[int, int]], size: int) -> Any:
        """Have pieces copied; see `CopyStream.copy`.

        Raises:
            DeviceError: The driver refuses.
        """
        code = self._cuda.cuCtxPushCurrent_v2(self._context)
        if not code:
            for source, target in pieces:
                code = code or self._cuda.cuMemcpyDtoDAsync_v2(target, source, size, self.address)
            self._cuda.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
        if code:
            raise DeviceError(f"copying a picture failed with CUDA error {code}")
        self._event.record(self._stream)
        return self._event

    def synchronize(self) -> None:
        """Wait until all work on the stream is done."""
        self._stream.synchronize()

    def __del__(self) -> None:
        # The driver frees it when its work is done. Where making it failed there is none, and at exit no driver.
        if getattr(self, "address", 0):
            with suppress(DeviceError):
                self._within(self._cuda.cuStreamDestroy_v2, self.address)

    def _within(self, call: Any, *arguments: Any) -> None:
        """Call the driver in the card's context."""
        code = self._cuda.cuCtxPushCurrent_v2(self._context)
        if not code:
            code = call(*arguments)
            self._cuda.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
        if code:
            raise DeviceError(f"{call.__name__} failed with CUDA error {code}")


@functools.cache
def _cuda() -> ctypes.PyDLL:
    """The CUDA driver, called with the GIL held.

    Raises:
        DeviceError: There is none.
    """
    try:
        cuda = ctypes.PyDLL("libcuda.so.1")
    except OSError as error:
        raise DeviceError("no NVIDIA driver: libcuda.so.1 is missing") from error
    pointer = ctypes.c_void_p
    cuda.cuCtxPushCurrent_v2.argtypes = [pointer]
    cuda.cuCtxPopCurrent_v2.argtypes = [ctypes.POINTER(pointer)]
    cuda.cuMemcpyDtoDAsync_v2.argtypes = [ctypes.c_uint64, ctypes.c_uint64, ctypes.c_size_t, pointer]
    cuda.cuStreamCreate.argtypes = [ctypes.POINTER(pointer), ctypes.c_uint]
    cuda.cuStreamDestroy_v2.argtypes = [pointer]
    return cuda


@functools.cache
def _primary_context(card: int) -> ctypes.c_void_p:
    """The context of a card that torch, numba and NVDEC share.

    Raises:
        DeviceError: The card cannot be used.
    """
    cuda, device, context = _cuda(), ctypes.c_int(), ctypes.c_void_p()
    code = cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), card)
    code = code or cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)
    if code:
        raise DeviceError(f"card {card} cannot be used: CUDA error {code}")
    return context


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
