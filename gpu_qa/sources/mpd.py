"""DASH manifests (ISO/IEC 23009-1): what they list, and where each segment is. No fetching here.

PyAV's libavformat is built without its DASH demuxer, so manifests are read here and their segments fed to it.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Literal
from urllib.parse import urljoin
from xml.parsers import expat

from gpu_qa.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DURATION = re.compile(
    r"P(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$"
)
_UNIT_S = (365 * 86_400, 30 * 86_400, 86_400, 3600, 60, 1)
_IDENTIFIER = re.compile(r"\$(RepresentationID|Number|Bandwidth|Time|)(%0\d{1,2}d)?\$")
_MOST_SEGMENTS = 200_000
"""Of one representation, against manifests that mean harm; a day of half-second segments."""
_MOST_CHARACTERS = 1 << 26
"""In the addresses of one representation's segments, likewise."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a representation."""

    url: str
    start_s: float
    """On the representation's own timeline within its period."""
    duration_s: float
    byte_range: tuple[int, int | None] | None = None
    """First and last byte, where it is only a part of what the URL names."""
    is_whole: bool = False
    """The representation is one file, which may be large."""


@dataclass(frozen=True, slots=True)
class _Window:
    """What of a period exists by now."""

    elapsed_s: float
    """Since the period's start; infinite for what is complete."""
    depth_s: float | None
    """How far back segments are kept; null is for ever."""
    length_s: float | None
    """Of the period; null where it is open-ended."""


@dataclass(frozen=True, eq=False)
class Representation:
    """One encoding of the picture or of the sound. Where its segments are is worked out when somebody asks.

    Raises:
        SourceError: On asking, where the manifest makes no sense of it.
    """

    adaptation: int
    """Number of its adaptation set in the period, from 0: what stands for a track's index."""
    kind: Literal["video", "audio"]
    identity: str
    bandwidth: int
    """Bits per second."""
    width: int
    height: int
    language: str | None
    encrypted: bool
    chain: tuple[ET.Element, ...] = field(repr=False)
    """The elements that may say where its segments are: its period, its adaptation set, and itself."""
    base: str
    """What addresses are relative to."""
    window: _Window

    @property
    def offset_s(self) -> float:
        """Media time at the start of the period (`presentationTimeOffset`)."""
        return self._addressing.offset_s

    @property
    def init(self) -> Segment | None:
        """What goes before the first segment."""
        return self._addressing.init

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Those that exist by now."""
        return self._addressing.segments

    @property
    def has_segments(self) -> bool:
        """Whether any exists by now; costs less than `segments`."""
        return bool(_addressing(self.chain, self.base, self.window, 1).segments)

    @cached_property
    def _addressing(self) -> _Addressing:
        return _addressing(self.chain, self.base, self.window, _MOST_SEGMENTS + 1)


@dataclass(frozen=True, slots=True)
class _Addressing:
    """Where the pieces of a representation are."""

    offset_s: float
    init: Segment | None
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of the presentation in which nothing about its tracks changes."""

    identity: str
    start_s: float
    representations: tuple[Representation, ...]
    ignored: tuple[str, ...]
    """Adaptation sets that cannot be analyzed, one line each with the reason."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A presentation."""

    dynamic: bool
    """It goes on: the manifest is to be fetched again."""
    duration_s: float | None
    update_s: float
    """How soon fetching it again may show something new."""
    periods: tuple[Period, ...]


def parse_manifest(text: bytes, url: str, now_s: float) -> Manifest:
    """Read a manifest that was fetched from `url`; `now_s` is the wall clock in seconds of the Unix epoch.

    Raises:
        SourceError: It is no manifest, or makes no sense.
    """
    try:
        root = _tree(text)
        if root.tag != "MPD":
            raise SourceError("an XML document, but no DASH manifest.")
        return _manifest(root, url, now_s)
    except _NONSENSE as error:
        raise SourceError(f"a DASH manifest that cannot be understood: {error}.") from error


_NONSENSE = (expat.ExpatError, LookupError, ValueError, OverflowError, ZeroDivisionError)


def _tree(text: bytes) -> ET.Element:
    """The elements without their namespaces, whatever the encoding; declarations are refused by the parser itself."""
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = lambda tag, attributes: builder.start(tag.rpartition("}")[2], attributes)
    parser.EndElementHandler = lambda tag: builder.end(tag.rpartition("}")[2])
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_declaration
    parser.Parse(text, True)
    return builder.close()


def _refuse_declaration(*_: object) -> None:
    raise SourceError("a DASH manifest with a document type declaration is not read: it could unfold to any size.")


