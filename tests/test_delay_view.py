"""What an offset by reference was chosen from, from the stretch to the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpu_qa.series import DelayCurve, DelayEvidence
from gpu_qa.sinks.html_report import Page
from gpu_qa.sinks.lag_view import HEIGHT, WIDTH, delay_view
from gpu_qa.sinks.sync import SyncRecorder
from gpu_qa.sync.follower import _delays
from gpu_qa.sync.lag import AROUND_S, Rows, Sought, best_fits
from gpu_qa.sync.placing import Placing
from gpu_qa.sync.reference import laid
from tests.report_builder import report
from tests.strips import Programme
from tests.test_sync_report import answers


def rows(values: np.ndarray, start_s: float = 0.0) -> Rows:
    return Rows(values[None].astype(np.float32), np.ones(len(values), bool), start_s, 0.1)


def curve(delay_s: float, peak: float = 0.9) -> DelayCurve:
    delays_s = delay_s + np.linspace(-1, 1, 21)
    fits = peak - np.abs(delays_s - delay_s)
    return DelayCurve(tuple(delays_s.tolist()), tuple(fits.tolist()), delay_s)


EVIDENCE = DelayEvidence("studio", 20.0, 30.0, curve(2.0), curve(1.8, 0.8))


def test_the_coefficients_beside_the_best_place_are_kept() -> None:
    sound = np.random.default_rng(3).normal(size=400)
    (found,) = best_fits([Sought(rows(sound[100:200]), rows(sound), (-30.0, 30.0), 5.0, 0.3)])
    assert found is not None
    around = found.around
    delays_s = around.first_s + around.step_s * np.arange(len(around.coefficient))
    assert (delays_s[0], delays_s[-1]) == pytest.approx((-10.0 - AROUND_S, -10.0 + AROUND_S))
    assert delays_s[int(np.argmax(around.coefficient))] == pytest.approx(-10.0)
    assert found.delay_s == pytest.approx(-10.0, abs=0.01)
    assert max(around.coefficient) == pytest.approx(found.coefficient, abs=0.01)


def test_where_too_little_overlaps_nothing_is_kept() -> None:
    sound = np.random.default_rng(3).normal(size=100)
    (found,) = best_fits([Sought(rows(sound[5:]), rows(sound), (-30.0, 30.0), 9.2, 0.3)])
    assert found is not None
    assert 0 < len(found.around.coefficient) < 20
    assert np.isfinite(found.around.coefficient).all()


def test_a_stretch_tells_what_its_skew_was_chosen_from() -> None:
    reference, probe = Programme(seed=1), Programme(seed=1, later_s=2.0, skew_s=0.2)
    stretch = laid(reference.strip(30.0), probe.strip(30.0), (10.0, 20.0), 0.0)
    told = _delays(stretch, "studio")
    assert told is not None
    for part, delay_s in ((told.picture, 2.0), (told.sound, 1.8)):
        assert part.answer_s == pytest.approx(delay_s, abs=0.002)
        assert part.delay_s[int(np.argmax(part.coefficient))] == pytest.approx(delay_s, abs=0.1)
    assert _delays(replace(stretch, sound=Placing("unknown", "silence")), "studio") is None


def test_the_last_evidence_is_kept_as_long_as_its_answer_is() -> None:
    recorder = SyncRecorder()
    recorder.add(replace(answers("reference", (0.2, 0.99)), delays=EVIDENCE))
    recorder.add(answers("content", (0.2, 0.5)))
    assert recorder.delays is EVIDENCE
    recorder.reached(500.0)
    assert recorder.delays is None


def test_both_curves_are_drawn_with_their_places() -> None:
    view = delay_view(EVIDENCE)
    assert view["label"] == "sound 200 ms early"
    for drawn, part in zip(view["curves"], (EVIDENCE.picture, EVIDENCE.sound), strict=True):
        points = [tuple(map(float, point.split(","))) for point in drawn["points"].split()]
        assert len(points) == 21
        assert min(points, key=lambda point: point[1])[0] == pytest.approx(drawn["at"], abs=0.2)
        assert 0 <= min(x for x, _ in points) <= max(x for x, _ in points) <= WIDTH
        assert max(y for _, y in points) <= HEIGHT
        assert f"{max(part.coefficient):.2f}" in drawn["text"]
    assert view["curves"][0]["text"] == "picture 2.000 s later, correlation 0.90"
    assert [tick["text"] for tick in view["ticks"]][:2] == ["+1.00", "+1.25"]


def test_delays_that_are_far_apart_have_few_ticks() -> None:
    view = delay_view(DelayEvidence("studio", 20.0, 30.0, curve(50.0), curve(-40.0)))
    assert 2 <= len(view["ticks"]) <= 11
    assert [drawn["text"].split(",")[0] for drawn in view["curves"]] == [
        "picture 50.000 s later",
        "sound 40.000 s earlier",
    ]
    assert view["label"] == "sound 90000 ms early"


def test_the_page_shows_them() -> None:
    page = Page()
    page.add(replace(report(), delays=EVIDENCE), 0)
    text = page.html()
    assert "A/V offset by reference" in text
    assert "sound 200 ms early" in text
    page = Page()
    page.add(report(), 0)
    assert "A/V offset by reference" not in page.html()
