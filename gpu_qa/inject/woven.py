"""Interlaced pictures: which field comes first, the mark that encoders ask for, and another size field by field."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import av

if TYPE_CHECKING:
    from collections.abc import Iterable

_BOTTOM_FIRST = frozenset({3, 4})
"""AVFieldOrder: `bb` and `tb`."""


def top_field_first(frames: Iterable[av.VideoFrame], field_order: int) -> bool | None:
    """Which field of a stream's pictures is shown first; null where they are progressive.

    Args:
        frames: Its first pictures; in an interlaced stream some may be progressive.
        field_order: Its AVFieldOrder; where it says nothing, the order is that of HD: top first.
    """
    if not any(frame.interlaced_frame for frame in frames):
        return None
    return field_order not in _BOTTOM_FIRST


class FieldMarker:
    """Marks pictures as interlaced: encoders read the order of fields from each of them."""

    def __init__(self, *, top_first: bool) -> None:
        self._order = "tff" if top_first else "bff"
        self._filter = _Filter()

    def marked(self, frame: av.VideoFrame, time_base: Fraction) -> av.VideoFrame:
        """The same picture with the mark."""
        marked = self._filter.filtered(frame, time_base, [("setfield", self._order)])
        marked.pts, marked.time_base = frame.pts, time_base
        return marked


class FieldScaler:
    """Gives woven pictures another size or format without mixing their fields."""

    def __init__(self) -> None:
        self._filter = _Filter()

    def scaled(self, frame: av.VideoFrame, width: int, height: int, pixel_format: str) -> av.VideoFrame:
        """A picture of this size and format; both fields are scaled by themselves."""
        steps = [("scale", f"{width}:{height}:interl=1"), ("format", pixel_format)]
        return self._filter.filtered(frame, frame.time_base or Fraction(1, 90_000), steps)


class _Filter:
    """A chain of libavfilter's filters that gives a picture for each one; made anew for pictures of another form."""

    def __init__(self) -> None:
        self._made_for: tuple[Any, ...] | None = None
        self._graph: Any = None

    def filtered(self, frame: av.VideoFrame, time_base: Fraction, steps: list[tuple[str, str]]) -> av.VideoFrame:
        wanted = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range, time_base, steps)
        if wanted != self._made_for:
            graph = av.filter.Graph()
            ends = [
                graph.add(
                    "buffer",
                    f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base={time_base}"
                    f":colorspace={int(frame.colorspace)}:range={int(frame.color_range)}",
                ),
                *(graph.add(name, told) for name, told in steps),
                graph.add("buffersink"),
            ]
            for one, next_one in pairwise(ends):
                one.link_to(next_one)
            graph.configure()
            self._graph, self._made_for = graph, wanted
        self._graph.push(frame)
        filtered: av.VideoFrame = self._graph.pull()
        return filtered