def _manifest(root: ET.Element, url: str, now_s: float) -> Manifest:
    dynamic = root.get("type") == "dynamic"
    duration_s = _duration_s(root.get("mediaPresentationDuration"))
    base = _base(root, url)
    elapsed_s = math.inf
    if dynamic:
        elapsed_s = now_s - _epoch_s(root.get("availabilityStartTime"))
    depth_s = _duration_s(root.get("timeShiftBufferDepth"))
    elements = root.findall("Period")
    starts: list[float] = []
    for number, element in enumerate(elements):
        stated = _duration_s(element.get("start"))
        if stated is None:
            before = _duration_s(elements[number - 1].get("duration")) if number else 0.0
            stated = (starts[-1] if starts else 0.0) + (before or 0.0)
        starts.append(stated)
    periods = []
    for number, element in enumerate(elements):
        length_s = _duration_s(element.get("duration"))
        end_s = starts[number + 1] if number + 1 < len(starts) else duration_s
        if length_s is None and end_s is not None:
            length_s = end_s - starts[number]
        window = _Window(elapsed_s - starts[number], depth_s, length_s)
        representations, ignored = _representations(element, _base(element, base), window)
        identity = element.get("id") or str(starts[number])
        periods.append(Period(identity, starts[number], representations, ignored))
    if not periods:
        raise SourceError("a DASH manifest without a period.")
    update_s = _duration_s(root.get("minimumUpdatePeriod"))
    return Manifest(dynamic, duration_s, 2.0 if update_s is None else update_s, tuple(periods))


def _representations(
    period: ET.Element, base: str, window: _Window
) -> tuple[tuple[Representation, ...], tuple[str, ...]]:
    found: list[Representation] = []
    ignored: list[str] = []
    for number, adaptation in enumerate(period.findall("AdaptationSet")):
        first = adaptation.find("Representation")
        mime = adaptation.get("mimeType") or (first.get("mimeType") if first is not None else None) or ""
        kind = adaptation.get("contentType") or mime.partition("/")[0]
        if kind not in ("video", "audio"):
            ignored.append(f"track {number} {kind or 'unknown'}: no picture and no sound")
            continue
        if adaptation.find("EssentialProperty") is not None:
            ignored.append(f"track {number} {kind}: for special players only, such as for fast forward")
            continue
        adaptation_base = _base(adaptation, base)
        for element in adaptation.findall("Representation"):
            chain = (period, adaptation, element)
            encrypted = any(e.find("ContentProtection") is not None for e in chain[1:])
            found.append(
                Representation(
                    adaptation=number,
                    kind="video" if kind == "video" else "audio",
                    identity=element.get("id", ""),
                    bandwidth=int(element.get("bandwidth", "0")),
                    width=int(element.get("width") or adaptation.get("width") or 0),
                    height=int(element.get("height") or adaptation.get("height") or 0),
                    language=language if (language := adaptation.get("lang")) != "und" else None,
                    encrypted=encrypted,
                    chain=chain,
                    base=_base(element, adaptation_base),
                    window=window,
                )
            )
    return tuple(found), tuple(ignored)


def _addressing(chain: tuple[ET.Element, ...], base: str, window: _Window, most: int) -> _Addressing:
    """Where the pieces of a representation are, the first `most` segments at most; arguments as in `Representation`."""
    try:
        found = _found_addressing(chain, base, window, most)
    except _NONSENSE as error:
        raise SourceError(f"a DASH manifest that cannot be understood: {error}.") from error
    if len(found.segments) > _MOST_SEGMENTS:
        raise SourceError("a DASH manifest with more segments than make sense.")
    return found


