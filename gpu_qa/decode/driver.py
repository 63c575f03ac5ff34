"""Driver: whether NVDEC can be used here and for which streams, and if not, why."""

from __future__ import annotations

import ctypes
import functools
import logging
from typing import TYPE_CHECKING, Any

from gpu_qa.decode.card import first_line
from gpu_qa.errors import DeviceError

if TYPE_CHECKING:
    from gpu_qa.decode.headers import Header

CODECS = {
    "h264": "H264",
    "hevc": "HEVC",
    "av1": "AV1",
    "vp8": "VP8",
    "vp9": "VP9",
    "mpeg1video": "MPEG1",
    "mpeg2video": "MPEG2",
}
"""libavcodec's name → PyNvVideoCodec's. MPEG-4 part 2 and VC-1, whose headers are kept out of band, stay on the CPU."""
_CHROMA = {0: "Monochrome", 1: "420", 2: "422", 3: "444"}
"""chroma_format_idc → PyNvVideoCodec's name."""

_capabilities: dict[tuple[Any, ...], dict[str, int]] = {}
"""Each question costs the making of a CUDA context."""


def load_driver(gpu: int) -> Any:
    """The module PyNvVideoCodec, once it is sure that card number `gpu` can be used.

    Raises:
        DeviceError: It cannot: no card, no driver, a library is missing, or kernels do not run.
    """
    module, problem = _probe(gpu)
    if problem:
        raise DeviceError(problem)
    return module


@functools.cache
def _probe(gpu: int) -> tuple[Any, str]:
    """The module, or why there is none.

    Cheap questions first: without a driver nothing heavy is imported. PyNvVideoCodec ends the whole process where CUDA
    fails under it, so it is called only after others have found CUDA working.
    """
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None, "no NVIDIA driver: libcuda.so.1 is missing"
    count = ctypes.c_int()
    code = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count))
    if code:
        return None, f"the NVIDIA driver finds no usable card (CUDA error {code})"
    if gpu >= count.value:
        return None, f"there is no card {gpu}: the driver knows {count.value}"
    try:
        import torch
    except ImportError as error:
        return None, f"PyTorch is missing ({first_line(error)}); pip install 'gpu-qa[gpu]'"
    if not torch.cuda.is_available():
        return None, f"PyTorch {torch.__version__} cannot use CUDA"
    # Its import complains through logging, which would print.
    logging.getLogger("PyNvVideoCodec").addHandler(logging.NullHandler())
    try:
        import PyNvVideoCodec
    except ImportError as error:
        return None, f"PyNvVideoCodec is missing ({first_line(error)}); pip install 'gpu-qa[gpu]'"
    except Exception as error:  # noqa: BLE001 - it raises whatever its libraries do
        return None, f"PyNvVideoCodec cannot be loaded: {first_line(error)}"
    return PyNvVideoCodec, kernel_problem(gpu)


def kernel_problem(gpu: int) -> str:
    """Why kernels, which measure what NVDEC decodes, do not run on card number `gpu`; empty where they do.

    Only trying tells: compiling needs libraries that numba-cuda installs without, and a driver as new as they are.
    """
    try:
        import numba_cuda  # noqa: F401 - it takes the place of numba's own, older `numba.cuda`

        from gpu_qa.decode.trial import counts_right
    except ImportError as error:
        return f"numba-cuda is missing ({first_line(error)}); pip install 'gpu-qa[gpu]'"
    except Exception as error:  # noqa: BLE001 - it raises whatever its libraries do
        return f"numba-cuda cannot be loaded: {first_line(error)}"

    try:
        right = counts_right(gpu)
    except Exception as error:  # noqa: BLE001 - numba's, NVVM's, the linker's and the driver's, by any name
        return f"CUDA kernels do not run on card {gpu}: {first_line(error)}; which packages they need: docs/hardware.md"
    return "" if right else f"CUDA kernels compute wrong results on card {gpu}"


def check_support(driver: Any, gpu: int, codec: str, header: Header) -> None:
    """Ask the card whether it decodes such pictures.

    Args:
        driver: The module PyNvVideoCodec.
        gpu: Number of the card.
        codec: libavcodec's name.
        header: Size, subsampling and depth of the pictures.

    Raises:
        DeviceError: It does not.
    """
    if codec not in CODECS:
        raise DeviceError(f"NVDEC is not used for {codec}")
    key = (driver, gpu, codec, header.chroma, header.bit_depth)
    found = _capabilities.get(key)
    if found is None:
        try:
            found = driver.GetDecoderCaps(
                gpuid=gpu,
                codec=getattr(driver.cudaVideoCodec, CODECS[codec]),
                chromaformat=getattr(driver.cudaVideoChromaFormat, _CHROMA[header.chroma]),
                bitdepth=header.bit_depth,
            )
        except Exception as error:  # RuntimeError or its own, by the library's whim
            raise DeviceError(f"the card does not tell what it decodes: {first_line(error)}") from error
        _capabilities[key] = found
    what = f"{codec} {_CHROMA[header.chroma]} of {header.bit_depth} bits"
    if not found.get("supported") or not found.get("num_decoder_engines", 1):
        raise DeviceError(f"this card's NVDEC does not decode {what}")
    low = (found.get("width_min", 0), found.get("height_min", 0))
    high = (found.get("width_max", header.width), found.get("height_max", header.height))
    blocks = -(-header.width // 16) * -(-header.height // 16)
    if not (low[0] <= header.width <= high[0] and low[1] <= header.height <= high[1]) or blocks > found.get(
        "mb_num_max", blocks
    ):
        raise DeviceError(
            f"this card's NVDEC decodes {what} from {low[0]}×{low[1]} to {high[0]}×{high[1]}, "
            f"not {header.width}×{header.height}"
        )
