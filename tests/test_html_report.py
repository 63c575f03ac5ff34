"""The HTML report: what stands in it, that names stay text, and that nothing is loaded."""

from __future__ import annotations

import base64
import itertools
import json
import re
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from gpu_qa.series import Curve
from gpu_qa.sinks import html_report
from gpu_qa.sinks.report_view import EVENTS_AT_ONCE
from tests.html_page import FREEZE, JPEG, SILENCE, Page, full_report, many_events, page
from tests.report_builder import curve, event, report


def test_everything_is_in_it() -> None:
    text = page(full_report()).text
    for part in (
        "2 defects",
        "1 critical",
        "1 major",
        "mpegts",
        "h264 · 1920×1080 · 29.97 frames/s",
        "aac · 48 kHz · stereo",
        "Frozen picture",
        "The picture stands still",
        "0:00:12.345",
        "0:00:15.000",
        "2.655 s",
        "Measured 0.04 %",
        "limit 0.1 %",
        "-∞ dBFS",
        "Frozen area",
        "0.62",
        "Integrated loudness",
        "-23.04 LUFS",
        "not known: not measured",
        "stream 2: subtitles",
        "Raise after",
        "2 s",
    ):
        assert part in text, part


def test_nothing_is_loaded_from_anywhere() -> None:
    made = page(full_report(stream="https://example.com/live.m3u8"), full_report())
    for tag, attributes in made.elements:
        for name in ("src", "href", "data", "poster", "action", "srcset", "background", "xlink:href"):
            if name in attributes:
                assert attributes[name].startswith(("data:", "#")), (tag, attributes)
        assert tag not in {"iframe", "object", "embed", "base", "form"}
    style = re.search(r"<style>(.*?)</style>", html_report.html([full_report()]), re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    (policy,) = [meta["content"] for meta in made.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert rules["script-src"] == "'unsafe-inline'"
    assert "http" not in policy


def test_plotly_is_there_once_and_only_where_there_is_a_plot() -> None:
    with_plots = html_report.html([full_report(), full_report()])
    assert with_plots.count("plotly.js v") == 1
    without = html_report.html([report()])
    assert "plotly.js v" not in without
    assert len(without) < 60_000


EVIL = "</script><script>alert(1)</script>--><img src=x onerror=alert(2)>'\"&{{ 7*7 }}\u2028\x1b"


def test_names_from_streams_are_text_and_nothing_else() -> None:
    details: dict[str, Any] = {EVIL: EVIL, "list": [EVIL, {EVIL: EVIL}]}
    evil_event = event(EVIL, message=EVIL, unit=EVIL, stream=EVIL, **details)
    evil = report(
        evil_event,
        stream=EVIL,
        media={EVIL: EVIL, "container": EVIL, "tracks": [{"kind": EVIL, "codec": EVIL, "channels": [EVIL]}]},
        measurements={EVIL: EVIL, "x": None, "x_reason": EVIL},
        curves=(curve(EVIL, EVIL, EVIL),),
        thumbnails={evil_event.id: JPEG},
        settings={EVIL: {EVIL: [EVIL]}},
        error=EVIL,
    )
    plain = page(full_report(), full_report())
    made = page(evil, evil)
    assert len(made.scripts) == len(plain.scripts)
    assert len(made.all("img")) == 2
    assert not [attributes for _, attributes in made.elements if any(name.startswith("on") for name in attributes)]
    shown = EVIL.replace("\u2028", "\ufffd").replace("\x1b", "\ufffd")
    assert shown in made.text
    assert made.plots()[0]["events"][0]["message"] == shown
    assert "49" not in "".join(made.texts)


def test_script_json_cannot_end_its_script() -> None:
    value = {"a": EVIL, "b": [1, None, True]}
    text = html_report.script_json(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value


def test_the_plot_gets_lanes_panels_and_interrupted_curves() -> None:
    pts_s = np.concatenate([np.arange(50) / 10, 20 + np.arange(50) / 10])
    values = np.linspace(0, 1, 100, dtype=np.float32)
    gap = Curve("luma", "Mean luma", "full_scale", pts_s, values, values)
    change = Curve("change", "Change", "full_scale", pts_s[:50], np.zeros(50, np.float32), values[:50])
    (plot,) = page(report(FREEZE, SILENCE, event("video.mine", 2.0, None), curves=(gap, change))).plots()
    assert plot["lanes"] == ["Frozen picture", "Silence", "Mine"]
    assert [(made["lane"], made["start"], made["end"]) for made in plot["events"]] == [
        (0, 12.345, 15.0),
        (1, 3.0, 9.0),
        (2, 2.0, pytest.approx(25.0)),
    ]
    assert (plot["start"], plot["end"]) == (0.0, pytest.approx(25.0))
    luma, changed = (panel["curves"][0] for panel in plot["panels"])
    assert [panel["key"] for panel in plot["panels"]] == ["luma", "change"]
    assert luma["unit"] == "%"
    assert luma["high"].count(None) == 1
    assert luma["high"].index(None) == 50
    assert luma["high"][-1] == 100.0
    assert luma["x"] == sorted(luma["x"])
    assert min(changed["low"]) > 0


def test_curves_of_one_thing_share_a_panel() -> None:
    (plot,) = page(full_report()).plots()
    assert [(panel["title"], [made["name"] for made in panel["curves"]]) for panel in plot["panels"]] == [
        ("Change between frames", ["whole picture", "liveliest 5 % of tiles"]),
        ("Mean luma", [""]),
        ("Sound level", ["peak", "momentary loudness"]),
        ("My own measure", [""]),
    ]
    tracks = (curve("peak_dbfs:1", "Peak", "dbfs"), curve("peak_dbfs:2", "Peak", "dbfs"))
    (plot,) = page(report(curves=tracks)).plots()
    assert [made["name"] for made in plot["panels"][0]["curves"]] == ["peak, track 1", "peak, track 2"]


def test_thumbnails_belong_to_their_events_and_say_what_they_show() -> None:
    images = page(full_report()).all("img")
    assert len(images) == 1
    assert base64.b64decode(images[0]["src"].removeprefix("data:image/jpeg;base64,")) == JPEG
    assert "0:00:12.345" in images[0]["alt"]
    assert images[0]["loading"] == "lazy"


def test_a_thumbnail_of_another_moment_says_which() -> None:
    told = event(start_s=5.005)
    for shown_s, says in ((5.2, "at 0:00:05.005, where"), (6.27, "at 0:00:06.270, 1.265 s after"), (3.0, "s before")):
        (image,) = page(report(told, thumbnails={told.id: JPEG}, thumbnail_s={told.id: shown_s})).all("img")
        assert says in image["alt"]
        assert image["title"] == image["alt"]


def test_no_events_and_no_curves() -> None:
    made = page(report())
    assert "Clean" in made.text
    assert not made.plots()
    assert not made.all("li")
    failed = page(report(error="cannot open: connection refused")).text
    assert "Could not analyze" in failed
    assert "connection refused" in failed


def test_partly_analyzed_says_so() -> None:
    text = page(full_report(error="the source went away")).text
    assert "2 defects" in text
    assert "Analyzed in part only: the source went away" in text


def test_remarks_are_no_defects() -> None:
    text = page(report(event("stream.format_change", 5.0, 5.0, severity="info", value=None, limit=None, unit=""))).text
    assert "Clean" in text
    assert "1 info" in text


def test_500_events() -> None:
    text = html_report.html([report(*many_events(500))])
    made = Page(text)
    assert len(made.all("li", class_="event")) == 500
    assert made.all("section", class_="events")[0]["data-at-once"] == str(EVENTS_AT_ONCE)
    assert "event number 499" in made.text


def test_headings_run_in_order_and_every_input_is_labelled() -> None:
    for made in (page(full_report()), page(full_report(), full_report())):
        levels = [int(tag[1]) for tag, _ in made.elements if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
        assert dict(made.elements)["html"]["lang"] == "en"


def test_affected_time_counts_every_second_once() -> None:
    events = [event(start_s=0.0, end_s=10.0), event("video.black", 5.0, 12.0), event(start_s=40.0, end_s=41.0)]
    ignored = event("stream.gap", 20.0, 30.0, severity="info")
    assert "13.0 s (26 %)" in page(report(*events, ignored, curves=(curve(),))).text


def test_rare_answers_do_not_make_a_stream_longer() -> None:
    """The last one stands where the stream ends, 7 s after the one before."""
    ends_s = np.array([43.0, 50.0])
    offsets = Curve(
        "av_offset", "Sound ahead of picture", "ms", ends_s, np.zeros(2, np.float32), np.ones(2, np.float32)
    )
    event_ = event(start_s=0.0, end_s=13.0)
    assert "13.0 s (26 %)" in page(report(event_, curves=(curve(), offsets))).text


def test_it_can_be_written_whatever_a_stream_is_called() -> None:
    text = html_report.html([report(stream="odd \udcff name")], written_at=datetime(2026, 11, 3, 12, 30))
    assert "2026-11-03 12:30" in text
    assert "odd" in text.encode("utf-8").decode("utf-8")


def test_numbers_that_are_none_do_not_break_the_page() -> None:
    curves = (Curve("x", "X", "s", np.arange(3.0), np.full(3, np.nan, np.float32), np.full(3, np.inf, np.float32)),)
    broken = event(value=np.nan, limit=np.inf, ratio=np.nan)
    made = page(report(broken, curves=curves, measurements={"a_dbfs": -np.inf, "b": np.nan}))
    assert made.plots()[0]["panels"][0]["curves"][0]["low"] == [None] * 3
    assert "-∞ dBFS" in made.text
