"""Block corruption that is concealed, and heals with a key frame."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gpu_qa.detectors.block_corruption import BLOCK_CORRUPTION
from tests.broken_pictures import broken, concealed, events
from tests.picture_series import measured, scene
from tests.series_builder import assert_same_evidence, cut, weighed

if TYPE_CHECKING:
    from collections.abc import Collection

    from gpu_qa.series import VideoSeries


def middle(pictures: list[np.ndarray], around: list[np.ndarray]) -> list[np.ndarray]:
    """The middle of each, which is 0.52 of it, before something else."""
    width = pictures[0].shape[1]
    bar = round(0.24 * width)
    out = [picture.copy() for picture in around]
    for picture, whole in zip(pictures, out, strict=True):
        whole[:, bar : width - bar] = picture[:, bar : width - bar]
    return out


def heads(last: list[np.ndarray]) -> list[np.ndarray]:
    """Three shots of 40, 35 and 50 pictures; the third is given."""
    return [*scene(40, speed=0.3), *scene(35, seed=9), *last]


def test_what_a_key_frame_heals_was_damaged_since_it_leapt_away() -> None:
    series = measured(concealed(scene(125, speed=0.3), 40, 75), keys=(0, 75))
    (event,) = events(series)
    assert (event.start_s, event.end_s) == (1.6, 3.0)
    assert event.details["cause"] == "upstream"
    assert event.details["evidence"] == ["healing"]
    assert event.details["picture_s"] == 2.96
    assert event.details["tile_map"][6][10] == "#"
    assert event.details["tile_map"][0] == "." * 21
    assert event.severity == "warn"
    assert 0.6 < event.confidence <= 0.9


@pytest.mark.parametrize(
    ("pictures", "keys"),
    [
        (concealed(scene(125, speed=0.3), 40, 75), (0, 50, 100)),
        (concealed(scene(125, speed=0.3), 40, 75), ()),
        (concealed(scene(125, speed=0.3), 75, 125), (0, 75)),
        ([*scene(75, speed=0.3), *scene(50, seed=9)], (0, 75)),
        ([*scene(40, speed=0.3), *scene(35, seed=9), *scene(50, speed=0.3)], (0, 75)),
        (middle(heads(scene(50, speed=0.3)), [np.full_like(picture, 16) for picture in scene(125)]), (0, 75)),
        (middle(heads(scene(50, seed=12)), scene(125, speed=0.3)), (0, 75)),
        (scene(125, speed=0.3), range(0, 125, 5)),
    ],
    ids=[
        "other key frames",
        "no key frame",
        "it comes with one",
        "a cut",
        "a cut and back",
        "a cut and back between bars",
        "cuts between heads before one background",
        "many key frames",
    ],
)
def test_what_leaps_otherwise_is_not_taken_for_healing(pictures: list[np.ndarray], keys: Collection[int]) -> None:
    assert events(measured(pictures, keys=keys)) == []


def across_a_gap(series: VideoSeries, at: int, gap_s: float) -> VideoSeries:
    """The series with all from picture `at` on so much later."""
    late = np.arange(len(series)) >= at
    later_s = np.where(late, gap_s, 0.0)
    ends_s = series.end_s + later_s
    ends_s[at - 1] += gap_s
    return replace(series, pts_s=series.pts_s + later_s, end_s=ends_s)


@pytest.mark.parametrize("at", [60, 75])
@pytest.mark.parametrize(("gap_s", "is_told"), [(0.04, True), (0.12, False), (0.8, False)])
def test_healing_forgets_across_a_gap(at: int, gap_s: float, is_told: bool) -> None:
    """What a picture has returned to after a gap it may have moved to meanwhile; one that is left out is no gap."""
    series = across_a_gap(measured(concealed(scene(125, speed=0.3), 40, 75), keys=(0, 75)), at, gap_s)
    assert bool(events(series)) == is_told
    (evidence,) = weighed(BLOCK_CORRUPTION, [series])
    for pieces in (range(1, 125), (at,), (at + 1,), (at - 1, at)):
        assert_same_evidence(weighed(BLOCK_CORRUPTION, cut(series, list(pieces))), [evidence])


@pytest.mark.parametrize(("width", "is_judged"), [(176, True), (160, False)])
def test_pictures_hardly_larger_than_blocks_do_not_heal(width: int, is_judged: bool) -> None:
    pictures = [picture[:144, :width] for picture in scene(125, speed=0.3)]
    assert bool(events(measured(concealed(pictures, 40, 75, reach=(18.0, 24.0)), keys=(0, 75)))) == is_judged


def test_what_was_reported_is_not_told_twice() -> None:
    pictures = concealed(broken(scene(125, speed=0.3), 40, 75), 40, 75)
    (event,) = events(measured(pictures, keys=(0, 75), corrupt=(40,)))
    assert (event.start_s, event.end_s) == (1.6, 3.0)
    assert event.details["evidence"] == ["decoder", "grid"]
