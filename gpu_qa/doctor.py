"""Doctor: what this machine can do, what is missing, and what helps. It looks and tries; it changes nothing."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gpu_qa.diagnosis import Diagnosis, Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_qa.diagnosis import Area

    _Look = tuple["Area", str, Callable[[], "Finding"]]

DECODERS = ("h264", "hevc", "mpeg2video", "av1", "vp9", "aac", "ac3", "eac3", "mp2", "mp3", "opus")
"""libavcodec's names of what channels and files are mostly made of."""
PROTOCOLS = ("file", "pipe", "http", "https", "rtmp", "rtp", "udp", "tcp", "tls")
"""libavformat's protocols that inputs come by; SRT comes through its own program."""
DEMUXERS = ("mpegts", "mov", "matroska", "flv", "hls", "rtsp")
"""libavformat's readers; DASH is read without one."""
GPU_EXTRA = "pip install 'gpu-qa[gpu]'"


def diagnose(*, compile_kernels: bool = False) -> Diagnosis:
    """Look at everything. A look that fails is a finding, not an exception.

    Args:
        compile_kernels: Also have every kernel for the CPU compiled and kept, where the trial needs only some.
    """
    findings: list[Finding] = []
    # Before the trial, which compiles some of them too: the time told is that of all.
    looks: tuple[_Look, ...] = (("cpu", "kernels", _kernels), *_LOOKS) if compile_kernels else _LOOKS
    for area, name, look in looks:
        try:
            findings.append(look())
        except Exception as error:  # noqa: BLE001 - a fault of any kind is a finding
            detail = f"could not be looked at: {type(error).__name__}: {error}"
            findings.append(Finding(area, name, "broken", " ".join(detail.split())))
    if not Diagnosis(tuple(findings)).works("gpu"):
        return Diagnosis(tuple(findings))
    return Diagnosis((*findings, _trial("cuda")))


def _machine() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    system = f"{platform.system()} {platform.machine()}"
    detail = f"{system}, {cores} CPU {'core' if cores == 1 else 'cores'} to use, Python {platform.python_version()}"
    data = {"cpu_cores": cores, "python": platform.python_version(), "system": system}
    return Finding("machine", "machine", "ok", detail, data=data)


def _pyav() -> Finding:
    import av

    libraries = {name: ".".join(map(str, version)) for name, version in av.library_versions.items()}
    ffmpeg = getattr(av, "ffmpeg_version_info", "unknown")
    missing = [name for name in DECODERS if name not in av.codecs_available]
    data = {"pyav": av.__version__, "ffmpeg": ffmpeg, "libraries": libraries, "decoders_missing": missing}
    detail = f"PyAV {av.__version__} with FFmpeg {ffmpeg}"
    if missing:
        remedy = "install PyAV's own wheel, which brings them: pip install --force-reinstall --only-binary av av"
        return Finding("cpu", "decoding", "missing", f"{detail}, no decoder for {', '.join(missing)}", remedy, data)
    return Finding("cpu", "decoding", "ok", f"{detail}; decodes {', '.join(DECODERS)} and others", data=data)


def _numba() -> Finding:
    version = metadata.version("numba")
    folder = _cache_folder()
    if folder is None:
        return Finding(
            "cpu",
            "compiling",
            "ok",
            f"numba {version}; its cache cannot be written, so that every start compiles anew",
            "set NUMBA_CACHE_DIR to a folder that can be written and stays",
            {"numba": version, "cache": None},
        )
    data = {"numba": version, "cache": str(folder)}
    return Finding("cpu", "compiling", "ok", f"numba {version}, machine code kept under {folder}", data=data)


def _kernels() -> Finding:
    """Measure tiny pictures and a sample of sound, which compiles the kernels or loads them."""
    from gpu_qa.features import prepare

    started_s = time.perf_counter()
    prepare(8, 10, sync=True)
    took_s = round(time.perf_counter() - started_s, 1)
    detail = f"for pictures of 8 and 10 bits and for sound: ready after {took_s} s"
    return Finding("cpu", "kernels", "ok", detail, data={"ready_after_s": took_s})


def _cache_folder() -> Path | None:
    """Where numba keeps machine code of the kernels: its own order is the variable, beside the source, the user's."""
    import gpu_qa_kernels

    beside = Path(next(iter(gpu_qa_kernels.__path__))) / "__pycache__"
    named = os.environ.get("NUMBA_CACHE_DIR")
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba"
    return next((folder for folder in ([Path(named)] if named else [beside, users]) if _writable(folder)), None)


