"""Pool: device memory for pictures, in slots that come back when the pictures are dropped."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from gpu_qa.errors import DeviceError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_ALIGNMENT = 512
"""Bytes: what cudaMalloc aligns to, enough for any vector load."""


class Device(Protocol):
    """A card as the decoder and the pool use it."""

    @property
    def stream(self) -> int:
        """Address of the CUDA stream that decoding and copying run on; never the NULL stream, which waits for all."""

    def memory(self, size: int) -> Any:
        """A new 1-D uint8 torch tensor of `size` bytes."""

    def view(self, address: int, size: int) -> Any:
        """A 1-D uint8 torch tensor of foreign memory, which must outlive it."""

    def ordered(self) -> AbstractContextManager[Any]:
        """Within it, torch works on `stream`."""

    def synchronize(self) -> None:
        """Wait until all work on `stream` is done."""


class CudaDevice:
    """A card with a stream of its own."""

    def __init__(self, gpu: int) -> None:
        """Open card number `gpu`.

        Raises:
            DeviceError: The card cannot be used.
        """
        import torch

        self._torch = torch
        try:
            self._device = torch.device("cuda", gpu)
            self._stream = torch.cuda.Stream(self._device)
        except RuntimeError as error:
            raise DeviceError(f"card {gpu} cannot be used: {first_line(error)}") from error

    @property
    def stream(self) -> int:
        """Address of the stream."""
        return int(self._stream.cuda_stream)

    def memory(self, size: int) -> Any:
        """A new 1-D uint8 tensor on the card.

        Raises:
            DeviceError: The card's memory is full.
        """
        try:
            return self._torch.empty(size, dtype=self._torch.uint8, device=self._device)
        except RuntimeError as error:
            raise DeviceError(f"no room for {size >> 20} MiB of pictures on {self._device}") from error

    def view(self, address: int, size: int) -> Any:
        """A 1-D uint8 tensor of foreign memory on the card."""
        return self._torch.as_tensor(_Foreign(address, size), device=self._device)

    def ordered(self) -> AbstractContextManager[Any]:
        """Within it, torch works on this device's stream."""
        return self._torch.cuda.stream(self._stream)  # type: ignore[no-any-return]

    def synchronize(self) -> None:
        """Wait until all work on the stream is done."""
        self._stream.synchronize()


class _Foreign:
    """Memory at an address, in the form that torch takes it (CUDA array interface, version 3)."""

    def __init__(self, address: int, size: int) -> None:
        self.__cuda_array_interface__ = {
            "shape": (size,),
            "typestr": "|u1",
            "data": (address, False),
            "version": 3,
        }


class Slot:
    """Room for one picture. It goes back to the pool when the last reference to it is dropped."""

    __slots__ = ("_free", "_number", "offset")

    def __init__(self, free: deque[int], number: int, offset: int) -> None:
        self._free = free
        self._number = number
        self.offset = offset
        """Bytes from the start of the pool."""

    def __del__(self) -> None:
        self._free.append(self._number)


class FramePool:
    """One block of device memory, cut into equal slots. Slots may be dropped in any thread."""

    def __init__(self, device: Device, slots: int, slot_bytes: int) -> None:
        """Take the memory.

        Raises:
            DeviceError: There is not enough.
        """
        import torch

        self.slot_bytes = -(-slot_bytes // _ALIGNMENT) * _ALIGNMENT
        self._slots = slots
        self.bytes = device.memory(slots * self.slot_bytes)
        """1-D uint8 tensor of the whole block."""
        self.words = self.bytes.view(torch.uint16)
        """The same as uint16."""
        self._free: deque[int] = deque(range(slots))

    @property
    def free(self) -> int:
        """Slots that are not taken."""
        return len(self._free)

    def take(self) -> Slot:
        """A free slot.

        Raises:
            DeviceError: All are taken: the caller holds too many pictures, or the pool is too small for it.
        """
        try:
            number = self._free.popleft()
        except IndexError:
            raise DeviceError(
                f"all {self._slots} pictures of the device pool are still held; "
                "let go of pictures sooner or raise decode.pool_frames"
            ) from None
        return Slot(self._free, number, number * self.slot_bytes)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
