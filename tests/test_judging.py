"""Judging: each detector that runs gets its own series, remembers, and its events are opened and closed."""

from __future__ import annotations

import dataclasses

import numpy as np

from gpu_qa.config import Settings, default_detectors
from gpu_qa.detectors.loudness import LoudnessLimits
from gpu_qa.judging import Judging
from tests.series_builder import TILES, audio_series, cut, joined, video_series

BLACK = joined(
    video_series(50),
    video_series(
        100, start_s=2.0, luma=np.zeros(TILES), luma_std=0.003, chroma=(0.0, 0.0), change=0.0, gradient=0.0, first=False
    ),
)
"""Two seconds of picture, then four of black."""


def test_only_detectors_that_read_a_series_are_asked() -> None:
    judging = Judging("one", Settings().select(["silence", "black"]))
    assert [kind for kind in ("video", "audio", "spectrum", "sync", "stream") if judging.reads(kind)] == [
        "video",
        "audio",
    ]
    told = judging.weigh("video", BLACK, 6.0)
    assert [(event.kind, event.state, event.start_s) for event in told] == [("video.black", "open", 2.0)]
    assert judging.weigh("stream", None, 6.0) == []


def test_what_was_seen_is_remembered_from_series_to_series() -> None:
    judging = Judging("one", Settings().select(["black"]))
    told = [event for part in cut(BLACK, range(9, 150, 9)) for event in judging.weigh("video", part, part.end_s[-1])]
    assert [(event.kind, event.state, event.start_s) for event in told] == [("video.black", "open", 2.0)]
    (closed,) = judging.close(6.0)
    assert (closed.id, closed.state, closed.end_s) == (told[0].id, "closed", 6.0)


def test_events_bear_the_name_that_the_stream_has_got() -> None:
    judging = Judging("input", Settings().select(["black"]))
    judging.rename("studio")
    (event,) = judging.weigh("video", BLACK, 6.0)
    assert judging.stream == event.stream == "studio"


def test_a_whole_programme_is_judged_at_its_end() -> None:
    loudness = dataclasses.replace(default_detectors()["loudness"], limits=LoudnessLimits(target_lufs=-23.0))
    judging = Judging("one", Settings(detectors={"loudness": loudness}))
    assert judging.weigh("audio", audio_series(5.0, rms_dbfs=-35.0), 5.0) == []
    (told,) = judging.conclude()
    assert (told.kind, told.state, told.start_s) == ("audio.loudness", "open", 0.0)
    (closed,) = judging.close(5.0)
    assert (closed.id, closed.end_s) == (told.id, 5.0)
