"""How inputs are opened and read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gpu_qa.sources.address import PROTOCOLS


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How an input is opened, which of its tracks are read, and how long to wait for it."""

    open_timeout_s: float = 10.0
    """An input must be open, its tracks known, after this many seconds."""
    read_timeout_s: float = 10.0
    """The longest wait for the next packet; also for each single request that HLS and DASH are fetched with."""
    segment_timeout_s: float = 30.0
    """The longest wait for the next packet of an HLS or DASH input, which come in bursts, a segment at a time.
    `read_timeout_s` counts where it is longer."""
    probe_size: int | None = None
    """Bytes read to find the tracks; null is libavformat's default of 5 000 000."""
    analyze_s: float | None = None
    """Seconds of stream read to find the tracks' parameters; null is libavformat's default, which is about 5."""
    video_track: int | None = None
    """Index of the video track in its container; null is the first of the programme."""
    audio_tracks: Literal["first", "all"] | tuple[int, ...] = "first"
    """Which audio tracks of the programme, or the indices of any; an empty tuple is none."""
    program: int | None = None
    """Programme number of an MPEG-TS, number of the variant of an HLS master playlist or of the video representation
    of a DASH manifest. Null is the first programme with picture and sound; of variants, the largest picture."""
    live: bool | None = None
    """Whether the input has no end known ahead. Null: UDP, RTP and SRT are live, files and pipes are not, other
    inputs are where they state no duration."""
    real_time: bool = False
    """Whether an input that is not live is delivered no faster than it plays, and treated as live: for rehearsals and
    benchmarks."""
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    """How an RTSP server is asked to deliver. TCP passes firewalls and loses nothing."""
    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    """The protocols that an address, and what a playlist names, may use. To serve callers who are not trusted, leave
    out `file`, and whatever else they have no business with."""

    def __post_init__(self) -> None:
        for name in ("open_timeout_s", "read_timeout_s", "segment_timeout_s"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} must be a positive number of seconds, not {value}")
        if self.probe_size is not None and self.probe_size < 32:
            raise ValueError("probe_size must be 32 bytes or more")
        if self.analyze_s is not None and not (self.analyze_s >= 0 and math.isfinite(self.analyze_s)):
            raise ValueError("analyze_s must be 0 or more seconds")
        if self.rtsp_transport not in ("tcp", "udp"):
            raise ValueError("rtsp_transport must be tcp or udp")
        if isinstance(self.audio_tracks, str) and self.audio_tracks not in ("first", "all"):
            raise ValueError('audio_tracks must be "first", "all" or a tuple of track indices')
        unknown = sorted(set(self.protocols) - set(PROTOCOLS))
        if unknown:
            raise ValueError(f"protocols not known: {', '.join(unknown)}; known are {', '.join(PROTOCOLS)}")
