"""The HTML report as a browser reads it, and a report that has everything in it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np

from gpu_qa.sinks import html_report
from tests.report_builder import curve, event, report

if TYPE_CHECKING:
    from gpu_qa.series import Event, Report

JPEG = b"\xff\xd8 a picture \xff\xd9"
VOID = {"meta", "link", "img", "br", "input", "hr"}


class Page(HTMLParser):
    """A report as a browser reads it: elements, visible text, scripts; fails on badly nested elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "script":
            self.scripts.append((attributes, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            attributes, content = self.scripts.pop()
            self.scripts.append((attributes, content + data))
        elif self._open and self._open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag
            and all(value in attributes.get(key.rstrip("_"), "").split() for key, value in wanted.items())
        ]

    def plots(self) -> list[dict[str, Any]]:
        return [
            json.loads(content) for attributes, content in self.scripts if attributes.get("type") == "application/json"
        ]


def page(*reports: Report) -> Page:
    return Page(html_report.html(reports))


FREEZE = event("video.freeze", 12.345, 15.0, severity="major", message="The picture stands still", frozen_area=0.62)
SILENCE = event(
    "audio.silence", 3.0, 9.0, severity="critical", value=-np.inf, limit=-60.0, unit="dbfs", message="No sound"
)
MEDIA = {
    "container": "mpegts",
    "live": False,
    "duration_s": 50.0,
    "tracks": [
        {"index": 0, "kind": "video", "codec": "h264", "width": 1920, "height": 1080, "frame_rate": "30000/1001"},
        {"index": 1, "kind": "audio", "codec": "aac", "sample_rate_hz": 48000, "channels": ["FL", "FR"]},
    ],
    "ignored": ["stream 2: subtitles"],
}


def full_report(**changes: Any) -> Report:
    return report(
        SILENCE,
        FREEZE,
        media=MEDIA,
        measurements={"integrated_lufs": -23.04, "av_offset_s": None, "av_offset_s_reason": "not measured"},
        curves=(
            curve("change", "Change between frames"),
            curve("change_lively", "Change in the liveliest 5 % of tiles"),
            curve(),
            curve("peak_dbfs:1", "Peak", "dbfs"),
            curve("momentary_lufs:1", "Momentary loudness", "lufs"),
            curve("mine", "My own measure", "furlongs"),
        ),
        thumbnails={FREEZE.id: JPEG},
        settings={"detectors": {"freeze": {"raise_after_s": 2.0}}},
        **changes,
    )


def many_events(count: int) -> list[Event]:
    return [event(start_s=float(n), end_s=n + 0.5, message=f"event number {n}") for n in range(count)]
