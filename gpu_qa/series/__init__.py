"""What moves between measuring and telling: series, evidence, events, reports. NumPy only.

Every kind has a file of its own; all names are here. All times are seconds on the stream's own clock: 0 is the first
video frame (the first sound where there is no video). Axes: `T` time, `R, K` tile rows and columns, `C` channels.
"""

from gpu_qa.series.audio import AudioSeries
from gpu_qa.series.detector import Detector
from gpu_qa.series.event import SEVERITIES, Event, EventTiming, Severity, State
from gpu_qa.series.evidence import Evidence, constant
from gpu_qa.series.report import Curve, Report
from gpu_qa.series.spectrum import SpectrumSeries
from gpu_qa.series.stream import StreamFact, StreamSeries
from gpu_qa.series.sync import SYNC_STALE_S, SYNC_SURE, SYNC_WAYS, DelayCurve, DelayEvidence, LagEvidence, SyncSeries
from gpu_qa.series.video import VideoSeries

__all__ = [
    "SEVERITIES",
    "SYNC_STALE_S",
    "SYNC_SURE",
    "SYNC_WAYS",
    "AudioSeries",
    "Curve",
    "DelayCurve",
    "DelayEvidence",
    "Detector",
    "Event",
    "EventTiming",
    "Evidence",
    "LagEvidence",
    "Report",
    "Severity",
    "SpectrumSeries",
    "State",
    "StreamFact",
    "StreamSeries",
    "SyncSeries",
    "VideoSeries",
    "constant",
]
