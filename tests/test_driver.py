"""The driver: why there is no NVDEC here, and whether a card runs kernels."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from gpu_qa.decode import DecodeSettings, driver, open_decoder
from gpu_qa.errors import DeviceError
from tests.decode_harness import opened
from tests.test_decode import clip


def probe(monkeypatch: pytest.MonkeyPatch, *, code: int = 0, cards: int = 1) -> str:
    """Why there is no NVDEC, on a machine whose driver answers so."""

    class Cuda:
        def cuInit(self, _: int) -> int:  # noqa: N802 - CUDA's name
            return code

        def cuDeviceGetCount(self, into: Any) -> int:  # noqa: N802
            into._obj.value = cards
            return 0

    monkeypatch.setattr("gpu_qa.decode.driver.ctypes.CDLL", lambda _: Cuda())
    driver._probe.cache_clear()
    try:
        with pytest.raises(DeviceError) as caught:
            driver.load_driver(0)
    finally:
        driver._probe.cache_clear()
    return str(caught.value)


def test_reasons_for_having_no_nvdec(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe(monkeypatch, code=100) == "the NVIDIA driver finds no usable card (CUDA error 100)"
    assert probe(monkeypatch, cards=0) == "there is no card 0: the driver knows 0"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert probe(monkeypatch).endswith("cannot use CUDA")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", None)
    assert probe(monkeypatch).startswith("PyNvVideoCodec is missing")
    monkeypatch.delitem(sys.modules, "PyNvVideoCodec")
    monkeypatch.setattr("sys.meta_path", [_Broken(), *sys.meta_path])
    assert probe(monkeypatch) == "PyNvVideoCodec cannot be loaded: libnvidia-encode.so.1 is missing"
    monkeypatch.setitem(sys.modules, "torch", None)
    assert probe(monkeypatch).startswith("PyTorch is missing")


class _Broken:
    """Makes the import fail as the real one does without the driver's libraries."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "PyNvVideoCodec":
            raise RuntimeError("libnvidia-encode.so.1 is missing\n\n=== TROUBLESHOOTING STEPS ===")


def test_a_card_that_runs_no_kernels_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", types.ModuleType("PyNvVideoCodec"))
    monkeypatch.setattr(driver, "kernel_problem", lambda gpu: f"no kernels on card {gpu}")
    assert probe(monkeypatch) == "no kernels on card 0"
    # As `auto` meets it: the track is decoded on the CPU, which says why.
    monkeypatch.setattr("gpu_qa.decode.nvdec.load_driver", lambda gpu: _refused_card(driver.kernel_problem(gpu)))
    with opened(clip("a.ts")) as (track, _):
        decoder = open_decoder(track, DecodeSettings(device="auto"))
    assert (decoder.name, decoder.reason) == ("pyav h264", "no kernels on card 0")


def _refused_card(reason: str) -> None:
    raise DeviceError(reason)


def test_reasons_for_running_no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba_cuda", reason="needs numba-cuda")
    from numba import cuda

    class NoCompiler:
        def __getitem__(self, gpu: int) -> None:
            raise RuntimeError("libnvvm.so cannot be found\nmore")

    monkeypatch.setattr(cuda, "gpus", NoCompiler())
    assert driver.kernel_problem(1).startswith("CUDA kernels do not run on card 1: libnvvm.so cannot be found; ")
    monkeypatch.setitem(sys.modules, "numba_cuda", None)
    assert driver.kernel_problem(0).startswith("numba-cuda is missing")


def test_the_kernel_that_is_tried_runs_in_the_simulator() -> None:
    """In a process of its own: numba decides for the simulator when it is imported."""
    pytest.importorskip("numba_cuda", reason="needs numba-cuda")
    done = subprocess.run(
        [sys.executable, "-c", "from gpu_qa.decode import driver; print(repr(driver.kernel_problem(0)))"],
        capture_output=True,
        text=True,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert done.stdout == "''\n", done.stdout + done.stderr


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr("gpu_qa.decode.driver.ctypes.CDLL", missing)
    driver._probe.cache_clear()
    with pytest.raises(DeviceError, match=r"no NVIDIA driver: libcuda\.so\.1 is missing"):
        driver.load_driver(0)
    driver._probe.cache_clear()
