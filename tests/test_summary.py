"""What the stretches of a probe come to together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gpu_qa.sync.placing import Placing
from gpu_qa.sync.reference import Stretch
from gpu_qa.sync.summary import APART_SIGMA_S, summarize

if TYPE_CHECKING:
    from gpu_qa.sync.summary import Summary

SILENT, STILL = Placing("unknown", "silence in the probe"), Placing("unknown", "the picture is still")


def at(delay_s: float, *, overlap_s: float = 10.0, sigma_s: float = 0.0005) -> Placing:
    return Placing("matches", None, delay_s, sigma_s, 0.9, 0.5, overlap_s)


def summed(*parts: tuple[Placing, Placing]) -> Summary:
    """Stretches of 10 s, one after the other."""
    stretches = [Stretch(10.0 * number, 10.0 * number + 10.0, *both) for number, both in enumerate(parts)]
    return summarize(stretches, 0.0, 1000.0)


def test_where_both_are_known_at_the_same_time_the_median_is_told() -> None:
    found = summed((at(2.0), at(1.9)), (at(2.0), at(1.9)), (at(2.0), STILL))
    assert found.skew_s == pytest.approx(0.1)
    assert found.confidence == 1.0


def test_picture_and_sound_of_different_stretches_say_a_skew_where_one_surrounds_the_other() -> None:
    seen, heard = (at(2.0), SILENT), (STILL, at(1.9))
    for parts in ((seen, heard, seen), (heard, seen, heard), (seen, heard, seen, heard)):
        found = summed(*parts)
        assert found.skew_s == found.skew_low_s == found.skew_high_s == pytest.approx(0.1)
        assert found.skew_sigma_s == pytest.approx(APART_SIGMA_S, rel=0.01)
        assert found.confidence == 1.0
    little = summed(seen, (STILL, at(1.9, overlap_s=4.0)), seen)
    assert little.confidence == pytest.approx(0.8)
    vague = summed(seen, (STILL, at(1.9, sigma_s=0.03)), seen)
    assert vague.skew_sigma_s == pytest.approx(0.03, rel=0.02)
    assert vague.confidence == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    "parts",
    [
        ((at(2.0), SILENT), (at(2.0), SILENT), (STILL, at(1.5)), (STILL, at(1.5))),
        ((at(2.0), SILENT), (STILL, at(1.5)), (at(1.5), SILENT)),
        ((STILL, at(2.0)), (at(1.5), SILENT), (STILL, at(1.5))),
    ],
    ids=["one after the other", "a jump of the picture", "a jump of the sound"],
)
def test_what_may_have_been_cut_out_between_them_is_no_skew(parts: tuple[tuple[Placing, Placing], ...]) -> None:
    found = summed(*parts)
    assert (found.skew_s, found.skew_sigma_s, found.confidence) == (None, None, 0.0)
    assert found.reason is not None
    assert "never known at the same time" in found.reason
    assert found.picture.delay_s is not None
    assert found.sound.delay_s is not None


def test_what_is_too_far_apart_to_belong_together_is_no_skew() -> None:
    """As sound of other content that fits somewhere by chance."""
    found = summed((at(0.0), SILENT), (STILL, at(5.9)), (at(0.0), SILENT))
    assert found.skew_s is None