def _found_addressing(chain: tuple[ET.Element, ...], base: str, window: _Window, most: int) -> _Addressing:
    for name in ("SegmentTemplate", "SegmentList"):
        levels = [found for e in chain if (found := e.find(name)) is not None]
        if levels:
            break
    else:
        return _Addressing(0.0, None, (Segment(base, 0.0, window.length_s or 0.0, None, True),))
    # What an inner level does not say is said by the outer ones.
    attributes = {k: v for level in levels for k, v in level.attrib.items()}
    children = {child.tag: child for level in levels for child in level}
    timescale = int(attributes.get("timescale", "1"))
    offset = int(attributes.get("presentationTimeOffset", "0"))
    bits, identity = chain[-1].get("bandwidth", "0"), chain[-1].get("id", "")

    def fill(template: str, number: int = 0, time: int = 0) -> str:
        values = {"RepresentationID": identity, "Number": number, "Bandwidth": int(bits), "Time": time, "": "$"}

        def one(match: re.Match[str]) -> str:
            value = values[match[1]]
            return match[2] % value if match[2] and isinstance(value, int) else str(value)

        return located(_IDENTIFIER.sub(one, template))

    room = _MOST_CHARACTERS

    def located(reference: str) -> str:
        nonlocal room
        room -= len(base) + len(reference)
        if room < 0:
            raise SourceError("a DASH manifest with longer addresses than make sense.")
        return urljoin(base, reference)

    init: Segment | None = None
    declared = children.get("Initialization")
    if "initialization" in attributes:
        init = Segment(fill(attributes["initialization"]), 0.0, 0.0)
    elif declared is not None:
        init = Segment(located(declared.get("sourceURL", "")), 0.0, 0.0, _range(declared.get("range")))
    spans = islice(_spans(attributes, children.get("SegmentTimeline"), timescale, offset, window, levels), most)
    if levels[-1].tag == "SegmentList":
        listed = [child for level in levels for child in level.findall("SegmentURL")]
        segments = tuple(
            Segment(located(e.get("media", "")), time / timescale, length / timescale, _range(e.get("mediaRange")))
            for e, (_, time, length) in zip(listed, spans, strict=False)
        )
    else:
        media = attributes.get("media", "")
        segments = tuple(
            Segment(fill(media, number, time), time / timescale, length / timescale) for number, time, length in spans
        )
    return _Addressing(offset / timescale, init, segments)


def _spans(
    attributes: dict[str, str],
    timeline: ET.Element | None,
    timescale: int,
    offset: int,
    window: _Window,
    levels: list[ET.Element],
) -> Iterator[tuple[int, int, int]]:
    """Number, media time and duration, in ticks, of the segments that exist by now."""
    number = int(attributes.get("startNumber", "1"))
    if timeline is None:
        length = float(attributes.get("duration", "0"))
        if length <= 0:
            raise SourceError("a DASH manifest that does not say how long its segments are.")
        whole_s = length / timescale
        end_s = min(window.elapsed_s, math.inf if window.length_s is None else window.length_s)
        is_list = levels[-1].tag == "SegmentList"
        count = sum(len(level.findall("SegmentURL")) for level in levels) if is_list else _MOST_SEGMENTS
        if math.isfinite(end_s):
            # A live segment exists once it is over; the last one of what is complete may be shorter.
            existing = end_s / whole_s if window.elapsed_s == math.inf else window.elapsed_s // whole_s
            existing = max(0, math.ceil(round(existing, 6)))
            # One that has been on since 1970 has more than could be listed; of those, the last ones are of use.
            count = min(count, existing) if is_list else existing
        first = 0
        if math.isfinite(window.elapsed_s) and window.depth_s is not None:
            first = max(0, math.floor((window.elapsed_s - window.depth_s) / whole_s))
        if math.isfinite(window.elapsed_s):
            first = max(first, count - _MOST_SEGMENTS)
        for index in range(first, count):
            yield number + index, offset + round(index * length), round(length)
        return
    time = offset
    entries = timeline.findall("S")
    for position, entry in enumerate(entries):
        time = int(entry.get("t", time))
        length_ticks = int(entry.get("d", "0"))
        repeats = int(entry.get("r", "0"))
        if length_ticks <= 0:
            raise SourceError("a DASH manifest with segments of no length.")
        if repeats < 0:
            until = int(entries[position + 1].get("t", "0")) if position + 1 < len(entries) else None
            if until is None:
                known_s = min(window.elapsed_s, math.inf if window.length_s is None else window.length_s)
                until = offset + int(known_s * timescale) if math.isfinite(known_s) else time + length_ticks
            repeats = max(0, -(-(until - time) // length_ticks) - 1)
        for _ in range(repeats + 1):
            yield number, time, length_ticks
            number, time = number + 1, time + length_ticks


def _base(element: ET.Element, outer: str) -> str:
    inner = element.find("BaseURL")
    return urljoin(outer, (inner.text or "").strip()) if inner is not None else outer


def _range(text: str | None) -> tuple[int, int | None] | None:
    if not text:
        return None
    first, _, last = text.partition("-")
    return int(first), int(last) if last else None


def _duration_s(text: str | None) -> float | None:
    if text is None:
        return None
    match = _DURATION.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration")
    return sum(float(part) * unit for part, unit in zip(match.groups(), _UNIT_S, strict=True) if part)


def _epoch_s(text: str | None) -> float:
    if text is None:
        return 0.0
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
