"""One answer of all ways to know the A/V offset, in measurements, curve and events."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gpu_qa
import gpu_qa.stream_sync
from gpu_qa.catalogue import catalogue
from gpu_qa.config import Settings, override
from gpu_qa.detectors.av_offset import weigh
from gpu_qa.features import Measured
from gpu_qa.inject.writer import Coding
from gpu_qa.series import SYNC_SURE, LagEvidence, SyncSeries
from gpu_qa.sinks.lag_view import HEIGHT, WIDTH, lag_view
from gpu_qa.sinks.sync import SyncRecorder
from gpu_qa.stream_sync import StreamSync
from gpu_qa.sync.listener import Listener
from gpu_qa.sync_clip import SyncClip, write_sync_clip
from tests.clips import make_clip

if TYPE_CHECKING:
    from pathlib import Path


def answers(way: Any, *told: tuple[float, float]) -> SyncSeries:
    """Offsets and confidences, one every 4 s."""
    start_s = 4.0 * np.arange(len(told))
    return SyncSeries(
        way=way,
        track=1,
        start_s=start_s,
        end_s=start_s + 4.0,
        offset_s=np.array([offset_s for offset_s, _ in told]),
        sigma_s=np.full(len(told), 0.01),
        confidence=np.array([confidence for _, confidence in told], np.float32),
    )


def measured(*series: SyncSeries, unheeded: SyncSeries | None = None, **others: Any) -> dict[str, Any]:
    recorder = SyncRecorder()
    for one in series:
        recorder.add(one)
    if unheeded is not None:
        recorder.add(unheeded, is_heeded=False)
    return recorder.measurements(**others)


def drifting(drift_ppm: float | None, *, sigma_ppm: float = 5.0, latest_s: float | None = None) -> SimpleNamespace:
    """What a marker signal says of track 1."""
    return SimpleNamespace(track=1, latest_s=latest_s, drift_ppm=drift_ppm, drift_sigma_ppm=sigma_ppm)


def later(series: SyncSeries, by_s: float) -> SyncSeries:
    return replace(series, start_s=series.start_s + by_s, end_s=series.end_s + by_s)


def test_the_surest_way_in_order_of_trust_is_the_answer() -> None:
    content, marker = answers("content", (0.2, 0.5), (0.1, 0.97)), answers("marker", (0.12, 0.98))
    assert measured(content)["av_offset_method"] == "content"
    both = measured(content, marker)
    assert (both["av_offset_s"], both["av_offset_confidence"], both["av_offset_method"]) == (0.12, 0.98, "marker")
    assert both["av_offset_ways"]["content"]["offset_s"] == 0.1
    assert both["av_offset_ways"]["content"]["answers"] == 2
    unsure = measured(content, answers("marker", (0.3, 0.3)))
    assert unsure["av_offset_method"] == "content"


def test_a_marker_counts_as_long_as_it_is_there_and_a_minute_more() -> None:
    sure, content = answers("marker", (0.12, 0.98)), answers("content", (0.1, 0.97))
    assert measured(sure, later(content, 50.0))["av_offset_method"] == "marker"
    assert measured(sure, later(content, 70.0))["av_offset_method"] == "content"


def test_what_is_not_heeded_is_neither_drawn_nor_chosen_and_stands_beside() -> None:
    even, content = answers("marker", *[(0.12, 0.7)] * 3), answers("content", (0.5, 0.97))
    near = measured(even, unheeded=content)
    assert (near["av_offset_s"], near["av_offset_confidence"]) == (None, 0.7)
    assert "evenly" in near["av_offset_s_reason"]
    assert near["av_offset_ways"]["content"]["offset_s"] == 0.5
    recorder = SyncRecorder()
    recorder.add(content, is_heeded=False)
    assert recorder.curves() == ()
    recorder.add(later(content, 70.0))
    assert recorder.measurements()["av_offset_s"] == 0.5
    assert len(recorder.curves()) == 1


@pytest.mark.parametrize(("pairs", "judged"), [(3, 0), (1, 1)])
def test_content_is_not_judged_where_a_marker_is(monkeypatch: pytest.MonkeyPatch, pairs: int, judged: int) -> None:
    marker, content = answers("marker", *[(0.0, 0.7)] * pairs), answers("content", (0.4, 0.97))
    content = replace(content, start_s=content.start_s + 20.0, end_s=content.end_s + 20.0)
    monkeypatch.setattr(gpu_qa.stream_sync, "marker_step", lambda *_, **__: ([marker], None))
    monkeypatch.setattr(Listener, "take", lambda *_, **__: [content])
    sync = StreamSync(Settings())
    told = sync.take(Measured(), until_s=8.0, finished=True)
    assert [one.way for one in told] == ["marker"] * pairs + ["content"] * judged
    assert sync.measurements(None)["av_offset_s"] == (0.4 if judged else None)


def test_what_was_judged_before_a_marker_signal_began_is_the_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    marker, content = later(answers("marker", *[(0.0, 0.7)] * 3), 4.0), answers("content", (0.4, 0.97))
    monkeypatch.setattr(gpu_qa.stream_sync, "marker_step", lambda *_, **__: ([marker], None))
    monkeypatch.setattr(Listener, "take", lambda *_, **__: [content])
    sync = StreamSync(Settings())
    assert [one.way for one in sync.take(Measured(), until_s=8.0, finished=True)] == ["content", *["marker"] * 3]
    assert sync.measurements(None)["av_offset_s"] == 0.4


def test_a_marker_goes_before_a_reference_which_tells_drift_too() -> None:
    marker, reference = answers("marker", (0.12, 0.98)), answers("reference", (0.02, 0.99))
    known = {"stream": "studio", "drift_ppm": 12.34, "drift_sigma_ppm": 6.0, "reason": None}
    both = measured(marker, reference, reference=known, markers=[drifting(49.96)])
    assert (both["av_offset_s"], both["av_offset_method"], both["av_drift_ppm"]) == (0.12, "marker", 50.0)
    assert list(both["av_offset_ways"]) == ["marker", "reference"]
    alone = measured(reference, reference=known)
    assert (alone["av_offset_s"], alone["av_offset_method"], alone["av_drift_ppm"]) == (0.02, "reference", 12.3)
    assert alone["av_offset_ways"]["reference"]["stream"] == "studio"
    assert measured(reference, reference=known | {"drift_sigma_ppm": 300.0})["av_drift_ppm"] is None
    unknown = measured(marker, reference=known | {"offset_s": None, "confidence": 0.0, "drift_ppm": None})
    assert (unknown["av_offset_method"], unknown["av_drift_ppm"]) == ("marker", None)


def test_without_a_sure_answer_there_is_null_and_why() -> None:
    nothing = measured(reason="there is no sound")
    assert (nothing["av_offset_s"], nothing["av_offset_s_reason"]) == (None, "there is no sound")
    assert nothing["av_offset_confidence"] is None
    unsure = measured(answers("content", (0.1, 0.6)))
    assert unsure["av_offset_s"] is None
    assert unsure["av_offset_confidence"] == 0.6
    assert unsure["av_offset_s_reason"]
    assert measured()["av_drift_ppm"] is None
    assert measured(markers=[drifting(49.96)])["av_drift_ppm"] == 50.0
    unsure = measured(markers=[drifting(74.5, sigma_ppm=96.0)])
    assert (unsure["av_drift_ppm"], "less certain" in unsure["av_drift_ppm_reason"]) == (None, True)


def test_the_offset_by_marker_is_the_median_of_the_last_pairs() -> None:
    told = measured(answers("marker", (0.0, 0.98), (0.0, 0.98), (0.0083, 0.98)), markers=[drifting(None, latest_s=0.0)])
    assert told["av_offset_s"] == told["av_offset_ways"]["marker"]["offset_s"] == 0.0


@pytest.mark.parametrize(("confidence", "judged"), [(0.5, 1), (0.95, 0)])
def test_the_setting_moves_events_and_not_the_measurement_as_its_help_says(
    monkeypatch: pytest.MonkeyPatch, confidence: float, judged: int
) -> None:
    settings = override(Settings(), {"detectors": {"av_offset": {"confidence": confidence}}})
    answer = answers("content", (0.4, 0.7 if confidence < SYNC_SURE else 0.92))
    monkeypatch.setattr(Listener, "take", lambda *_, **__: [answer])
    sync = StreamSync(settings)
    (counted,) = sync.take(Measured(), until_s=8.0, finished=True)
    limits = settings.detectors["av_offset"].limits
    evidence, _ = weigh(counted, limits, None)
    assert sum(one.raises for one in evidence) == judged
    assert sync.measurements(None)["av_offset_s"] == (None if judged else 0.4)
    entry = next(one for one in catalogue() if one["name"] == "av_offset")
    (about,) = [limit["description"] for limit in entry["limits"] if limit["name"] == "confidence"]
    assert f"take answers from {SYNC_SURE} on, whatever this is" in about


def test_the_curve_holds_sure_answers_with_their_spread() -> None:
    recorder = SyncRecorder()
    assert recorder.curves() == ()
    recorder.add(answers("content", (0.1, 0.95), (0.5, 0.4)))
    (curve,) = recorder.curves()
    assert (curve.name, curve.unit) == ("av_offset", "ms")
    assert (curve.low.min(), curve.high.max()) == (pytest.approx(90.0), pytest.approx(110.0))


@pytest.mark.timeout(300)
def test_a_marker_clip_tells_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "marker.mp4"
    write_sync_clip(path, SyncClip(seconds=12.0, size=(160, 90), offset_s=0.2), Coding(preset="ultrafast"))
    report = gpu_qa.analyze(path)
    assert report.measurements["av_offset_method"] == "marker"
    assert report.measurements["av_offset_s"] == pytest.approx(0.2, abs=0.0015)
    (marker,) = report.measurements["av_markers"]
    assert (marker["track"], marker["pairs"]) == (1, marker["flashes"])
    assert marker["offset_s"] == pytest.approx(0.2, abs=0.0015)
    (event,) = [event for event in report.events if event.kind == "av.offset"]
    assert event.details["side"] == "early"
    assert event.value == pytest.approx(200, abs=1.5)
    assert event.severity in ("major", "critical")
    assert any(curve.name == "av_offset" for curve in report.curves)


def test_a_clip_without_sound_or_too_short_says_so(tmp_path: Path) -> None:
    for name, audio, reason in (("a.mp4", None, "there is no sound"), ("b.mp4", "aac", "too short")):
        report = gpu_qa.analyze(make_clip(tmp_path / name, seconds=0.6, size=(64, 48), audio=audio))
        assert report.measurements["av_offset_s"] is None
        assert reason in report.measurements["av_offset_s_reason"]
        assert report.measurements["av_markers"] == []
        assert not [event for event in report.events if event.kind.startswith("av.")]


@pytest.mark.parametrize(
    ("offset_s", "confidence", "label", "is_sure"),
    [
        (0.12, 0.97, "120 ms early, confidence 0.97", True),
        (-0.3, 0.5, "300 ms late, confidence 0.50: no answer", False),
        (0.0, 0.95, "in sync, confidence 0.95", True),
    ],
)
def test_evidence_over_lag_is_drawn_with_its_answer(
    offset_s: float, confidence: float, label: str, is_sure: bool
) -> None:
    lag_s = np.linspace(-1, 1, 101)
    view = lag_view(LagEvidence(lag_s, -np.abs(lag_s - offset_s), offset_s, confidence))
    assert (view["label"], view["is_sure"]) == (label, is_sure)
    points = [tuple(map(float, point.split(","))) for point in view["points"].split()]
    assert len(points) == 101
    assert min(points, key=lambda point: point[1]) == pytest.approx((view["at"], 0.0), abs=0.2)
    assert (points[0][0], points[-1][0]) == (0.0, WIDTH)
    assert max(y for _, y in points) == HEIGHT
    assert [tick["text"] for tick in view["ticks"]][::4] == ["−1000", "0", "+1000"]


def test_evidence_that_is_the_same_for_all_lags_is_drawn_too() -> None:
    view = lag_view(LagEvidence(np.linspace(-1, 1, 101), np.zeros(101), -1.0, 0.0))
    assert view["at"] == 0.0


def test_what_was_heard_long_ago_or_before_the_clock_jumped_is_no_answer_any_more() -> None:
    recorder = SyncRecorder()
    recorder.add(answers("content", (0.271, 0.99)))
    recorder.reached(60.0)
    assert recorder.measurements()["av_offset_s"] == 0.271
    recorder.reached(270.0)
    stale = recorder.measurements()
    assert (stale["av_offset_s"], stale["av_offset_method"], stale["av_offset_confidence"]) == (None, None, None)
    assert stale["av_offset_s_reason"] == (
        "nothing has been heard of it for 266 s: last known at 4.0 s, +271 ms by content"
    )
    jumped = SyncRecorder()
    jumped.add(answers("content", (0.271, 0.99)))
    jumped.reached(10.0, [8.0])
    assert "since the clock jumped at 8.0 s" in jumped.measurements()["av_offset_s_reason"]


def test_the_reason_says_what_is_missing() -> None:
    unsure, known = (
        answers("content", (0.1, 0.6)),
        {"stream": "studio", "offset_s": None, "confidence": 0.0, "reason": "other"},
    )
    assert measured(unsure)["av_offset_s_reason"] == "by content: not sure enough, 0.60 of 0.90"
    both = measured(unsure, reference=known, too_little="it is silent throughout")["av_offset_s_reason"]
    assert both == "by reference: other; by content: it is silent throughout"
    faded = measured(answers("content", (0.3, 0.95), (0.3, 0.4)))["av_offset_s_reason"]
    assert faded == "by content: not sure enough, 0.40 of 0.90"


def test_content_near_a_marker_signal_is_told_as_not_heeded() -> None:
    ways = measured(answers("marker", *[(0.12, 0.7)] * 3), unheeded=answers("content", (0.5, 0.97)))["av_offset_ways"]
    assert ways["content"]["heeded"] is False
    assert "marker" in ways["content"]["reason"]


def test_the_last_evidence_is_kept_unless_it_is_not_heeded() -> None:
    recorder = SyncRecorder()
    last = LagEvidence(np.linspace(-1, 1, 101), np.zeros(101), 0.1, 0.5)
    recorder.add(replace(answers("content", (0.1, 0.5)), lags=last))
    recorder.add(answers("marker", *[(0.1, 0.98)] * 3))
    assert recorder.lags is last
    recorder.add(replace(answers("content", (0.1, 0.5)), lags=last), is_heeded=False)
    assert recorder.lags is None
