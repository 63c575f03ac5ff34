"""Format change: for information, and a warning where the picture's size changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gpu_qa.detectors.format_change import FORMAT_CHANGE, FormatChangeLimits
from gpu_qa.events import TrackerState, track
from tests.series_builder import fact, stream_series, weighed

if TYPE_CHECKING:
    from gpu_qa.series import Event


def event(old: Any, new: Any, *, of: str = "video", limits: FormatChangeLimits | None = None) -> Event:
    series = stream_series(60.0, fact("format_change", 8.0, track=of, old=old, new=new))
    (evidence,) = weighed(FORMAT_CHANGE, [series], limits)
    _, (_, closed) = track(TrackerState("s"), evidence, FORMAT_CHANGE.timing)
    return closed


@pytest.mark.parametrize(
    ("old", "new", "severity"),
    [
        ({"width": 1920, "height": 1080}, {"width": 1280, "height": 720}, "warn"),
        ({"height": 576}, {"height": 480}, "warn"),
        ({"color_range": "limited"}, {"color_range": "full"}, "info"),
        ({"width": 720, "pixel_format": "yuv420p"}, {"width": 720, "pixel_format": "yuv422p"}, "info"),
        (None, None, "info"),
    ],
)
def test_only_another_size_is_a_defect(old: Any, new: Any, severity: str) -> None:
    told = event(old, new)
    assert (told.severity, told.start_s, told.end_s) == (severity, 8.0, 8.0)
    assert told.details == {"track": "video", "old": old, "new": new, "text": "format_change at 8.0"}
    assert told.message == "format_change at 8.0"


def test_another_size_may_be_allowed() -> None:
    told = event({"width": 1920}, {"width": 1280}, limits=FormatChangeLimits(size_is_defect=False))
    assert (told.severity, told.value) == ("info", 1.0)


def test_sound_is_for_information() -> None:
    told = event({"sample_rate": 48_000}, {"sample_rate": 44_100}, of="audio")
    assert (told.severity, told.details["track"]) == ("info", "audio")
