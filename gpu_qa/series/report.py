"""All that is known of one input in the end, and the curves that show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from gpu_qa.series.event import Event
    from gpu_qa.series.sync import DelayEvidence, LagEvidence


@dataclass(frozen=True, slots=True)
class Curve:
    """A measured series over the whole stream, thinned to a bounded number of bins."""

    name: str
    """Such as `change`."""
    label: str
    """For people, such as `Change between frames`."""
    unit: str
    pts_s: np.ndarray
    """float64 [B]: start of the bin."""
    low: np.ndarray
    """float32 [B]: smallest value in the bin."""
    high: np.ndarray
    """float32 [B]: largest value in the bin."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that is known of one input once it has ended or was stopped."""

    stream: str
    """Name of the stream: the input as given, without credentials."""
    media: dict[str, Any]
    """JSON: container, duration, tracks, what was ignored and why; empty where the input could not be opened."""
    events: tuple[Event, ...]
    """In order of `start_s`; all closed."""
    measurements: dict[str, Any]
    """JSON: what was measured even where nothing is wrong; null values have a reason under `NAME_reason`."""
    curves: tuple[Curve, ...]
    thumbnails: dict[str, bytes]
    """Event id → JPEG of the frame where the event began, or of the sound around that moment."""
    settings: dict[str, Any]
    """JSON: the settings used."""
    error: str | None = None
    """Why the input could not be analyzed, or not to its end; null where it could."""
    lags: LagEvidence | None = None
    """What the last A/V offset by content was chosen from; null where there is none."""
    delays: DelayEvidence | None = None
    """What the last A/V offset by reference was chosen from; null where there is none."""
    thumbnail_s: dict[str, float] = field(default_factory=dict)
    """Event id → when the frame of its thumbnail was shown, in seconds: the start of an event that is told late may be
    gone. Not of those of the sound."""

    @property
    def exit_code(self) -> int:
        """0 clean, 1 defects found, 2 could not analyze. Events of severity `info` are no defects.

        Defects count even where the input failed afterwards, but not where nothing of it could be analyzed: they then
        say no more than the error.
        """
        if self.error is not None and self.measurements.get("analyzed_s") == 0:
            return 2
        if any(event.severity != "info" for event in self.events):
            return 1
        return 2 if self.error is not None else 0
