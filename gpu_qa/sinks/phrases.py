"""How kinds, numbers and verdicts read for people: the same words in the terminal and in the report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gpu_qa.series import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_qa.series import Event, Report, Severity

KIND_LABELS: dict[str, str] = {
    "video.freeze": "Frozen picture",
    "video.stutter": "Stutter",
    "video.loop": "Looping picture",
    "video.black": "Black picture",
    "video.solid_color": "Solid colour",
    "video.color_loss": "Colour lost",
    "video.block_corruption": "Broken blocks",
    "video.blockiness": "Blockiness",
    "video.blur": "Blur",
    "video.flash": "Flashes",
    "video.interlacing": "Interlacing",
    "video.test_pattern": "Test pattern",
    "audio.silence": "Silence",
    "audio.missing": "Sound missing",
    "audio.channel_loss": "Channel lost",
    "audio.phase_inversion": "Phase inverted",
    "audio.clipping": "Clipping",
    "audio.hum": "Hum",
    "audio.hiss": "Hiss",
    "audio.dropout": "Dropout",
    "audio.stuck": "Sound stuck",
    "audio.click": "Clicks",
    "audio.distortion": "Distortion",
    "audio.dc_offset": "DC offset",
    "audio.dual_mono": "Dual mono",
    "audio.loudness": "Loudness",
    "audio.true_peak": "True peak",
    "av.offset": "Lip sync",
    "av.drift": "Lip-sync drift",
    "stream.gap": "Gap in time",
    "stream.discontinuity": "Clock jump",
    "stream.decode_error": "Decode error",
    "stream.transport_error": "Transport error",
    "stream.stalled": "Stalled",
    "stream.mismatch": "Other content",
    "stream.frame_loss": "Frame loss",
    "stream.overload": "Analysis overloaded",
    "stream.format_change": "Format change",
}

UNIT_LABELS: dict[str, str] = {
    "full_scale": "",
    "fraction": "",
    "share": "",
    "ratio": "",
    "correlation": "",
    "dbfs": "dBFS",
    "dbtp": "dBTP",
    "db": "dB",
    "lufs": "LUFS",
    "lu": "LU",
    "hz": "Hz",
}

_PERCENT = frozenset({"full_scale", "fraction", "share"})
_YES_OR_NO = frozenset({"size changes"})
"""Units of values that are 0 or 1: a number would tell nothing that the message does not."""

Outcome = Literal["clean", "defects", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a report comes down to."""

    outcome: Outcome
    severity: Severity | None
    """The worst severity among the defects; null without any."""
    headline: str
    """Two or three words."""
    detail: str
    """One sentence."""
    error: str | None = None
    """Why nothing, or not all, was analyzed."""


def kind_label(kind: str) -> str:
    """The kind in words; a kind of one's own reads as its name with spaces."""
    return KIND_LABELS.get(kind) or printable(kind.rpartition(".")[2].replace("_", " ").capitalize() or kind)


def printable(text: str) -> str:
    """The text with every character that a terminal or a browser might act upon, or cannot encode, shown as U+FFFD.

    Names come from URLs and containers: an escape sequence in one must not reach a terminal.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char in "\n\t" else "\ufffd" for char in text)


def quantity(value: float | None, unit: str) -> str:
    """A value with its unit at four significant digits; fractions as per cent; empty where it tells nothing."""
    if value is None or unit in _YES_OR_NO:
        return ""
    label = UNIT_LABELS.get(unit, unit)
    if unit in _PERCENT and math.isfinite(value):
        return f"{_digits(100 * value)} % {label}".rstrip()
    return f"{_digits(value)} {printable(label)}".rstrip()


def limit(value: float | None, unit: str) -> str:
    """A limit with its unit; empty where it is no time at all, which tells nothing."""
    return "" if unit == "s" and not value else quantity(value, unit)


def duration(seconds: float) -> str:
    """A length of time as people say it: `0.480 s`, `12.4 s`, `3 min 05 s`, `2 h 03 min`."""
    tenths = round(seconds * 10)
    if tenths < 100:
        return f"{seconds:.3f} s"
    if tenths < 600:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole // 60 % 60:02d} min"


def worst(events: Iterable[Event]) -> Severity | None:
    """The worst severity among the events; null without any."""
    return max((event.severity for event in events), key=SEVERITIES.index, default=None)


def count(number: int, noun: str) -> str:
    """A number with its noun: `1 defect`, `2 defects`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def severity_counts(events: Iterable[Event]) -> str:
    """How many events of each severity, worst first: `1 critical, 3 major`; empty without events."""
    tally = dict.fromkeys(SEVERITIES, 0)
    for event in events:
        tally[event.severity] += 1
    return ", ".join(f"{tally[severity]} {severity}" for severity in reversed(SEVERITIES) if tally[severity])


def verdict(report: Report) -> Verdict:
    """What the report comes down to. Events of severity `info` are no defects."""
    defects = [event for event in report.events if event.severity != "info"]
    remarks = len(report.events) - len(defects)
    error = printable(report.error) if report.error is not None else None
    if defects and report.exit_code == 1:
        detail = severity_counts(report.events) + "."
        if error is not None:
            detail += f" Analyzed in part only: {error}"
        outcome: Outcome = "partial" if error is not None else "defects"
        return Verdict(outcome, worst(defects), count(len(defects), "defect"), detail, error)
    if error is not None and (report.curves or report.measurements.get("analyzed_s")):
        detail = (
            f"{error} Nothing was found up to there."
            if error.endswith(".")
            else f"{error}; nothing was found up to there."
        )
        return Verdict("failed", None, "Analyzed in part only", detail, error)
    if error is not None:
        return Verdict("failed", None, "Could not analyze", error, error)
    detail = "Nothing found that a viewer would notice."
    if remarks:
        detail = f"No defects; {count(remarks, 'remark')} to read."
    return Verdict("clean", None, "Clean", detail)


def _digits(value: float) -> str:
    if math.isnan(value):
        return "?"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value and abs(value) < 1e-4:
        return f"{value:.1e}"
    return f"{float(f'{value:.4g}'):,.10g}" if abs(value) < 1e4 else f"{value:,.0f}"
