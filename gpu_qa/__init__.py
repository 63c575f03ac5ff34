"""Tells what a viewer would notice in a live channel or a file: frozen, black, lost sound, broken transport.

    import gpu_qa

    report = gpu_qa.analyze("film.mp4")
    for event in report.events:
        print(event.start_s, event.kind, event.message)

    for event in gpu_qa.Analysis("srt://studio:9000"):  # each event as it opens, becomes worse, and closes
        ...

    engine = gpu_qa.Engine()  # many inputs in one process
    for address in ("studio.ts", "srt://studio:9000"):
        engine.add(address)
    for update in engine:
        ...

Names are imported when they are first used, so that `import gpu_qa` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpu_qa.analysis import Analysis, analyze
    from gpu_qa.config import DetectorSettings, Settings, load_settings
    from gpu_qa.decode import DecodeSettings
    from gpu_qa.errors import (
        AdmissionError,
        ConfigError,
        DecodeError,
        DeviceError,
        GpuQaError,
        OutputError,
        SourceError,
        SourceTimeout,
    )
    from gpu_qa.pipeline import Engine, EngineLoad, EngineSettings, Update
    from gpu_qa.series import (
        AudioSeries,
        Detector,
        Event,
        EventTiming,
        Evidence,
        Report,
        StreamFact,
        StreamSeries,
        VideoSeries,
    )
    from gpu_qa.sources import SourceSettings
    from gpu_qa.stream import Progress, StreamAnalysis

__version__ = "0.1.0"

__all__ = [
    "AdmissionError",
    "Analysis",
    "AudioSeries",
    "ConfigError",
    "DecodeError",
    "DecodeSettings",
    "Detector",
    "DetectorSettings",
    "DeviceError",
    "Engine",
    "EngineLoad",
    "EngineSettings",
    "Event",
    "EventTiming",
    "Evidence",
    "GpuQaError",
    "OutputError",
    "Progress",
    "Report",
    "Settings",
    "SourceError",
    "SourceSettings",
    "SourceTimeout",
    "StreamAnalysis",
    "StreamFact",
    "StreamSeries",
    "Update",
    "VideoSeries",
    "__version__",
    "analyze",
    "load_settings",
]

_HOMES = {
    "gpu_qa.analysis": ("Analysis", "analyze"),
    "gpu_qa.config": ("DetectorSettings", "Settings", "load_settings"),
    "gpu_qa.decode": ("DecodeSettings",),
    "gpu_qa.errors": (
        "AdmissionError",
        "ConfigError",
        "DecodeError",
        "DeviceError",
        "GpuQaError",
        "OutputError",
        "SourceError",
        "SourceTimeout",
    ),
    "gpu_qa.pipeline": ("Engine", "EngineLoad", "EngineSettings", "Update"),
    "gpu_qa.series": (
        "AudioSeries",
        "Detector",
        "Event",
        "EventTiming",
        "Evidence",
        "Report",
        "StreamFact",
        "StreamSeries",
        "VideoSeries",
    ),
    "gpu_qa.sources": ("SourceSettings",),
    "gpu_qa.stream": ("Progress", "StreamAnalysis"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
