"""Features of one stream: what a fact about the stream says of the pictures around it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from gpu_qa.features import HostPictures, StreamFeatures
from gpu_qa.media import Note, Plane, Track, VideoFormat, VideoFrame

_BASE = Fraction(1, 25)
_TRACK = Track(0, "video", "h264", _BASE, frame_rate=Fraction(25))


def change_over_a_gap(
    before: int, after: int, *, color_range: str = "limited", is_corrupt: bool = False, notes: tuple[Note, ...] = ()
) -> float | None:
    """What the fact of a second without pictures says; the picture's right half is the same after it."""
    form = VideoFormat(64, 48, 8, 0, "full" if color_range == "full" else "limited", "gray")
    host, features = HostPictures(), StreamFeatures([_TRACK])
    for pts, code in ((0, before), (25, after)):
        picture = np.full((48, 64), 90, np.uint8)
        picture[:, :32] = code
        luma = Plane(picture.ravel(), 0, 64, 1, 64, 48)
        frame = VideoFrame(pts, 1, _BASE, form, luma, None, is_corrupt and pts > 0, pts == 0, None)
        features.take([host.measure(frame)], (), notes if pts else ())
    (fact,) = (fact for fact in features.stream_series().facts if fact.kind == "gap")
    change: float | None = fact.details["change"]
    return change


@pytest.mark.parametrize(("color_range", "span"), [("limited", 219), ("full", 255)])
def test_a_gap_says_how_much_the_picture_has_changed_over_it(color_range: str, span: int) -> None:
    assert change_over_a_gap(100, 100, color_range=color_range) == 0.0
    assert change_over_a_gap(100, 121, color_range=color_range) == pytest.approx(21 / span, rel=1e-3)


def test_after_damage_nobody_knows_what_changed() -> None:
    assert change_over_a_gap(100, 100, is_corrupt=True) is None
    assert change_over_a_gap(100, 100, notes=(Note("transport_error", "video", 0, _BASE, "lost", {}),)) is None
