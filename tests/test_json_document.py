from __future__ import annotations

import dataclasses
import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from gpu_qa.sinks.json_document import document, dumps, event_document, json_value
from tests.report_builder import curve, event, report


def strict(text: str) -> Any:
    """Parse as RFC 8259 has it: Python's own parser also takes NaN and Infinity."""

    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_document_has_the_keys_in_their_order() -> None:
    made = report(event(), media={"container": "mpegts"}, measurements={"frame_rate": 25.0}, curves=(curve(),))
    assert list(document(made)) == ["stream", "media", "events", "measurements"]
    assert list(document(dataclasses.replace(made, error="lost"))) == [
        "stream",
        "media",
        "events",
        "measurements",
        "error",
    ]
    assert list(document(made)["events"][0]) == [
        "id",
        "stream",
        "kind",
        "state",
        "severity",
        "start_s",
        "end_s",
        "value",
        "limit",
        "unit",
        "confidence",
        "message",
        "details",
        "scope",
    ]


def test_an_open_event_ends_in_null() -> None:
    open_event = event_document(event(end_s=None))
    assert open_event["end_s"] is None
    assert open_event["state"] == "open"
    assert "end_s_reason" not in open_event


def test_what_is_no_number_is_null_with_a_reason() -> None:
    silent = event("audio.silence", value=-math.inf, limit=-60.0, unit="dbfs", levels=[-math.inf, -3.5], ratio=math.nan)
    text = dumps(report(silent, measurements={"peak_dbfs": -math.inf, "worst_s": np.float32(np.inf), "x": None}))
    plain = strict(text)
    assert plain["events"][0]["value"] is None
    assert "no signal" in plain["events"][0]["value_reason"]
    assert plain["events"][0]["details"]["levels"] == [None, -3.5]
    assert plain["events"][0]["details"]["ratio"] is None
    assert plain["events"][0]["details"]["ratio_reason"]
    assert plain["measurements"]["peak_dbfs_reason"]
    assert plain["measurements"]["worst_s"] is None
    assert plain["measurements"]["x"] is None
    assert "x_reason" not in plain["measurements"]


def test_a_reason_given_is_kept() -> None:
    plain = json_value({"peak_dbfs": -math.inf, "peak_dbfs_reason": "digital silence"})
    assert plain == {"peak_dbfs": None, "peak_dbfs_reason": "digital silence"}


@pytest.mark.parametrize(
    ("name", "value", "rounded"),
    [
        ("start_s", 1.23456789, 1.234568),
        ("start_s", 36_000.1234567, 36_000.123457),
        ("value", float(np.float32(0.001)), 0.001),
        ("value", np.float32(29.97003), 29.97003),
        ("bit_rate", 8_123_456.7891, 8_123_456.789),
        ("value", -0.0, 0.0),
        ("value", 5e-324, 5e-324),
        ("frame_rate", Fraction(30_000, 1001), 29.97003),
        ("n", np.int64(2**53), 2**53),
        ("flag", np.bool_(True), True),
        ("names", ("FL", "FR"), ["FL", "FR"]),
        ("times_s", np.array([0.1234567, 2.0]), [0.123457, 2.0]),
    ],
)
def test_numbers_are_rounded_to_what_they_carry(name: str, value: Any, rounded: Any) -> None:
    plain = json_value({name: value})[name]
    assert plain == rounded
    assert type(plain) is type(rounded)
    assert math.copysign(1, plain) > 0 if name == "value" and value == 0 else True


def test_names_with_odd_bytes_and_characters_survive() -> None:
    name = 'a "quoted" \\ name \u2028 \udcff \x00.ts'
    text = dumps(report(event(stream=name), stream=name))
    assert strict(text.encode("utf-8").decode("utf-8"))["stream"] == 'a "quoted" \\ name \u2028 \ufffd \x00.ts'
    dumps(report(stream=name), ascii_only=True).encode("ascii")


def test_one_line_on_request() -> None:
    assert "\n" not in dumps(report(event()), indent=None)