def _writable(folder: Path) -> bool:
    """Whether a file can be made in the folder, or in the nearest one above it that exists."""
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _trial_on_cpu() -> Finding:
    return _trial("cpu")


def _trial(device: Literal["cpu", "cuda"]) -> Finding:
    """Analyze a clip of a second: what proves more than any version."""
    from gpu_qa.analysis import analyze
    from gpu_qa.config import Settings
    from gpu_qa.decode import DecodeSettings

    area: Area = "cpu" if device == "cpu" else "gpu"
    remedy = "report this with the output of `gpu-qa doctor --format json`"
    try:
        with tempfile.TemporaryDirectory(prefix="gpu-qa-") as folder:
            clip = Path(folder) / "trial.mp4"
            _make_clip(clip)
            report = analyze(str(clip), Settings(decode=DecodeSettings(device=device)))
    except Exception as error:  # noqa: BLE001 - a fault of any kind is a finding
        return Finding(area, "trial", "broken", f"analyzing a clip failed: {type(error).__name__}: {error}", remedy)
    frames = report.measurements.get("frames_decoded")
    if report.error is not None or frames != _CLIP_FRAMES:
        detail = report.error or f"only {frames} of {_CLIP_FRAMES} pictures came out"
        return Finding(area, "trial", "broken", f"analyzing a clip failed: {detail}", remedy)
    return Finding(area, "trial", "ok", f"a clip of {_CLIP_FRAMES} pictures with sound was analyzed")


_CLIP_FRAMES = 25


def _make_clip(path: Path) -> None:
    """A second of moving picture and tone, of a size that every hardware decoder takes."""
    import av
    import numpy as np

    width, height, sample_rate = 320, 192, 48_000
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=_CLIP_FRAMES, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = out.add_stream("aac", rate=sample_rate)
        audio.layout = "stereo"
        for index in range(_CLIP_FRAMES):
            planes = np.full((height * 3 // 2, width), 128, np.uint8)
            planes[:height] = 16 + (across * 3 + down * 2 + index * 9) % 220
            out.mux(video.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
        t_s = np.arange(sample_rate) / sample_rate
        tone = (0.25 * np.sin(2 * np.pi * 440 * t_s)).astype(np.float32)
        sound = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
        sound.sample_rate = sample_rate
        out.mux(audio.encode(sound))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))


def _protocols() -> Finding:
    spoken = _libav_protocols()
    missing = [name for name in PROTOCOLS if name not in spoken]
    missing += [name for name in DEMUXERS if not _reads(name)]
    data = {"protocols": sorted(spoken), "missing": missing}
    if missing:
        remedy = "install PyAV's own wheel, which brings them: pip install --force-reinstall --only-binary av av"
        return Finding("inputs", "protocols", "missing", f"FFmpeg was built without {', '.join(missing)}", remedy, data)
    return Finding("inputs", "protocols", "ok", "files, pipes, HTTP, HLS, DASH, RTMP, RTSP, RTP, UDP", data=data)


def _reads(name: str) -> bool:
    """Whether libavformat has a reader of that name; `formats_available` lists writers too."""
    from av.format import ContainerFormat

    try:
        return bool(ContainerFormat(name, "r").is_input)
    except ValueError:
        return False


def _libav_protocols() -> set[str]:
    """The protocols of the libavformat that PyAV is linked with, by its own list (avio_enum_protocols)."""
    import av.container.core

    library = ctypes.CDLL(av.container.core.__file__)
    enumerate_protocols = library.avio_enum_protocols
    enumerate_protocols.restype = ctypes.c_char_p
    enumerate_protocols.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int]
    state = ctypes.c_void_p()
    names: set[str] = set()
    while (name := enumerate_protocols(ctypes.byref(state), 0)) is not None:
        names.add(name.decode())
    return names


def _srt() -> Finding:
    program = shutil.which("srt-live-transmit")
    if program is None:
        remedy = "install srt-live-transmit (Debian and Ubuntu: apt install srt-tools)"
        return Finding("inputs", "SRT", "missing", "srt-live-transmit is not on the PATH", remedy)
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=10, check=False)
    words = (answer.stdout + answer.stderr).split("version:", 1)
    version = words[1].split()[0] if len(words) == 2 else "of unknown version"
    return Finding("inputs", "SRT", "ok", f"srt-live-transmit {version} at {program}", data={"version": version})


