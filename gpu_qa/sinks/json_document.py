"""JSON: one document per input, valid by RFC 8259 whatever was measured.

JSON knows no infinity and no NaN. A level of −∞ dBFS (digital silence) and anything else that is no number becomes
null, and the key `NAME_reason` beside it says why. Times (`…_s`) are rounded to a microsecond, other fractions to seven
significant digits, which is what a float32 carries.
"""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_qa.series import Event, Report
    from gpu_qa.sinks.picture_files import PictureFile

_SURROGATE = re.compile("[\ud800-\udfff]")


def document(report: Report, pictures: Mapping[str, PictureFile] | None = None) -> dict[str, Any]:
    """The report of one input as JSON values: `stream`, `media`, `events`, `measurements`, and `error` where there is.

    Curves, thumbnails and settings are left out: they are for the HTML report.

    Args:
        report: What is known of the input.
        pictures: Event id → its picture.
    """
    pictures = pictures or {}
    content: dict[str, Any] = {
        "stream": report.stream,
        "media": report.media,
        "events": [event_document(event, pictures.get(event.id)) for event in report.events],
        "measurements": report.measurements,
    }
    if report.error is not None:
        content["error"] = report.error
    plain = json_value(content)
    assert isinstance(plain, dict)  # noqa: S101 - a dict comes back as a dict
    return plain


def event_document(event: Event, picture: PictureFile | None = None) -> dict[str, Any]:
    """One event as JSON values, its keys in the order of the class.

    Args:
        event: As it is now.
        picture: Where it has one, `picture` is the file, and `picture_s` when the frame was shown.
    """
    shown: dict[str, Any] = {} if picture is None else {"picture": picture.path}
    if picture is not None and picture.shown_s is not None:
        shown["picture_s"] = picture.shown_s
    plain = json_value(
        {
            "id": event.id,
            "stream": event.stream,
            "kind": event.kind,
            "state": event.state,
            "severity": event.severity,
            "start_s": event.start_s,
            "end_s": event.end_s,
            "value": event.value,
            "limit": event.limit,
            "unit": event.unit,
            "confidence": event.confidence,
            "message": event.message,
            "details": event.details,
            "scope": event.scope,
            **shown,
        }
    )
    assert isinstance(plain, dict)  # noqa: S101 - a dict comes back as a dict
    return plain


def dumps(
    report: Report,
    *,
    pictures: Mapping[str, PictureFile] | None = None,
    indent: int | None = 2,
    ascii_only: bool = False,
) -> str:
    """The report as JSON text without a newline at its end.

    Args:
        report: What is known of one input.
        pictures: Event id → its picture.
        indent: Spaces per level; null for a single line.
        ascii_only: Write other characters as escapes, for outputs that are not UTF-8.
    """
    return json.dumps(document(report, pictures), indent=indent, ensure_ascii=ascii_only, allow_nan=False)


def json_value(value: Any, name: str = "") -> Any:
    """Any value as JSON values: NumPy scalars and arrays unpacked, numbers rounded, what is no number null.

    Args:
        value: A number, text, truth value, null, array, fraction, or a mapping or sequence of these.
        name: The key that it stands under; its suffix tells the unit.
    """
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating | Fraction):
        return _rounded(float(value), name)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return _members(value)
    if isinstance(value, np.ndarray):
        return json_value(value.tolist(), name)
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(item, name) for item in value]
    return _text(str(value))


def _members(mapping: dict[Any, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, value in mapping.items():
        name = _text(str(key))
        plain[name] = json_value(value, name)
        reason = _no_number(value)
        if reason is not None and f"{name}_reason" not in mapping:
            plain[f"{name}_reason"] = reason
    return plain


def _no_number(value: Any) -> str | None:
    """Why the value has no place in JSON; null where it has one."""
    if not isinstance(value, float | np.floating) or math.isfinite(value):
        return None
    if math.isnan(value):
        return "not a number: nothing to measure it by"
    return "minus infinity: no signal at all" if value < 0 else "infinity: beyond any scale"


def _rounded(value: float, name: str) -> float | None:
    if not math.isfinite(value):
        return None
    if name.endswith("_s"):
        rounded = round(value, 6)
    elif abs(value) >= 1e4:
        rounded = round(value, 3)
    else:
        rounded = float(f"{value:.7g}")
    return rounded + 0.0  # -0.0 reads as 0.0


def _text(text: str) -> str:
    """File names may hold bytes that are no UTF-8 (Python keeps them as lone surrogates): U+FFFD in their place."""
    return _SURROGATE.sub("\ufffd", text)
