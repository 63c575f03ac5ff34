"""The HTML report of several inputs: their order, which are shown in full, and what they share."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from gpu_qa.sinks import html_report
from gpu_qa.sinks.report_view import HANDFUL
from tests.html_page import JPEG, Page, full_report, many_events, page
from tests.report_builder import curve, event, report

if TYPE_CHECKING:
    from gpu_qa.series import Report


def test_several_inputs() -> None:
    made = page(full_report(stream="one.ts"), report(stream="two.ts"), report(stream="three.ts", error="lost"))
    text = made.text
    assert "1 of 3 inputs have defects" in text
    assert "1 clean, 1 with defects, 1 not analyzed." in text
    (inputs,) = made.all("table", class_="inputs")
    assert inputs
    links = [attributes["href"] for attributes in made.all("a")]
    ids = [attributes["id"] for _, attributes in made.elements if "id" in attributes]
    assert links == ["#input-0", "#input-1", "#input-2"]
    assert {link[1:] for link in links} <= set(ids)
    assert len(ids) == len(set(ids))
    assert "0:00:03.000" in text  # the first defect, in the table
    assert "All 2 inputs are clean" in page(report(), report()).text
    assert "1 input could not be analyzed" in page(report(), report(error="lost")).text
    assert "No inputs" in page().text


def names_in_order(made: Page) -> tuple[list[str], list[str]]:
    """The numbers of the inputs as the table links them, and as their sections follow."""
    links = [attributes["href"].removeprefix("#input-") for attributes in made.all("a")]
    return links, [details["id"].removeprefix("input-") for details in made.all("details", class_="input")]


def test_a_handful_stands_in_the_order_given_and_more_have_the_worst_first() -> None:
    long = event(start_s=0.0, end_s=30.0)
    reports = [
        report(stream="clean"),
        report(event(), stream="short"),
        report(long, stream="long"),
        report(event(severity="critical"), stream="critical"),
        report(stream="failed", error="no such file"),
        report(event(severity="info"), stream="remark"),
        report(event(), stream="in part", error="broke off"),
        report(stream="clean too"),
    ]
    assert len(reports) == HANDFUL
    made = page(*reports)
    assert names_in_order(made) == ([str(n) for n in range(8)],) * 2
    assert "The worst first" not in made.text
    made = page(*reports, report(event("video.black", 2.0, 2.5, severity="major"), stream="major"))
    worst_first = ["4", "3", "8", "2", "1", "6", "5", "0", "7"]
    assert names_in_order(made) == (worst_first, worst_first)
    assert "The worst first." in made.text
    assert "1 critical" in made.text


@pytest.mark.parametrize("count", [5, HANDFUL + 1, html_report.IN_FULL + 20])
def test_the_order_in_which_inputs_end_changes_nothing(count: int) -> None:
    when = datetime(2026, 11, 3, 12, 30)
    thumbnails = {one.id: JPEG for one in many_events(40)}
    reports = [
        report(*many_events(number % 3 * 20), stream=f"film {number}", thumbnails=thumbnails) for number in range(count)
    ]
    ended = html_report.Page()
    for number in reversed(range(count)):
        ended.add(reports[number], number)
    assert ended.html(written_at=when) == html_report.html(reports, written_at=when)


def test_of_very_many_the_worst_are_shown_in_full() -> None:
    events = [event(start_s=float(n), end_s=n + 0.5) for n in range(30)]
    thumbnails = {one.id: JPEG for one in events}
    bad = report(*events, stream="bad", curves=(curve(),), thumbnails=thumbnails)
    collected = html_report.Page()
    for number in range(2 * html_report.IN_FULL):
        collected.add(bad if number == 7 else report(stream=f"film {number}", curves=(curve(),)))
    made = Page(collected.html())
    links, sections = names_in_order(made)
    assert links == sections
    assert sections == ["7", *(str(n) for n in range(html_report.IN_FULL) if n != 7)]
    assert len(made.plots()) == html_report.IN_FULL
    assert len(made.all("img")) == html_report.PICTURES
    assert "1 of 200 inputs have defects" in made.text
    assert "199 clean, 1 with defects." in made.text
    assert "film 199" in made.text  # in the table
    assert "The worst first; the first 100 are shown in full below." in made.text


def test_what_a_table_says_of_an_input_does_not_depend_on_how_many_there_are() -> None:
    part = report(stream="part", curves=(curve(),), error="broke off")
    assert "Analyzed in part only" in page(part, report()).text
    many = [part, *(report(stream=str(n), error="lost") for n in range(2 * html_report.IN_FULL))]
    assert page(*many).text.count("Analyzed in part only") == page(part, report()).text.count("Analyzed in part only")


def test_settings_that_all_share_are_shown_once() -> None:
    def summaries(*reports: Report) -> int:
        return page(*reports).text.count("Settings used")

    per_section = summaries(full_report())
    assert summaries(full_report(), full_report()) == per_section
    other = report(settings={"detectors": {"freeze": {"raise_after_s": 9.0}}})
    assert summaries(full_report(), other) == 2 * per_section