def _gpu() -> Finding:
    cuda = _cuda()
    count, version = ctypes.c_int(), ctypes.c_int()
    if cuda is not None:
        cuda.cuDeviceGetCount(ctypes.byref(count))
    if cuda is None or count.value == 0:
        remedy = "install the card's driver and see what nvidia-smi says; in a container: run it with --gpus all"
        return Finding("gpu", "card", "missing", _why_no_card(), remedy)
    cards = [_card(cuda, index) for index in range(count.value)]
    cuda.cuDriverGetVersion(ctypes.byref(version))
    cuda_version = f"{version.value // 1000}.{version.value % 1000 // 10}"
    driver = _driver_version()
    detail = ", ".join(f"{card['name']} ({card['memory_gib']} GiB)" for card in cards)
    data = {"cards": cards, "driver": driver, "cuda": cuda_version}
    return Finding("gpu", "card", "ok", f"{detail}; driver {driver or 'unknown'}, CUDA up to {cuda_version}", data=data)


def _cuda() -> ctypes.CDLL | None:
    """The driver's library, ready to be asked of its cards; null where it cannot be used."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    return None if cuda.cuInit(0) else cuda


def _why_no_card() -> str:
    """Why the decoder finds none, in its own words: an analysis on the card fails with the same."""
    from gpu_qa.decode.driver import load_driver
    from gpu_qa.errors import DeviceError

    try:
        load_driver(0)
    except DeviceError as error:
        return str(error)
    return "no NVIDIA card"


def _card(cuda: ctypes.CDLL, index: int) -> dict[str, Any]:
    name = ctypes.create_string_buffer(256)
    memory = ctypes.c_size_t()
    cuda.cuDeviceGetName(name, len(name), index)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), index)
    return {"name": name.value.decode("utf-8", "replace"), "memory_gib": round(memory.value / 2**30, 1)}


def _driver_version() -> str | None:
    """The driver's version as NVML tells it; null where NVML is missing."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    text = ctypes.create_string_buffer(96)
    if nvml.nvmlInit_v2() != 0 or nvml.nvmlSystemGetDriverVersion(text, len(text)) != 0:
        return None
    return text.value.decode("ascii", "replace")


def _nvdec() -> Finding:
    for library in ("libnvcuvid.so.1", "libnvidia-encode.so.1"):
        try:
            ctypes.CDLL(library)
        except OSError:
            remedy = (
                "install the driver's video libraries (Debian: libnvcuvid1, libnvidia-encode1); in a container: set "
                "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video"
            )
            return Finding("gpu", "NVDEC", "missing", f"{library} is not there", remedy)
    from gpu_qa.decode.driver import load_driver
    from gpu_qa.errors import DeviceError

    try:
        driver = load_driver(0)
    except DeviceError as error:
        return Finding("gpu", "NVDEC", "broken", str(error), f"{GPU_EXTRA}, and see the other findings")
    decodes = _nvdec_codecs(driver)
    words = ", ".join(f"{codec} ({' and '.join(map(str, depths))} bits)" for codec, depths in decodes.items())
    if not decodes:
        return Finding("gpu", "NVDEC", "broken", "this card decodes nothing", "see what nvidia-smi says of the card")
    return Finding("gpu", "NVDEC", "ok", f"decodes {words}", data={"decodes": decodes})


def _nvdec_codecs(driver: Any) -> dict[str, list[int]]:
    """What the first card decodes at 1080p and 4:2:0 by libavcodec's names, with the depths in bits."""
    from gpu_qa.decode.driver import CODECS, check_support
    from gpu_qa.decode.headers import Header
    from gpu_qa.errors import DeviceError

    decodes: dict[str, list[int]] = {}
    for codec in CODECS:
        for depth in (8, 10):
            try:
                check_support(driver, 0, codec, Header(1920, 1080, 1, depth))
            except DeviceError:
                continue
            decodes.setdefault(codec, []).append(depth)
    return decodes


def _package(name: str, why: str) -> Callable[[], Finding]:
    def look() -> Finding:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            return Finding("gpu", name, "missing", f"not installed; {why}", GPU_EXTRA)
        return Finding("gpu", name, "ok", version, data={"version": version})

    return look


_LOOKS: tuple[_Look, ...] = (
    ("machine", "machine", _machine),
    ("cpu", "decoding", _pyav),
    ("cpu", "compiling", _numba),
    ("cpu", "trial", _trial_on_cpu),
    ("inputs", "protocols", _protocols),
    ("inputs", "SRT", _srt),
    ("gpu", "card", _gpu),
    ("gpu", "PyNvVideoCodec", _package("PyNvVideoCodec", "it decodes on the card")),
    ("gpu", "numba-cuda", _package("numba-cuda", "it compiles the kernels for the card")),
    ("gpu", "torch", _package("torch", "it holds pictures in the card's memory")),
    ("gpu", "NVDEC", _nvdec),
)
