"""The driver's calls behind a decoder's copies, against a driver that checks how it is called."""

from __future__ import annotations

import ctypes
import gc
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from gpu_qa.decode import card
from gpu_qa.decode.card import CudaStream
from gpu_qa.errors import DeviceError

CONTEXT, STREAM = 0x7F00_1122_3300, 0x7F00_AABB_CCD0


class Driver:
    """CUDA's calls on host memory: wrong without a context, on another stream, or where `code` says so."""

    def __init__(self) -> None:
        self.current: list[int] = []
        self.calls: list[str] = []
        self.code = 0

    def cuCtxPushCurrent_v2(self, context: Any) -> int:  # noqa: N802 - CUDA's names
        self.current.append(context.value)
        return 0

    def cuCtxPopCurrent_v2(self, into: Any) -> int:  # noqa: N802
        into._obj.value = self.current.pop()
        return 0

    def cuStreamCreate(self, into: Any, flags: int) -> int:  # noqa: N802
        into._obj.value = STREAM
        return 0 if self.current == [CONTEXT] and flags == 1 else 201

    def cuStreamDestroy_v2(self, stream: int) -> int:  # noqa: N802
        self.calls.append("destroyed")
        return 0 if self.current == [CONTEXT] and stream == STREAM else 201

    def cuMemcpyDtoDAsync_v2(self, target: int, source: int, size: int, stream: int) -> int:  # noqa: N802
        if self.code or self.current != [CONTEXT] or stream != STREAM:
            return self.code or 201
        self.calls.append("copied")
        ctypes.memmove(target, source, size)
        return 0


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    made = Driver()
    event = SimpleNamespace(record=lambda stream: made.calls.append(f"recorded on {stream.cuda_stream:x}"))
    monkeypatch.setattr(card, "_cuda", lambda: made)
    monkeypatch.setattr(card, "_primary_context", lambda number: ctypes.c_void_p(CONTEXT))
    monkeypatch.setattr(
        torch.cuda, "ExternalStream", lambda address, device: SimpleNamespace(cuda_stream=address), raising=False
    )
    monkeypatch.setattr(torch.cuda, "Event", lambda: event)
    return made


def test_pieces_are_copied_in_the_cards_context_and_the_event_comes_behind(driver: Driver) -> None:
    stream = CudaStream(0)
    assert stream.address == STREAM
    source, target = (ctypes.c_ubyte * 64)(*range(64)), (ctypes.c_ubyte * 64)()
    at, to = ctypes.addressof(source), ctypes.addressof(target)
    event = stream.copy([(at, to), (at, to + 32)], 32)
    assert bytes(target) == bytes(range(32)) * 2
    assert driver.calls == ["copied", "copied", f"recorded on {STREAM:x}"]
    # One event for all of the stream's copies.
    assert stream.copy([(at, to)], 8) is event
    del stream
    gc.collect()
    assert driver.calls[-1] == "destroyed"
    assert driver.current == []


def test_a_copy_that_fails_says_so_and_leaves_the_context(driver: Driver) -> None:
    stream = CudaStream(0)
    driver.code = 719
    with pytest.raises(DeviceError, match="copying a picture failed with CUDA error 719"):
        stream.copy([(0, 0), (0, 0)], 8)
    assert (driver.current, driver.calls) == ([], [])
