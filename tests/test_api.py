"""The package's own names: few, sorted, and imported when they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gpu_qa
from gpu_qa import _HOME_OF

ROOT = Path(__file__).parents[1]

NAMES = [
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


def test_the_public_names_are_these() -> None:
    assert gpu_qa.__all__ == NAMES == sorted(NAMES)
    assert set(NAMES) - {"__version__"} == set(_HOME_OF)
    assert set(dir(gpu_qa)) >= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there(name: str) -> None:
    value = getattr(gpu_qa, name)
    assert name == "__version__" or value.__module__.startswith(_HOME_OF[name])


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'gpu_qa' has no attribute 'analyse'"):
        gpu_qa.analyse  # noqa: B018 - looking is the test


def test_importing_the_package_costs_nothing() -> None:
    program = (
        "import sys; before = set(sys.modules); import gpu_qa; "
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "['gpu_qa']"


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert (ROOT / "gpu_qa" / "py.typed").exists()
